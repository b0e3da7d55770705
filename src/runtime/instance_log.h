// InstanceLog: the standard output and error of one container, cut into lines for its function's log.
//
// The pipe is read when it becomes readable; drain() reads what is left, so that an answer's log tail is whole, and
// takes what came without its newline for a line. What comes belongs to the invocation of the moment (begin … end), or
// to none. The tail holds the last kTail bytes of lines. A flood is bounded: more than kMaxRate bytes in a second are
// dropped and counted in one line, and of a function that writes faster than kMaxRead in a tenth of a second nothing is
// read until that tenth is over (its write then waits).
//
// Owned by its instance, on the loop's thread.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <memory>
#include <string>
#include <string_view>

#include "base/deadlines.h"
#include "base/fd.h"
#include "runtime/logs.h"

namespace hearth::runtime {

class InstanceLog {
 public:
  static constexpr size_t kTail = 4096;
  static constexpr size_t kMaxLine = 64 * 1024;
  static constexpr size_t kMaxRate = 1024 * 1024;
  static constexpr size_t kMaxRead = 2 * 1024 * 1024;

  // `pipe` must not block.
  InstanceLog(boost::asio::any_io_executor executor, Deadlines& deadlines, Fd pipe, Logs::Sink& sink);
  ~InstanceLog();

  // The tail begins anew, but the first one holds what the start wrote.
  void begin(std::string_view request_id);
  void platform(std::string_view line);
  // Reads what is in the pipe, at most twice what it can hold. A line that was begun ends with it.
  void drain();
  // Ends the invocation: its lines so far, at most kTail bytes.
  std::string end();

 private:
  struct Reader;
  void read();
  void read_pipe();
  void take(std::string_view bytes);
  void line(std::string_view text);
  void keep(std::string_view text);
  void tell_dropped();

  Deadlines& deadlines_;
  Logs::Sink& sink_;
  std::shared_ptr<Reader> reader_;
  Deadlines::Handle pause_;
  std::string request_id_;
  std::string partial_;
  std::string tail_;
  bool first_ = true;
  MonotonicTime second_{};
  size_t in_second_ = 0;
  MonotonicTime tenth_{};
  size_t in_tenth_ = 0;
  uint64_t dropped_ = 0;
};

}  // namespace hearth::runtime
