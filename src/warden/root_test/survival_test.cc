// Processes that die: wardens, hearthd, zygotes.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <functional>
#include <utility>

#include "kernel/cgroup.h"
#include "warden/root_test/fixture.h"

namespace hearth::warden {
namespace {

namespace fs = std::filesystem;

TEST_F(WardenRoot, BoundContainersOutliveAKilledWarden) {
  Made bound = run_python("def handler(event, context): return event\n");
  Made warm = make();
  RuntimeApi api(bound.runtime_api.get());
  EXPECT_EQ(api.call("1"), "1");
  kill(warden_, SIGKILL);
  waitpid(warden_, nullptr, 0);
  EXPECT_EQ(api.call("2", "request-2"), "2");
  start_warden();
  connect();
  auto list = client_->call_for<ListContainersReply>(ListContainers{});
  ASSERT_EQ(list.containers.size(), 1U);
  EXPECT_EQ(list.containers[0].container, bound.id);
  EXPECT_EQ(list.containers[0].state, ContainerState::bound);
  EXPECT_EQ(client_->call_error(AdoptContainer{bound.id}).kind, Kind::unavailable);
  EXPECT_EQ(api.call("3", "request-3"), "3");
  client_->call_for<Done>(Kill{bound.id});
  EXPECT_EQ(client_->wait_gone(bound.id).cause, "killed");
}

TEST_F(WardenRoot, TheEndOfATakenOverContainerIsLost) {
  Made bound = run_python("import sys\ndef handler(event, context): sys.exit(4)\n");
  kill(warden_, SIGKILL);
  waitpid(warden_, nullptr, 0);
  start_warden();
  connect();
  RuntimeApi(bound.runtime_api.get()).invoke("{}");
  EXPECT_EQ(client_->wait_gone(bound.id).cause, "lost");
}

TEST_F(WardenRoot, ARestartedHearthdFindsAndAdoptsContainers) {
  ContainerId warm;
  {
    Made made = make();
    warm = made.id;
  }
  connect();
  auto list = client_->call_for<ListContainersReply>(ListContainers{});
  ASSERT_EQ(list.containers.size(), 1U);
  EXPECT_EQ(list.containers[0].state, ContainerState::warm);
  Answer answer = client_->call(AdoptContainer{warm});
  ASSERT_TRUE(answer.frame.reply.has_value());
  ASSERT_EQ(answer.fds.size(), 4U);
  Made adopted{warm, std::move(answer.fds[0]), {}, {}, {}};
  client_->call_for<BindReply>(bind_request(adopted, package({{"app.py", "def handler(e, c): return 'ok'\n"}})));
  EXPECT_EQ(RuntimeApi(adopted.runtime_api.get()).call("{}"), "\"ok\"");
}

TEST_F(WardenRoot, ContainersEndWithTheirWardenAlsoWhenItsSocketsFileIsGone) {
  Made bound = run_python("def handler(event, context): return event\n");
  fs::remove(run_dir_ + "/warden.sock");
  kill(warden_, SIGTERM);
  int status = 0;
  waitpid(std::exchange(warden_, -1), &status, 0);
  EXPECT_EQ(status, 0);
  EXPECT_THAT(processes(), ::testing::IsEmpty());
}

// A process that can be killed and does not end before thaw(), like one in state D: on cgroup v1 it is frozen elsewhere
// than where it is looked for.
class StuckProcess {
 public:
  StuckProcess(const kernel::Cgroup& cgroup, std::string elsewhere) : elsewhere_(std::move(elsewhere)), pid_(fork()) {
    if (pid_ == 0) {
      pause();
      _exit(0);
    }
    EXPECT_TRUE(cgroup.add(pid_).has_value());
    fs::create_directory(elsewhere_);
    std::ofstream(elsewhere_ + "/cgroup.procs") << pid_;
    std::ofstream(elsewhere_ + "/freezer.state") << "FROZEN";
  }
  ~StuckProcess() {
    kill(pid_, SIGKILL);
    thaw();
    waitpid(pid_, nullptr, 0);
    fs::remove(elsewhere_);
  }
  StuckProcess(const StuckProcess&) = delete;
  StuckProcess& operator=(const StuckProcess&) = delete;
  void thaw() { std::ofstream(elsewhere_ + "/freezer.state") << "THAWED"; }

