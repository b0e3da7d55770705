#include "warden/root_test/fixture.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <poll.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <stdexcept>

#include "base/log.h"
#include "kernel/cgroup.h"
#include "kernel/process.h"
#include "warden/root_test/loopback_network.h"
#include "warden/warden.h"

namespace hearth::warden {
namespace {

namespace fs = std::filesystem;
using ::testing::IsEmpty;

constexpr const char* kRcuFolder = "/run/hearth-rcu";

std::string build_home() { return fs::read_symlink("/proc/self/exe").parent_path().parent_path().string(); }

}  // namespace

void WardenRoot::SetUp() {
  if (geteuid() != 0) GTEST_SKIP() << "needs root";
  instance_ = fmt::format("ct{}", getpid() % 100000);
  run_dir_ = "/run/" + instance_;
  packages_ = fs::temp_directory_path() / (instance_ + "-packages");
  fs::create_directories(run_dir_);
  fs::create_directories(packages_);
  ASSERT_TRUE(kernel::expedite_rcu(kRcuFolder, instance_).has_value());
  start_warden();
  connect();
}

void WardenRoot::TearDown() {
  if (geteuid() != 0) return;
  client_.reset();
  if (warden_ > 0) {
    kill(warden_, SIGTERM);
    int status = 0;
    waitpid(warden_, &status, 0);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << "the warden ended with " << status;
  }
  auto cgroups = kernel::CgroupHost::open(kCgroupRoot, instance_);
  ASSERT_TRUE(cgroups.has_value());
  EXPECT_THAT(cgroups->list().value(), IsEmpty()) << "cgroups are left";
  EXPECT_TRUE(cgroups->remove_parents().has_value());
  EXPECT_THAT(processes(), IsEmpty()) << "processes are left";
  EXPECT_TRUE(kernel::relax_rcu(kRcuFolder, instance_).has_value());
  fs::remove_all(run_dir_);
  fs::remove_all(packages_);
}

void WardenRoot::start_warden(uid_t client) {
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
  const Fd listens(ends[0]);
  Fd says(ends[1]);
  warden_ = fork();
  ASSERT_GE(warden_, 0);
  if (warden_ == 0) _exit(run_warden(client, says));
  says.reset();
  // Its word that it listens, or its end.
  pollfd word{listens.get(), POLLIN, 0};
  ASSERT_EQ(poll(&word, 1, kPatienceMs), 1);
}

int WardenRoot::run_warden(uid_t client, const Fd& listens) {
  log::start("warden", "warning");
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigprocmask(SIG_BLOCK, &signals, nullptr);
  Fd stop(signalfd(-1, &signals, SFD_CLOEXEC));
  LoopbackNetwork network;
  Warden::Options options{.instance = instance_,
                          .run_dir = run_dir_,
                          .packages_dir = packages_,
                          .cgroup_root = kCgroupRoot,
                          .client_uid = client,
                          .max_containers = kMaxTestContainers,
                          .spawns_of_a_zygote = spawns_of_a_zygote_,
                          .runtimes = container::find_runtimes(build_home())};
  options.runtimes.insert(options.runtimes.end(), more_runtimes_.begin(), more_runtimes_.end());
  auto warden = Warden::open(std::move(options), network);
  if (!warden) {
    log::error("{}", warden.error().describe());
    return 1;
  }
  if (write(listens.get(), "!", 1) != 1) return 1;
  auto served = (*warden)->run(stop.get());
  if (!served) log::error("{}", served.error().describe());
  return served ? 0 : 1;
}

void WardenRoot::connect() {
  client_ = std::make_unique<Client>(run_dir_ + "/warden.sock");
  hello_ = client_->call_for<HelloReply>(Hello{});
}

bool WardenRoot::after_some_turns(const std::function<bool()>& condition) {
  const auto start = SteadyClock::now();
  while (!condition() && ms_since(start) < kPatienceMs) client_->call_for<ListContainersReply>(ListContainers{});
  return condition();
}

std::vector<std::string> WardenRoot::processes() {
  std::vector<std::string> found;
  for (const auto& entry : fs::directory_iterator("/proc")) {
    std::string cgroups = file_text(entry.path() / "cgroup");
    if (cgroups.find("/" + instance_ + "/") != std::string::npos) found.push_back(entry.path());
  }
  return found;
}

Made WardenRoot::make(const std::string& runtime) {
  Answer answer = client_->call(MakeContainer{runtime});
  if (!answer.frame.reply) throw std::runtime_error(answer.frame.reply.error().message);
  EXPECT_EQ(answer.fds.size(), 4U);
  auto& fds = answer.fds;
  return {std::get<ContainerReply>(*answer.frame.reply).container, std::move(fds[0]), std::move(fds[1]),
          std::move(fds[2]), std::move(fds[3])};
}

PackageDigest WardenRoot::package(const std::map<std::string, std::string>& files) {
  PackageDigest digest(random_hex(64));
  fs::path folder = packages_ / digest.str();
  fs::create_directories(folder);
  for (const auto& [name, text] : files) {
    fs::create_directories((folder / name).parent_path());
    std::ofstream(folder / name) << text;
    fs::permissions(folder / name, fs::perms::owner_all | fs::perms::group_read | fs::perms::others_read |
                                       fs::perms::group_exec | fs::perms::others_exec);
  }
  return digest;
}

Bind WardenRoot::bind_request(const Made& made, const PackageDigest& digest, const std::string& handler,
                              const json::object& more) {
  json::object environment{{"AWS_LAMBDA_RUNTIME_API", "127.0.0.1:9001"},
                           {"AWS_LAMBDA_FUNCTION_NAME", "demo"},
                           {"AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128"},
                           {"PATH", "/usr/local/bin:/usr/bin:/bin"},
                           {"TZ", ":UTC"},
                           {"PYTHONPATH", "/var/runtime"}};
  for (const auto& item : more) environment[item.key()] = item.value();
  json::object start{{"version", 1}, {"handler", handler}, {"environment", environment}};
  Bind bind;
  bind.container = made.id;
  bind.package = digest;
  bind.attachment = "subnet-1";
  bind.nameservers = {"10.0.0.2"};
  bind.start = json::serialize(start);
  return bind;
}

Made WardenRoot::run_python(const std::string& source, const json::object& environment) {
  Made made = make();
  client_->call_for<BindReply>(bind_request(made, package({{"app.py", source}}), "app.handler", environment));
  return made;
}

std::vector<int> WardenRoot::members(const ContainerId& id) {
  std::string v1 = fmt::format("{}/memory/{}/{}/cgroup.procs", kCgroupRoot, instance_, id.str());
  std::string v2 = fmt::format("{}/{}/{}/cgroup.procs", kCgroupRoot, instance_, id.str());
  std::ifstream file(fs::exists(v1) ? v1 : v2);
  std::vector<int> pids;
  for (int pid = 0; file >> pid;) pids.push_back(pid);
  return pids;
}

}  // namespace hearth::warden
