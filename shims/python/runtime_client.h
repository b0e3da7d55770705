// One keep-alive connection to the Runtime API.
//
// Blocking; knows nothing of Python, so that its caller can let go of the interpreter lock around every call. After a
// failure, errno says why, and the connection is closed: the next open() makes another. A signal interrupts a read with
// EINTR and loses nothing.
#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <string_view>

#include "http_response.h"

namespace hearth::shim {

class RuntimeClient {
 public:
  enum class Read { ok, closed, interrupted, failed };

  // `address`: "127.0.0.1:9001". False when it has another form.
  bool set_address(const char* address);
  void destroy();

  bool connected() const { return socket_ >= 0; }
  bool open();
  void close();
  // Sends all of it. `parts` is used up. False when the connection broke.
  bool send(iovec* parts, int count);
  // The next response's head; its views hold until the next call. `closed`: the peer closed in place of a response.
  Read read_head(ResponseHead& head);
  // The body's next `size` bytes. REQUIRES: no more than the head announced.
  Read read_body(char* body, size_t size, size_t& done);

 private:
  Read receive(char* into, size_t room, size_t& got);

  int socket_ = -1;
  unsigned ip_ = 0;          // network byte order
  unsigned short port_ = 0;  // network byte order
  char* buffer_ = nullptr;   // kMaxHead bytes: [begin_, end_) is unread
  size_t begin_ = 0;
  size_t end_ = 0;
};

}  // namespace hearth::shim
