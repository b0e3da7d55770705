#include "warden/state_files.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <limits>

#include "base/json.h"
#include "kernel/process.h"

namespace hearth::warden {
namespace {

constexpr std::string_view kWarm = ".warm";
constexpr std::string_view kBound = ".bound";
constexpr size_t kMaxFile = 4096;

std::string warm_name(const ContainerId& id) { return id.str() + std::string(kWarm); }
std::string bound_name(const ContainerId& id) { return id.str() + std::string(kBound); }

Result<SavedContainer> parse(const std::string& name, const std::string& text) {
  SavedContainer saved;
  saved.bound = name.ends_with(kBound);
  saved.container = ContainerId(name.substr(0, name.rfind('.')));
  TRY_ASSIGN(auto value, parse_json(text, kMaxFile));
  TRY_ASSIGN(auto fields, FieldReader::of(value, name));
  TRY_ASSIGN(saved.runtime, fields.text("runtime", 64));
  TRY_ASSIGN(auto pid, fields.integer("pid", 1, std::numeric_limits<pid_t>::max()));
  TRY_ASSIGN(auto start, fields.integer("start_time", 0, std::numeric_limits<int64_t>::max()));
  TRY_ASSIGN(saved.slot, fields.integer("slot", 0, std::numeric_limits<int32_t>::max()));
  saved.pid = static_cast<pid_t>(pid);
  saved.start_time = static_cast<uint64_t>(start);
  return saved;
}

Result<> remove_file(int directory, const std::string& name) {
  if (unlinkat(directory, name.c_str(), 0) != 0 && errno != ENOENT) return fail_errno("unlink " + name);
  return {};
}

}  // namespace

Result<StateFiles> StateFiles::open(const std::string& directory) {
  if (mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST) return fail_errno("mkdir " + directory);
  Fd fd(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd.valid()) return fail_errno("open " + directory);
  return StateFiles(std::move(fd));
}

Result<> StateFiles::save_warm(const SavedContainer& container) const {
  json::object object;
  object["runtime"] = container.runtime;
  object["pid"] = container.pid;
  object["start_time"] = container.start_time;
  object["slot"] = container.slot;
  std::string text = json::serialize(object);
  std::string name = warm_name(container.container);
  Fd file(openat(directory_.get(), name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!file.valid()) return fail_errno("create " + name);
  if (write(file.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()))
    return fail_errno("write " + name);
  return {};
}

Result<> StateFiles::mark_bound(const ContainerId& container) const {
  std::string from = warm_name(container);
  std::string to = bound_name(container);
  if (renameat(directory_.get(), from.c_str(), directory_.get(), to.c_str()) != 0) return fail_errno("rename " + from);
  return {};
}

Result<> StateFiles::forget(const ContainerId& container) const {
  TRY(remove_file(directory_.get(), warm_name(container)));
  return remove_file(directory_.get(), bound_name(container));
}

Result<std::vector<SavedContainer>> StateFiles::load() const {
  Fd again(openat(directory_.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  DIR* listing = again.valid() ? fdopendir(again.get()) : nullptr;
  if (listing == nullptr) return fail_errno("open state files");
  again.release();
  std::vector<std::string> names;
  while (dirent* entry = readdir(listing)) {
    if (entry->d_name[0] != '.') names.emplace_back(entry->d_name);
  }
  closedir(listing);
  std::vector<SavedContainer> containers;
  for (const auto& name : names) {
    TRY_ASSIGN(auto text, kernel::read_file(directory_.get(), name, kMaxFile));
    auto saved = parse(name, text);
    if (saved) {
      containers.push_back(*std::move(saved));
    } else {
      TRY(remove_file(directory_.get(), name));
    }
  }
  return containers;
}

}  // namespace hearth::warden
