// ControlLine: one end of the connection that control.h's messages go over: a Unix seqpacket socket, a Unix stream
// socket (the host's end of a machine's port) or a virtio-serial port (the machine's end).
//
// All messages of one direction have one size, which is all the framing that a stream needs. Never waits. What was read
// of a message whose connection ended is forgotten with reset().
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/fd.h"
#include "base/result.h"

namespace hearth::gateway {

class ControlLine {
 public:
  ControlLine() = default;
  explicit ControlLine(Fd fd);

  bool valid() const { return fd_.valid(); }
  int fd() const { return fd_.get(); }
  void reset();
  // Forgets what waits to be read, and half a message; the connection stays.
  void drain();

  // A whole message; nullopt: not yet. Kind::unavailable: the other end is gone; Kind::invalid: a datagram of another
  // size.
  Result<std::optional<std::string>> receive(size_t size);
  // Whole or not at all: Kind::exhausted with errno EAGAIN when there is no room now.
  Result<> send(std::string_view message) const;

 private:
  enum class Form { datagrams, stream, port };

  Fd fd_;
  Form form_ = Form::datagrams;
  std::string begun_;
};

}  // namespace hearth::gateway
