#include "gateway/control_line.h"

#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>

namespace hearth::gateway {

ControlLine::ControlLine(Fd fd) : fd_(std::move(fd)) {
  int type = 0;
  socklen_t size = sizeof type;
  if (getsockopt(fd_.get(), SOL_SOCKET, SO_TYPE, &type, &size) != 0) {
    form_ = Form::port;
  } else {
    form_ = type == SOCK_STREAM ? Form::stream : Form::datagrams;
  }
}

void ControlLine::reset() {
  fd_.reset();
  begun_.clear();
}

void ControlLine::drain() {
  begun_.clear();
  std::array<char, 4096> dropped;
  while (read(fd_.get(), dropped.data(), dropped.size()) > 0) {
  }
}

Result<std::optional<std::string>> ControlLine::receive(size_t size) {
  const size_t have = begun_.size();
  begun_.resize(size);
  // MSG_TRUNC: the size of a datagram that is longer.
  const ssize_t got = form_ == Form::port ? read(fd_.get(), begun_.data() + have, size - have)
                                          : recv(fd_.get(), begun_.data() + have, size - have,
                                                 MSG_DONTWAIT | (form_ == Form::datagrams ? MSG_TRUNC : 0));
  const int error = errno;
  begun_.resize(have + (got > 0 ? std::min(static_cast<size_t>(got), size - have) : 0));
  if (got < 0 && (error == EAGAIN || error == EINTR)) return std::optional<std::string>();
  if (got < 0) return fail_errno("receive", error);
  if (got == 0) return fail(Kind::unavailable, "the other end is gone");
  if (form_ == Form::datagrams && static_cast<size_t>(got) != size)
    return fail(Kind::invalid, "a message of another size");
  if (begun_.size() < size) return std::optional<std::string>();
  return std::optional<std::string>(std::exchange(begun_, {}));
}

Result<> ControlLine::send(std::string_view message) const {
  const ssize_t sent = form_ == Form::port
                           ? write(fd_.get(), message.data(), message.size())
                           : ::send(fd_.get(), message.data(), message.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  if (sent < 0) return fail_errno("send");
  // Messages are shorter than what a stream takes at once.
  if (static_cast<size_t>(sent) != message.size()) return fail(Kind::unavailable, "half a message was sent");
  return {};
}

}  // namespace hearth::gateway
