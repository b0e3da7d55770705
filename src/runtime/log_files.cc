#include "runtime/log_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <functional>
#include <map>
#include <string_view>
#include <utility>

#include "base/fd.h"

namespace hearth::runtime {
namespace {

Result<Fd> open_for_append(const std::string& path) {
  constexpr int kFlags = O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW;
  Fd file(::open(path.c_str(), kFlags, 0600));
  if (!file.valid() && errno == ENOENT) {
    std::error_code error;
    std::filesystem::create_directories(std::filesystem::path(path).parent_path(), error);
    if (error) return fail_errno("create the folder of " + path, error.value());
    file = Fd(::open(path.c_str(), kFlags, 0600));
  }
  if (!file.valid()) return fail_errno("open " + path);
  return file;
}

Result<> write_all(int fd, std::string_view text, const std::string& path) {
  while (!text.empty()) {
    const auto wrote = ::write(fd, text.data(), text.size());
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) return fail_errno("write " + path);
    text.remove_prefix(static_cast<size_t>(wrote));
  }
  return {};
}

// The last `max_bytes` of the file; "" when there is none.
Result<std::string> read_end(const std::string& path, size_t max_bytes) {
  Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!file.valid() && errno == ENOENT) return std::string();
  if (!file.valid()) return fail_errno("open " + path);
  struct stat info{};
  if (::fstat(file.get(), &info) != 0) return fail_errno("stat " + path);
  const auto size = static_cast<size_t>(info.st_size);
  const size_t from = size > max_bytes ? size - max_bytes : 0;
  std::string text(size - from, '\0');
  size_t got = 0;
  while (got < text.size()) {
    const auto part = ::pread(file.get(), text.data() + got, text.size() - got, static_cast<off_t>(from + got));
    if (part < 0 && errno == EINTR) continue;
    if (part < 0) return fail_errno("read " + path);
    if (part == 0) break;
    got += static_cast<size_t>(part);
  }
  text.resize(got);
  if (from > 0) text.erase(0, std::min(text.find('\n'), text.size() - 1) + 1);  // a line cut in two
  return text;
}

}  // namespace

Result<> append_log(const std::string& path, const std::string& text, size_t max_bytes) {
  TRY_ASSIGN(auto file, open_for_append(path));
  struct stat info{};
  if (::fstat(file.get(), &info) != 0) return fail_errno("stat " + path);
  if (info.st_size > 0 && static_cast<size_t>(info.st_size) + text.size() > max_bytes) {
    if (::rename(path.c_str(), (path + ".1").c_str()) != 0) return fail_errno("rename " + path);
    TRY_ASSIGN(file, open_for_append(path));
  }
  return write_all(file.get(), text, path);
}

Result<std::vector<LogLine>> read_log_tail(const std::string& path, size_t lines, size_t max_bytes) {
  TRY_ASSIGN(auto text, read_end(path, max_bytes));
  if (text.size() < max_bytes) {
    TRY_ASSIGN(auto former, read_end(path + ".1", max_bytes - text.size()));
    text.insert(0, former);
  }
  std::vector<LogLine> found;
  size_t end = text.rfind('\n');  // a line without its end is still being written
  while (end != std::string::npos && found.size() < lines) {
    const size_t before = end == 0 ? std::string::npos : text.rfind('\n', end - 1);
    const size_t from = before == std::string::npos ? 0 : before + 1;
    if (auto line = parse_stored(std::string_view(text).substr(from, end - from))) found.push_back(std::move(*line));
    end = before;
  }
  std::ranges::reverse(found);
  return found;
}

Result<> trim_logs(const std::string& folder, const std::set<std::string>& living, size_t kept) {
  namespace fs = std::filesystem;
  std::error_code error;
  std::map<std::string, fs::file_time_type> gone;  // when the function's last line was written
  for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error)) {
    std::string name = at->path().filename();
    for (std::string_view ending : {".1", ".log"}) {
      if (name.ends_with(ending)) name.resize(name.size() - ending.size());
    }
    if (living.contains(name)) continue;
    std::error_code vanished;  // then it is as old as can be
    auto written = at->last_write_time(vanished);
    auto& newest = gone.try_emplace(name, fs::file_time_type::min()).first->second;
    if (!vanished) newest = std::max(newest, written);
  }
  if (error == std::errc::no_such_file_or_directory) return {};
  if (error) return fail_errno("read " + folder, error.value());
  std::vector<std::pair<fs::file_time_type, std::string>> oldest_last;
  for (const auto& [name, written] : gone) oldest_last.emplace_back(written, name);
  std::ranges::sort(oldest_last, std::greater());
  for (size_t i = kept; i < oldest_last.size(); ++i) {
    for (std::string_view ending : {".log", ".log.1"}) {
      fs::remove(fs::path(folder) / (oldest_last[i].second + std::string(ending)), error);
      if (error) return fail_errno("remove the log of " + oldest_last[i].second, error.value());
    }
  }
  return {};
}

}  // namespace hearth::runtime
