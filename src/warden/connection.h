// Connection: hearthd's end of the protocol as the warden sees it: datagrams in, replies and events out.
//
// Never blocks. What the socket does not take waits here, kMaxQueued datagrams with kMaxQueuedFds descriptors at most:
// a hearthd that does not read its replies is cut off.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "warden/protocol.h"

namespace hearth::warden {

constexpr size_t kMaxQueued = 2 * kMaxOutstanding;
constexpr size_t kMaxQueuedFds = 256;

class Connection {
 public:
  // `serial` tells this connection from those before it.
  static Result<Connection> adopt(Fd socket, uint64_t serial);

  uint64_t serial() const { return serial_; }
  int fd() const { return socket_.get(); }

  // The next request's bytes; nullopt when none waits; Kind::unavailable when hearthd has closed.
  Result<std::optional<std::string>> receive();
  // Borrows the descriptors.
  Result<> send(std::string bytes, std::span<const int> fds);
  Result<> flush();
  bool has_queued() const { return !queue_.empty(); }

  bool greeted = false;   // hello was said
  size_t unanswered = 0;  // requests

 private:
  struct Queued {
    std::string bytes;
    std::vector<Fd> fds;
  };
  Connection(Fd socket, uint64_t serial) : socket_(std::move(socket)), serial_(serial) {}

  Fd socket_;
  uint64_t serial_;
  std::deque<Queued> queue_;
  size_t queued_fds_ = 0;
};

}  // namespace hearth::warden
