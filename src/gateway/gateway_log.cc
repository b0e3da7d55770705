#include "gateway/gateway_log.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

namespace hearth::gateway {

Result<GatewayLog> GatewayLog::open(const std::string& path, Sink sink) {
  if (mkfifo(path.c_str(), 0600) != 0 && errno != EEXIST) return fail_errno("mkfifo " + path);
  Fd fifo(::open(path.c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW));
  if (!fifo.valid()) return fail_errno("open " + path);
  return GatewayLog(std::move(fifo), std::move(sink));
}

void GatewayLog::read(Time now) {
  char page[4096];
  for (int i = 0; i < kMaxReads; ++i) {
    const ssize_t got = ::read(fifo_.get(), page, sizeof page);
    if (got <= 0) return;
    take({page, static_cast<size_t>(got)}, now);
  }
}

void GatewayLog::take(std::string_view bytes, Time now) {
  for (const char c : bytes) {
    if (c == '\n') {
      say(now);
    } else if (line_.size() < kMaxLine) {
      line_.push_back(static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? ' ' : c);
    }
  }
}

void GatewayLog::say(Time now) {
  const std::string line = std::exchange(line_, {});
  if (now - second_ >= std::chrono::seconds(1)) {
    second_ = now;
    lines_ = 0;
    if (left_out_ > 0) sink_(std::to_string(std::exchange(left_out_, 0)) + " lines were left out");
  }
  if (lines_ == kMaxLinesEachSecond) {
    ++left_out_;
    return;
  }
  ++lines_;
  sink_(line);
}

}  // namespace hearth::gateway
