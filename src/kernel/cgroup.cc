#include "kernel/cgroup.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <sstream>

#include "kernel/process.h"

namespace hearth::kernel {
namespace {

constexpr std::array<const char*, 4> kControllers = {"memory", "pids", "cpu", "freezer"};
constexpr const char* kRcuExpedited = "/sys/kernel/rcu_expedited";
constexpr const char* kBefore = "/value_before";
constexpr int kKillRounds = 500;
constexpr useconds_t kKillPause = 10'000;

bool exists(const std::string& path) { return access(path.c_str(), F_OK) == 0; }

Result<> make_directory(const std::string& path) {
  if (mkdir(path.c_str(), 0755) != 0 && errno != EEXIST) return fail_errno("mkdir " + path);
  return {};
}

Result<> remove_directory(const std::string& path) {
  if (rmdir(path.c_str()) != 0 && errno != ENOENT) return fail_errno("rmdir " + path);
  return {};
}

bool is_directory(const std::string& path) {
  struct stat status{};
  return stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode);
}

// Names in the directory, without the hidden ones.
Result<std::vector<std::string>> entries(const std::string& path) {
  DIR* directory = opendir(path.c_str());
  if (directory == nullptr) return fail_errno("opendir " + path);
  std::vector<std::string> names;
  while (dirent* entry = readdir(directory)) {
    if (entry->d_name[0] != '.') names.emplace_back(entry->d_name);
  }
  closedir(directory);
  return names;
}

Result<> create_file(const std::string& path, const std::string& text) {
  Fd file(open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
  if (!file.valid()) return fail_errno("create " + path);
  if (write(file.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
    return fail_errno("write " + path);
  }
  return {};
}

Result<Fd> open_directory(const std::string& path) {
  Fd fd(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd.valid()) return fail_errno("open " + path);
  return fd;
}

Result<Fd> lock_directory(const std::string& path) {
  TRY_ASSIGN(Fd directory, open_directory(path));
  if (flock(directory.get(), LOCK_EX) != 0) return fail_errno("flock " + path);
  return directory;
}

// The members of the cgroup at `path`; none when it does not exist.
Result<std::vector<pid_t>> members(const std::string& path) {
  auto text = read_file(AT_FDCWD, path + "/cgroup.procs", 1024 * 1024);
  if (!text && text.error().errno_value == ENOENT) return std::vector<pid_t>();
  if (!text) return std::unexpected(std::move(text).error());
  std::vector<pid_t> pids;
  std::istringstream lines(*text);
  for (pid_t pid = 0; lines >> pid;) pids.push_back(pid);
  return pids;
}

Result<> thaw(const std::string& path) {
  for (const auto& [file, value] : {std::pair("/freezer.state", "THAWED"), std::pair("/cgroup.freeze", "0")}) {
    if (exists(path + file)) TRY(write_file(AT_FDCWD, path + file, value));
  }
  return {};
}

Result<> kill_members(const std::string& path) {
  TRY(thaw(path));
  TRY_ASSIGN(auto pids, members(path));
  for (pid_t pid : pids) {
    if (kill(pid, SIGKILL) != 0 && errno != ESRCH) return fail_errno(fmt::format("kill {}", pid));
  }
  if (pids.empty()) return {};
  return fail(Kind::conflict, fmt::format("{} processes in {} do not end", pids.size(), path));
}

Result<> enable_controllers(const std::string& directory) {
  for (const char* controller : {"+memory", "+pids", "+cpu"}) {
    TRY(write_file(AT_FDCWD, directory + "/cgroup.subtree_control", controller));
  }
  return {};
}

// The value of `key` in a file of "key value" lines; 0 when it is missing.
int64_t value_of(const std::string& text, const std::string& key) {
  std::istringstream lines(text);
  std::string name;
  for (int64_t value = 0; lines >> name >> value;) {
    if (name == key) return value;
  }
  return 0;
}

}  // namespace

Result<CgroupHost> CgroupHost::open(const std::string& root, const std::string& instance) {
  auto hierarchies = std::make_shared<std::vector<CgroupHierarchy>>();
  auto add = [&](const std::string& controller, const std::string& path) -> Result<> {
    TRY(make_directory(path));
    TRY_ASSIGN(Fd directory, open_directory(path));
    hierarchies->push_back({controller, path, std::move(directory)});
    return {};
  };
  if (exists(root + "/memory/memory.limit_in_bytes")) {
    for (const char* controller : kControllers) {
      std::string base = fmt::format("{}/{}", root, controller);
      if (!exists(base)) return fail(Kind::internal, "no cgroup controller at " + base);
      TRY(add(controller, base + "/" + instance));
    }
    return CgroupHost(CgroupVersion::v1, std::move(hierarchies));
  }
  TRY_ASSIGN(auto available, read_file(AT_FDCWD, root + "/cgroup.controllers"));
  if (available.find("memory") == std::string::npos) {
    return fail(Kind::internal, "no memory controller in " + root + "/cgroup.controllers");
  }
  TRY(enable_controllers(root));
  TRY(add("", root + "/" + instance));
  TRY(enable_controllers(hierarchies->front().path));
  return CgroupHost(CgroupVersion::v2, std::move(hierarchies));
}

Result<Cgroup> CgroupHost::make(const std::string& name) const {
  for (const auto& hierarchy : *hierarchies_) {
    if (mkdirat(hierarchy.directory.get(), name.c_str(), 0755) != 0 && errno != EEXIST) {
      return fail_errno("mkdir " + hierarchy.path + "/" + name);
    }
  }
  return Cgroup(version_, hierarchies_, name);
}

Result<std::vector<std::string>> CgroupHost::list() const {
  std::vector<std::string> names;
  for (const auto& hierarchy : *hierarchies_) {
    TRY_ASSIGN(auto found, entries(hierarchy.path));
    for (auto& name : found) {
      if (is_directory(hierarchy.path + "/" + name)) names.push_back(std::move(name));
    }
  }
  std::ranges::sort(names);
  names.erase(std::ranges::unique(names).begin(), names.end());
  return names;
}

// Again and again, also because a process may fork while the list is read.
Result<> CgroupHost::purge(const std::string& name) const {
  for (int round = 1;; ++round) {
    auto purged = try_purge(name);
    if (purged || purged.error().kind != Kind::conflict || round == kKillRounds) return purged;
    usleep(kKillPause);
  }
}

Result<> CgroupHost::try_purge(const std::string& name) const {
  for (const auto& hierarchy : *hierarchies_) TRY(kill_members(hierarchy.path + "/" + name));
  for (const auto& hierarchy : *hierarchies_) TRY(remove_directory(hierarchy.path + "/" + name));
  return {};
}

Result<> CgroupHost::remove_parents() const {
  for (const auto& hierarchy : *hierarchies_) TRY(remove_directory(hierarchy.path));
  return {};
}

Result<> expedite_rcu(const std::string& folder, const std::string& instance) {
  TRY(make_directory(folder));
  TRY_ASSIGN(Fd lock, lock_directory(folder));
  if (access((folder + kBefore).c_str(), F_OK) != 0) {
    TRY_ASSIGN(std::string before, read_file(AT_FDCWD, kRcuExpedited));
    TRY(create_file(folder + kBefore, before));
  }
  if (!exists(folder + "/" + instance)) TRY(create_file(folder + "/" + instance, ""));
  return write_file(AT_FDCWD, kRcuExpedited, "1");
}

Result<> relax_rcu(const std::string& folder, const std::string& instance) {
  if (!exists(folder)) return {};
  TRY_ASSIGN(Fd lock, lock_directory(folder));
  if (unlink((folder + "/" + instance).c_str()) != 0 && errno != ENOENT) return fail_errno("unlink " + instance);
  TRY_ASSIGN(auto users, entries(folder));
  if (users.size() != 1 || !exists(folder + kBefore)) return {};  // only the value itself is left when we are the last
  TRY_ASSIGN(std::string before, read_file(AT_FDCWD, folder + kBefore));
  TRY(write_file(AT_FDCWD, kRcuExpedited, before));
  if (unlink((folder + kBefore).c_str()) != 0) return fail_errno("unlink " + folder + kBefore);
  return remove_directory(folder);
}

const CgroupHierarchy& Cgroup::of(const char* controller) const {
  if (version_ == CgroupVersion::v2) return hierarchies_->front();
  return *std::ranges::find(*hierarchies_, controller, &CgroupHierarchy::controller);
}

Result<> Cgroup::write(const char* controller, const char* file, const std::string& text) const {
  return write_file(of(controller).directory.get(), name_ + "/" + file, text);
}

Result<std::string> Cgroup::read(const char* controller, const char* file) const {
  return read_file(of(controller).directory.get(), name_ + "/" + file);
}

Result<> Cgroup::add(pid_t pid) const {
  std::string text = std::to_string(pid);
  for (const auto& hierarchy : *hierarchies_) {
    TRY(write_file(hierarchy.directory.get(), name_ + "/cgroup.procs", text));
  }
  return {};
}

Result<> Cgroup::limit_pids(int64_t count) const { return write("pids", "pids.max", std::to_string(count)); }

Result<> Cgroup::limit_memory(int64_t mib) const {
  std::string bytes = std::to_string(mib * 1024 * 1024);
  if (version_ == CgroupVersion::v2) {
    TRY(write("memory", "memory.max", bytes));
    auto swap = write("memory", "memory.swap.max", "0");
    if (!swap && swap.error().errno_value != ENOENT) return swap;  // a kernel without swap has no such file
    return {};
  }
  // memory.memsw may not be below memory.limit, and the other way round: the side that grows goes first.
  auto first = write("memory", "memory.limit_in_bytes", bytes);
  auto both = write("memory", "memory.memsw.limit_in_bytes", bytes);
  if (!both && both.error().errno_value == ENOENT) return first;  // swap is not accounted here
  TRY(std::move(both));
  return first ? first : write("memory", "memory.limit_in_bytes", bytes);
}

Result<> Cgroup::weigh_cpu(int64_t weight) const {
  if (version_ == CgroupVersion::v1) {
    return write("cpu", "cpu.shares", std::to_string(std::clamp<int64_t>(weight, 2, 262'144)));
  }
  // The kernel's own mapping: shares 1024 are weight 100.
  return write("cpu", "cpu.weight", std::to_string(std::clamp<int64_t>(weight * 100 / 1024, 1, 10'000)));
}

Result<> Cgroup::freeze(bool frozen) const {
  if (version_ == CgroupVersion::v2) return write("freezer", "cgroup.freeze", frozen ? "1" : "0");
  return write("freezer", "freezer.state", frozen ? "FROZEN" : "THAWED");
}

Result<Fd> Cgroup::memory_alarm(int64_t bytes) const {
  int directory = of("memory").directory.get();
  if (version_ == CgroupVersion::v2) {
    std::string path = name_ + "/memory.events";
    Fd events(openat(directory, path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!events.valid()) return fail_errno("open " + path);
    TRY(write("memory", "memory.high", std::to_string(bytes)));
    return events;
  }
  std::string path = name_ + "/memory.usage_in_bytes";
  Fd usage(openat(directory, path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!usage.valid()) return fail_errno("open " + path);
  Fd alarm(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!alarm.valid()) return fail_errno("eventfd");
  TRY(write("memory", "cgroup.event_control", fmt::format("{} {} {}", alarm.get(), usage.get(), bytes)));
  return alarm;
}

Result<> Cgroup::silence_memory_alarm() const {
  return version_ == CgroupVersion::v2 ? write("memory", "memory.high", "max") : Result<>();
}

Result<int64_t> Cgroup::used_memory() const {
  TRY_ASSIGN(std::string used,
             read("memory", version_ == CgroupVersion::v2 ? "memory.current" : "memory.usage_in_bytes"));
  return std::atoll(used.c_str());
}

Result<int64_t> Cgroup::own_memory() const {
  TRY_ASSIGN(std::string stat, read("memory", "memory.stat"));
  if (version_ == CgroupVersion::v2) return value_of(stat, "anon") + value_of(stat, "kernel");
  TRY_ASSIGN(std::string kernel, read("memory", "memory.kmem.usage_in_bytes"));
  return value_of(stat, "rss") + std::atoll(kernel.c_str());
}

Result<bool> Cgroup::ran_out_of_memory() const {
  TRY_ASSIGN(std::string text, read("memory", version_ == CgroupVersion::v2 ? "memory.events" : "memory.oom_control"));
  return value_of(text, "oom_kill") > 0;
}

Result<Fd> Cgroup::peak_memory() const {
  std::string path = name_ + (version_ == CgroupVersion::v2 ? "/memory.peak" : "/memory.max_usage_in_bytes");
  int directory = of("memory").directory.get();
  Fd file(openat(directory, path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.valid() && errno == ENOENT) {  // before Linux 5.19: what is used now has to do
    file = Fd(openat(directory, (name_ + "/memory.current").c_str(), O_RDONLY | O_CLOEXEC));
  }
  if (!file.valid()) return fail_errno("open " + path);
  return file;
}

Result<Fd> Cgroup::directory() const { return open_directory(hierarchies_->front().path + "/" + name_); }

Result<> Cgroup::remove() const {
  for (const auto& hierarchy : *hierarchies_) {
    if (unlinkat(hierarchy.directory.get(), name_.c_str(), AT_REMOVEDIR) != 0 && errno != ENOENT) {
      return fail_errno("rmdir " + hierarchy.path + "/" + name_);
    }
  }
  return {};
}

}  // namespace hearth::kernel
