#include "kernel/unix_socket.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>

namespace hearth::kernel {
namespace {

constexpr int kBacklog = 16;

Result<sockaddr_un> unix_address(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path)) {
    return fail(Kind::invalid, fmt::format("socket path {} is over {} bytes", path, sizeof(address.sun_path) - 1));
  }
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  return address;
}

std::vector<Fd> take_fds(msghdr& header) {
  std::vector<Fd> fds;
  for (cmsghdr* c = CMSG_FIRSTHDR(&header); c != nullptr; c = CMSG_NXTHDR(&header, c)) {
    if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) continue;
    size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < count; ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
      fds.emplace_back(fd);
    }
  }
  return fds;
}

}  // namespace

Result<std::pair<Fd, Fd>> seqpacket_pair() {
  std::array<int, 2> ends{};
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0) return fail_errno("socketpair");
  return std::pair(Fd(ends[0]), Fd(ends[1]));
}

Result<Fd> listen_unix(const std::string& path, int type, uid_t owner, mode_t mode) {
  const std::string beside = path + "~";
  TRY_ASSIGN(sockaddr_un address, unix_address(beside));
  Fd listener(socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!listener.valid()) return fail_errno("socket");
  if (unlink(beside.c_str()) != 0 && errno != ENOENT) return fail_errno("unlink " + beside);
  // Made closed to everyone: nobody may connect between bind and chown.
  mode_t old = umask(0777);
  int bound = bind(listener.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address));
  int bind_errno = errno;
  umask(old);
  if (bound != 0) return fail_errno("bind " + beside, bind_errno);
  if (chown(beside.c_str(), owner, static_cast<gid_t>(-1)) != 0) return fail_errno("chown " + beside);
  if (chmod(beside.c_str(), mode) != 0) return fail_errno("chmod " + beside);
  if (listen(listener.get(), kBacklog) != 0) return fail_errno("listen " + beside);
  if (rename(beside.c_str(), path.c_str()) != 0) return fail_errno("rename " + beside);
  return listener;
}

Result<Fd> connect_seqpacket(const std::string& path) {
  TRY_ASSIGN(sockaddr_un address, unix_address(path));
  Fd connection(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!connection.valid()) return fail_errno("socket");
  if (connect(connection.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) {
    return fail_errno("connect to " + path);
  }
  return connection;
}

Result<Fd> listen_seqpacket(const std::string& path, uid_t owner, mode_t mode) {
  return listen_unix(path, SOCK_SEQPACKET, owner, mode);
}

Result<Fd> accept_connection(int listener) {
  Fd connection(accept4(listener, nullptr, nullptr, SOCK_CLOEXEC));
  if (!connection.valid()) return fail_errno("accept");
  return connection;
}

Result<uid_t> peer_uid(int connection) {
  ucred credentials{};
  socklen_t size = sizeof(credentials);
  if (getsockopt(connection, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0) return fail_errno("SO_PEERCRED");
  return credentials.uid;
}

Result<> send_datagram(int socket, std::string_view bytes, std::span<const int> fds, int flags) {
  if (fds.size() > kMaxDatagramFds) return fail(Kind::invalid, "too many descriptors for one datagram");
  iovec vector{const_cast<char*>(bytes.data()), bytes.size()};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(kMaxDatagramFds * sizeof(int))> control{};
  msghdr header{};
  header.msg_iov = &vector;
  header.msg_iovlen = 1;
  if (!fds.empty()) {
    header.msg_control = control.data();
    header.msg_controllen = CMSG_SPACE(fds.size_bytes());
    cmsghdr* c = CMSG_FIRSTHDR(&header);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(fds.size_bytes());
    std::memcpy(CMSG_DATA(c), fds.data(), fds.size_bytes());
  }
  ssize_t sent = -1;
  do {
    sent = sendmsg(socket, &header, flags | MSG_NOSIGNAL);
  } while (sent < 0 && errno == EINTR);
  if (sent < 0) return fail_errno("sendmsg");
  return {};
}

Result<Datagram> receive_datagram(int socket, size_t max_bytes, size_t max_fds, int flags) {
  // Asking for the size first spares a buffer of max_bytes for every small datagram.
  ssize_t size = -1;
  do {
    size = recv(socket, nullptr, 0, flags | MSG_PEEK | MSG_TRUNC);
  } while (size < 0 && errno == EINTR);
  if (size < 0) return fail_errno("recv");
  Datagram datagram;
  datagram.bytes.resize(std::min(static_cast<size_t>(size), max_bytes));
  iovec vector{datagram.bytes.data(), datagram.bytes.size()};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(kMaxDatagramFds * sizeof(int))> control{};
  msghdr header{};
  header.msg_iov = &vector;
  header.msg_iovlen = 1;
  header.msg_control = control.data();
  header.msg_controllen = control.size();
  ssize_t received = -1;
  do {
    received = recvmsg(socket, &header, flags | MSG_CMSG_CLOEXEC);
  } while (received < 0 && errno == EINTR);
  if (received < 0) return fail_errno("recvmsg");
  datagram.fds = take_fds(header);
  if ((header.msg_flags & MSG_TRUNC) != 0) {
    return fail(Kind::invalid, fmt::format("a datagram is over {} bytes", max_bytes));
  }
  if ((header.msg_flags & MSG_CTRUNC) != 0 || datagram.fds.size() > max_fds) {
    return fail(Kind::invalid, fmt::format("a datagram carries over {} descriptors", max_fds));
  }
  datagram.bytes.resize(static_cast<size_t>(received));
  return datagram;
}

Result<Fd> listen_loopback(uint16_t port, int backlog) {
  Fd listener(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!listener.valid()) return fail_errno("socket");
  int on = 1;
  if (setsockopt(listener.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0) return fail_errno("SO_REUSEADDR");
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (bind(listener.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) {
    return fail_errno(fmt::format("bind 127.0.0.1:{}", port));
  }
  if (listen(listener.get(), backlog) != 0) return fail_errno("listen");
  return listener;
}

}  // namespace hearth::kernel
