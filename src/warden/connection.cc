#include "warden/connection.h"

#include <fcntl.h>
#include <sys/socket.h>

#include <cerrno>

#include "kernel/unix_socket.h"

namespace hearth::warden {
namespace {

constexpr int kSendBuffer = 4 * 1024 * 1024;

bool is_full(const Error& error) { return error.errno_value == EAGAIN || error.errno_value == EWOULDBLOCK; }

Result<std::vector<Fd>> duplicate(std::span<const int> fds) {
  std::vector<Fd> copies;
  for (int fd : fds) {
    copies.emplace_back(fcntl(fd, F_DUPFD_CLOEXEC, 0));
    if (!copies.back().valid()) return fail_errno("dup");
  }
  return copies;
}

}  // namespace

Result<Connection> Connection::adopt(Fd socket, uint64_t serial) {
  if (setsockopt(socket.get(), SOL_SOCKET, SO_SNDBUFFORCE, &kSendBuffer, sizeof(kSendBuffer)) != 0) {
    return fail_errno("SO_SNDBUFFORCE");
  }
  return Connection(std::move(socket), serial);
}

Result<std::optional<std::string>> Connection::receive() {
  auto datagram = kernel::receive_datagram(socket_.get(), kMaxMessage, 0, MSG_DONTWAIT);
  if (!datagram && is_full(datagram.error())) return std::optional<std::string>();
  if (!datagram) return std::unexpected(std::move(datagram).error());
  if (datagram->bytes.empty()) return fail(Kind::unavailable, "hearthd closed the connection");
  return std::optional(std::move(datagram->bytes));
}

Result<> Connection::send(std::string bytes, std::span<const int> fds) {
  if (bytes.size() > kMaxMessage) return fail(Kind::internal, "a reply is over the protocol's limit");
  if (queue_.empty()) {
    auto sent = kernel::send_datagram(socket_.get(), bytes, fds, MSG_DONTWAIT);
    if (sent || !is_full(sent.error())) return sent;
  }
  if (queue_.size() >= kMaxQueued || queued_fds_ + fds.size() > kMaxQueuedFds) {
    return fail(Kind::exhausted, "hearthd does not read its replies");
  }
  TRY_ASSIGN(auto copies, duplicate(fds));
  queued_fds_ += copies.size();
  queue_.push_back({std::move(bytes), std::move(copies)});
  return {};
}

Result<> Connection::flush() {
  while (!queue_.empty()) {
    const Queued& next = queue_.front();
    std::vector<int> fds;
    for (const Fd& fd : next.fds) fds.push_back(fd.get());
    auto sent = kernel::send_datagram(socket_.get(), next.bytes, fds, MSG_DONTWAIT);
    if (!sent && is_full(sent.error())) return {};
    TRY(std::move(sent));
    queued_fds_ -= fds.size();
    queue_.pop_front();
  }
  return {};
}

}  // namespace hearth::warden
