#include "runtime/log_lines.h"

#include <fmt/format.h>

#include <iterator>

namespace hearth::runtime {

void append_stored(std::string& out, std::string_view at, std::string_view request_id, std::string_view stream,
                   std::string_view text) {
  if (request_id.empty()) request_id = "-";
  out.append(at).append(1, '\t').append(request_id).append(1, '\t').append(stream).append(1, '\t');
  out.append(text).append(1, '\n');
}

std::optional<LogLine> parse_stored(std::string_view line) {
  std::string_view parts[3];
  for (auto& part : parts) {
    const auto tab = line.find('\t');
    if (tab == std::string_view::npos) return std::nullopt;
    part = line.substr(0, tab);
    line.remove_prefix(tab + 1);
  }
  if (parts[1] == "-") parts[1] = {};
  return LogLine{std::string(parts[0]), std::string(parts[1]), std::string(parts[2]), std::string(line)};
}

std::string start_line(std::string_view request_id, std::string_view version) {
  return fmt::format("START RequestId: {} Version: {}", request_id, version);
}

std::string end_line(std::string_view request_id) { return fmt::format("END RequestId: {}", request_id); }

std::string report_line(const Report& report) {
  constexpr int64_t kMilli = 1'000'000;
  auto line = fmt::format(
      "REPORT RequestId: {}\tDuration: {:.2f} ms\tBilled Duration: {} ms\tMemory Size: {} MB\tMax Memory Used: {} MB\t",
      report.request_id, static_cast<double>(report.duration_ns) / kMilli, (report.duration_ns + kMilli - 1) / kMilli,
      report.memory_mib, report.peak_memory_mib);
  if (report.init_ns > 0)
    fmt::format_to(std::back_inserter(line), "Init Duration: {:.2f} ms\t",
                   static_cast<double>(report.init_ns) / kMilli);
  if (!report.status.empty()) fmt::format_to(std::back_inserter(line), "Status: {}\t", report.status);
  return line;
}

std::string_view Stamps::of(WallTime time) {
  const int64_t millis = time.time_since_epoch().count();
  if (millis / 1000 != second_ || text_.size() != 24) {
    second_ = millis / 1000;
    text_ = iso_timestamp(time);
    return text_;
  }
  const auto rest = static_cast<int>(millis % 1000);
  text_[20] = static_cast<char>('0' + rest / 100);
  text_[21] = static_cast<char>('0' + rest / 10 % 10);
  text_[22] = static_cast<char>('0' + rest % 10);
  return text_;
}

}  // namespace hearth::runtime
