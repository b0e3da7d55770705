// Log files on disk: append with rotation, read the end. Blocking; for the pool's threads.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "base/result.h"
#include "runtime/log_lines.h"

namespace hearth::runtime {

// Appends whole lines to `path`, making its folder; a file over `max_bytes` moves to `path`.1 first.
Result<> append_log(const std::string& path, const std::string& text, size_t max_bytes);
// The last `lines` lines within the last `max_bytes` of `path`.1 and `path`, oldest first.
Result<std::vector<LogLine>> read_log_tail(const std::string& path, size_t lines, size_t max_bytes);
// Of the functions with files in `folder` that are not `living`, all but the `kept` that were written last lose them.
Result<> trim_logs(const std::string& folder, const std::set<std::string>& living, size_t kept);

}  // namespace hearth::runtime