 private:
  std::string elsewhere_;
  pid_t pid_;
};

TEST_F(WardenRoot, AWardenStartsAlthoughAProcessOfTheLastOneDoesNotEnd) {
  if (hello_.cgroup != "v1") GTEST_SKIP() << "needs cgroup v1";
  kill(warden_, SIGKILL);
  waitpid(warden_, nullptr, 0);
  auto cgroups = kernel::CgroupHost::open(kCgroupRoot, instance_).value();
  StuckProcess stuck(cgroups.make("cleft").value(), fmt::format("{}/freezer/{}-ice", kCgroupRoot, instance_));
  start_warden();
  connect();
  Made made = run_python("def handler(event, context): return event\n");
  EXPECT_EQ(RuntimeApi(made.runtime_api.get()).call("1"), "1");
  const std::string left = fmt::format("{}/memory/{}/cleft", kCgroupRoot, instance_);
  EXPECT_TRUE(fs::exists(left));
  stuck.thaw();
  EXPECT_TRUE(after_some_turns([&] { return !fs::exists(left); }));
}

TEST_F(WardenRoot, AKilledZygoteIsStartedAgain) {
  make();
  pid_t zygote = 0;
  for (const auto& entry : fs::directory_iterator("/proc")) {
    std::string command = file_text(entry.path() / "cmdline");
    if (command.find("/var/hearth/zygote.py") == std::string::npos) continue;
    std::string status = file_text(entry.path() / "status");
    if (status.find(fmt::format("PPid:\t{}\n", warden_)) == std::string::npos) continue;
    struct stat owner{};
    if (stat(entry.path().c_str(), &owner) == 0 && owner.st_uid == 0) zygote = std::stoi(entry.path().filename());
  }
  ASSERT_GT(zygote, 0);
  kill(zygote, SIGKILL);
  Made made;
  for (int attempt = 0; attempt < 100 && made.id.empty(); ++attempt) {
    Answer answer = client_->call(MakeContainer{"python3.11"});
    if (!answer.frame.reply) continue;  // asked of the dying one
    made.id = std::get<ContainerReply>(*answer.frame.reply).container;
  }
  EXPECT_FALSE(made.id.empty());
}

TEST_F(WardenRoot, AZygoteIsReplacedWhenItHasMadeEnough) {
  kill(warden_, SIGKILL);
  waitpid(warden_, nullptr, 0);
  spawns_of_a_zygote_ = 3;
  start_warden();
  connect();
  const std::string source = "def handler(event, context): return [hash('text'), id(None)]\n";
  std::vector<Made> made;
  std::vector<std::string> secrets;
  for (int i = 0; i < 4; ++i) {
    made.push_back(run_python(source));
    secrets.push_back(RuntimeApi(made.back().runtime_api.get()).call("1"));
  }
  EXPECT_EQ(secrets[0], secrets[2]);
  EXPECT_NE(secrets[0], secrets[3]);
  EXPECT_EQ(members(made[0].id).size(), 2U);
}

// A zygote that clones what it was asked for and dies before it tells of it.
constexpr const char* kDyingZygote =
    "import ctypes, os, socket\n"
    "requests = socket.socket(fileno=3)\n"
    "requests.send(b'zygote')\n"
    "fds = socket.recv_fds(requests, 64, 4)[1]\n"
    "CLONE, CLONE_PARENT, SIGCHLD = 56, 0x8000, 17\n"
    "if ctypes.CDLL(None).syscall(CLONE, CLONE_PARENT | SIGCHLD, 0, 0, 0, 0) == 0:\n"
    "    requests.close()\n"
    "    socket.socket(fileno=fds[1]).recv(8)\n"
    "os._exit(0)\n";

TEST_F(WardenRoot, AContainerOfWhichItsZygoteNeverToldIsReaped) {
  kill(warden_, SIGKILL);
  waitpid(warden_, nullptr, 0);
  more_runtimes_.push_back({"dying", {"/usr/bin/python3.11", "-I", "-S", "-c", kDyingZygote}, "/usr/share", ""});
  start_warden();
  connect();
  EXPECT_THAT(client_->call_error(MakeContainer{"dying"}).message, ::testing::HasSubstr("zygote"));
  const auto children = fmt::format("/proc/{0}/task/{0}/children", warden_);
  ASSERT_EQ(access(children.c_str(), R_OK), 0);
  EXPECT_TRUE(after_some_turns([&] { return file_text(children).empty(); }));
}

}  // namespace
}  // namespace hearth::warden
