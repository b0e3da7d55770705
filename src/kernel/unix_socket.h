// Unix seqpacket sockets: datagrams with file descriptors beside them.
//
// Every datagram is whole or refused: one that is longer than the receiver's buffer, or that carries more descriptors
// than it allows, is Kind::invalid and its descriptors are closed. All descriptors are close-on-exec. Sending never
// raises SIGPIPE.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/fd.h"
#include "base/result.h"

namespace hearth::kernel {

constexpr size_t kMaxDatagramFds = 8;

struct Datagram {
  std::string bytes;  // empty: the peer closed
  std::vector<Fd> fds;
};

Result<std::pair<Fd, Fd>> seqpacket_pair();

// A listening socket at `path`, which is replaced once it can be connected to: its owner and mode are set before.
Result<Fd> listen_unix(const std::string& path, int type, uid_t owner, mode_t mode);
Result<Fd> listen_seqpacket(const std::string& path, uid_t owner, mode_t mode);
// Connects at once or not at all (errno EAGAIN: the backlog is full); the socket does not block.
Result<Fd> connect_seqpacket(const std::string& path);
// Kind::exhausted with errno EAGAIN when nobody waits (non-blocking listeners).
Result<Fd> accept_connection(int listener);
Result<uid_t> peer_uid(int connection);

// `flags`: MSG_DONTWAIT or 0. A full socket is Kind::exhausted with errno EAGAIN.
Result<> send_datagram(int socket, std::string_view bytes, std::span<const int> fds, int flags);
Result<Datagram> receive_datagram(int socket, size_t max_bytes, size_t max_fds, int flags);

// A listening TCP socket on 127.0.0.1:`port` of the current network namespace.
Result<Fd> listen_loopback(uint16_t port, int backlog);

}  // namespace hearth::kernel
