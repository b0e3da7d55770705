#include "runtime/instance_log.h"

#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <utility>

namespace hearth::runtime {
namespace asio = boost::asio;
namespace {

constexpr size_t kReadSize = 64 * 1024;  // what a pipe holds

}  // namespace

// Waits for the pipe; asio's handlers hold it, so it outlives the log until they have ended.
struct InstanceLog::Reader : std::enable_shared_from_this<InstanceLog::Reader> {
  Reader(asio::any_io_executor executor, int fd, InstanceLog& owner) : pipe(executor, fd), log(&owner) {}

  void wait() {
    pipe.async_wait(asio::posix::descriptor_base::wait_read,
                    [self = shared_from_this()](boost::system::error_code error) {
                      if (!error && self->log != nullptr) self->log->read();
                    });
  }

  asio::posix::stream_descriptor pipe;
  InstanceLog* log;
  bool ended = false;
};

InstanceLog::InstanceLog(asio::any_io_executor executor, Deadlines& deadlines, Fd pipe, Logs::Sink& sink)
    : deadlines_(deadlines), sink_(sink), reader_(std::make_shared<Reader>(executor, pipe.release(), *this)) {
  reader_->wait();
}

InstanceLog::~InstanceLog() {
  deadlines_.remove(pause_);
  reader_->log = nullptr;
  boost::system::error_code ignored;  // closing is all that is wanted
  reader_->pipe.close(ignored);
}

void InstanceLog::begin(std::string_view request_id) {
  if (!std::exchange(first_, false)) tail_.clear();
  request_id_ = request_id;
}

void InstanceLog::platform(std::string_view line) {
  sink_.write(request_id_, "platform", line);
  keep(line);
}

std::string InstanceLog::end() {
  tell_dropped();
  request_id_.clear();
  if (tail_.size() > kTail) tail_.erase(0, tail_.size() - kTail);
  return std::exchange(tail_, {});
}

// ---- the pipe

void InstanceLog::read() {
  const auto now = std::chrono::steady_clock::now();
  if (now - tenth_ >= std::chrono::milliseconds(100)) {
    tenth_ = now;
    in_tenth_ = 0;
  }
  read_pipe();
  if (reader_->ended) return;
  if (in_tenth_ <= kMaxRead) return reader_->wait();
  deadlines_.set(pause_, tenth_ + std::chrono::milliseconds(100), [this] { read(); });
}

void InstanceLog::drain() {
  read_pipe();
  if (!partial_.empty()) line(std::exchange(partial_, {}));
}

void InstanceLog::read_pipe() {
  static thread_local std::array<char, kReadSize> buffer;
  // Twice what a pipe holds, so that a function that never stops writing can't keep us here.
  for (int i = 0; i < 2 && !reader_->ended; ++i) {
    const auto got = ::read(reader_->pipe.native_handle(), buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) {
      reader_->ended = got == 0 || (errno != EAGAIN && errno != EWOULDBLOCK);
      if (reader_->ended && !partial_.empty()) line(std::exchange(partial_, {}));
      return;
    }
    in_tenth_ += static_cast<size_t>(got);
    take({buffer.data(), static_cast<size_t>(got)});
    if (static_cast<size_t>(got) < buffer.size()) return;
  }
}

void InstanceLog::take(std::string_view bytes) {
  for (;;) {
    const auto end = bytes.find('\n');
    if (end == std::string_view::npos) break;
    if (partial_.empty()) {
      line(bytes.substr(0, end));
    } else {
      partial_.append(bytes.substr(0, end));
      line(partial_);
      partial_.clear();
    }
    bytes.remove_prefix(end + 1);
  }
  partial_.append(bytes);
  while (partial_.size() >= kMaxLine) {
    line(std::string_view(partial_).substr(0, kMaxLine));
    partial_.erase(0, kMaxLine);
  }
}

void InstanceLog::line(std::string_view text) {
  const auto now = std::chrono::steady_clock::now();
  if (now - second_ >= std::chrono::seconds(1)) {
    second_ = now;
    in_second_ = 0;
    tell_dropped();
  }
  keep(text);
  in_second_ += text.size() + 1;
  if (in_second_ > kMaxRate) {
    ++dropped_;
    return;
  }
  sink_.write(request_id_, "function", text);
}

void InstanceLog::tell_dropped() {
  if (dropped_ == 0) return;
  const auto notice =
      fmt::format("{} lines were dropped: more than {} bytes in a second", std::exchange(dropped_, 0), kMaxRate);
  sink_.write(request_id_, "platform", notice);
}

void InstanceLog::keep(std::string_view text) {
  if (text.size() > kTail) text.remove_prefix(text.size() - kTail);
  tail_.append(text).append(1, '\n');
  if (tail_.size() > 4 * kTail) tail_.erase(0, tail_.size() - kTail);
}

}  // namespace hearth::runtime
