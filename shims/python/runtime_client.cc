#include "runtime_client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

namespace hearth::shim {

bool RuntimeClient::set_address(const char* address) {
  const char* colon = strrchr(address, ':');
  char host[16] = {};
  if (colon == nullptr || static_cast<size_t>(colon - address) >= sizeof(host)) return false;
  memcpy(host, address, static_cast<size_t>(colon - address));
  if (strcmp(host, "localhost") == 0) memcpy(host, "127.0.0.1", 10);
  in_addr ip{};
  char* end = nullptr;
  long port = strtol(colon + 1, &end, 10);
  if (inet_pton(AF_INET, host, &ip) != 1 || *end != '\0' || port <= 0 || port > 65535) return false;
  ip_ = ip.s_addr;
  port_ = htons(static_cast<unsigned short>(port));
  buffer_ = static_cast<char*>(malloc(kMaxHead));
  return buffer_ != nullptr;
}

void RuntimeClient::destroy() {
  close();
  free(buffer_);
  buffer_ = nullptr;
}

bool RuntimeClient::open() {
  close();
  socket_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (socket_ < 0) return false;
  sockaddr_in peer{};
  peer.sin_family = AF_INET;
  peer.sin_port = port_;
  peer.sin_addr.s_addr = ip_;
  int on = 1;
  if (connect(socket_, reinterpret_cast<sockaddr*>(&peer), sizeof(peer)) != 0 ||
      setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) != 0) {
    int error = errno;
    close();
    errno = error;
    return false;
  }
  return true;
}

void RuntimeClient::close() {
  if (socket_ >= 0) ::close(socket_);
  socket_ = -1;
  begin_ = end_ = 0;
}

bool RuntimeClient::send(iovec* parts, int count) {
  while (count > 0) {
    msghdr message{};
    message.msg_iov = parts;
    message.msg_iovlen = static_cast<size_t>(count);
    ssize_t sent = sendmsg(socket_, &message, MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0) {
      int error = errno;
      close();
      errno = error;
      return false;
    }
    auto left = static_cast<size_t>(sent);
    while (count > 0 && left >= parts->iov_len) {
      left -= parts->iov_len;
      ++parts;
      --count;
    }
    if (count > 0) {
      parts->iov_base = static_cast<char*>(parts->iov_base) + left;
      parts->iov_len -= left;
    }
  }
  return true;
}

RuntimeClient::Read RuntimeClient::receive(char* into, size_t room, size_t& got) {
  ssize_t received = recv(socket_, into, room, 0);
  if (received < 0 && errno == EINTR) return Read::interrupted;
  if (received <= 0) {
    int error = received == 0 ? ECONNRESET : errno;
    close();
    errno = error;
    return error == ECONNRESET || error == EPIPE ? Read::closed : Read::failed;
  }
  got = static_cast<size_t>(received);
  return Read::ok;
}

RuntimeClient::Read RuntimeClient::read_head(ResponseHead& head) {
  for (;;) {
    if (long size = parse_head({buffer_ + begin_, end_ - begin_}, head); size > 0) {
      begin_ += static_cast<size_t>(size);
      return Read::ok;
    } else if (size < 0) {
      close();
      errno = EPROTO;
      return Read::failed;
    }
    if (begin_ > 0) {
      memmove(buffer_, buffer_ + begin_, end_ - begin_);
      end_ -= begin_;
      begin_ = 0;
    }
    size_t got = 0;
    if (Read read = receive(buffer_ + end_, kMaxHead - end_, got); read != Read::ok) return read;
    end_ += got;
  }
}

RuntimeClient::Read RuntimeClient::read_body(char* body, size_t size, size_t& done) {
  if (size_t buffered = end_ - begin_; done < size && buffered > 0) {
    size_t taken = buffered < size - done ? buffered : size - done;
    memcpy(body + done, buffer_ + begin_, taken);
    begin_ += taken;
    done += taken;
  }
  while (done < size) {
    size_t got = 0;
    if (Read read = receive(body + done, size - done, got); read != Read::ok) return read;
    done += got;
  }
  return Read::ok;
}

}  // namespace hearth::shim
