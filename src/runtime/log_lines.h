// Log lines of functions: their shape in files, and AWS's platform lines.
//
// A stored line is "time \t request id or - \t stream \t text \n"; time is ISO 8601 with milliseconds, stream is
// "function" (what it wrote) or "platform" (START, END, REPORT …). Text has no line break; it may hold tabs.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"

namespace hearth::runtime {

struct LogLine {
  std::string at;
  std::string request_id;  // "" = outside of an invocation
  std::string stream;
  std::string text;
};

void append_stored(std::string& out, std::string_view at, std::string_view request_id, std::string_view stream,
                   std::string_view text);
// The line without its line break; nullopt when it is not of that shape (cut short by a crash).
std::optional<LogLine> parse_stored(std::string_view line);

struct Report {
  std::string_view request_id;
  int64_t duration_ns = 0;
  int64_t memory_mib = 0;
  int64_t peak_memory_mib = 0;
  int64_t init_ns = 0;      // 0: warm
  std::string_view status;  // "" or "timeout", "error"
};

std::string start_line(std::string_view request_id, std::string_view version);
std::string end_line(std::string_view request_id);
std::string report_line(const Report& report);

// ISO time stamps; remembers the text of the current second.
class Stamps {
 public:
  std::string_view of(WallTime time);

 private:
  int64_t second_ = -1;
  std::string text_;
};

}  // namespace hearth::runtime
