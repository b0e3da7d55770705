// A container from its making to its end.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <filesystem>

#include "warden/root_test/fixture.h"

namespace hearth::warden {
namespace {

namespace fs = std::filesystem;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

TEST_F(WardenRoot, HelloNamesRuntimesAndCgroupVersion) {
  EXPECT_THAT(hello_.runtimes, Contains("python3.11"));
  EXPECT_THAT(hello_.runtimes, Contains("provided.al2023"));
  EXPECT_TRUE(hello_.cgroup == "v1" || hello_.cgroup == "v2");
}

TEST_F(WardenRoot, ServesInvocationsOfABoundFunction) {
  Made made = run_python(
      "import os, sys\n"
      "def handler(event, context):\n"
      "    print('hello from', context.function_name)\n"
      "    return {'got': event, 'id': context.aws_request_id, 'cwd': os.getcwd(), 'uid': os.getuid(),\n"
      "            'trace': os.environ['_X_AMZN_TRACE_ID'], 'path0': sys.path[0], 'resolv': "
      "open('/etc/resolv.conf').read()}\n");
  RuntimeApi api(made.runtime_api.get());
  auto first = json::parse(api.call(R"({"n": 1})")).as_object();
  EXPECT_EQ(first["got"], json::parse(R"({"n": 1})"));
  EXPECT_EQ(first["id"], "request-1");
  EXPECT_EQ(first["cwd"], "/var/task");
  EXPECT_EQ(first["uid"], 993);
  EXPECT_EQ(first["trace"], "Root=1");
  EXPECT_EQ(first["path0"], "/var/task");
  EXPECT_THAT(std::string(first["resolv"].as_string().c_str()), HasSubstr("nameserver 10.0.0.2"));
  EXPECT_THAT(read_output(made.output.get(), "demo\n"), HasSubstr("hello from demo\n"));
  EXPECT_EQ(json::parse(api.call("[]", "request-2")).as_object()["id"], "request-2");
  char peak[32] = {};
  EXPECT_GT(pread(made.peak.get(), peak, sizeof(peak) - 1, 0), 0);
  EXPECT_GT(std::atoll(peak), 0);
}

TEST_F(WardenRoot, AWarmContainerHoldsNothingOfAnyFunction) {
  Made bound =
      run_python("SECRET = 'c0ffee-of-a-function'\ndef handler(e, c): return 1\n", {{"TOKEN", "s3cr3t-token"}});
  RuntimeApi(bound.runtime_api.get()).call("{}");
  Made warm = make();
  auto pids = members(warm.id);
  ASSERT_EQ(pids.size(), 2U);  // PID 1 and the shim
  for (int pid : pids) {
    std::string base = fmt::format("/proc/{}/", pid);
    std::string mounts = file_text(base + "mountinfo");
    EXPECT_THAT(mounts, HasSubstr(" /usr "));
    EXPECT_THAT(mounts, Not(HasSubstr(packages_.string())));
    EXPECT_THAT(mounts, Not(HasSubstr(" /var/task ")));
    std::string environment = file_text(base + "environ");
    EXPECT_THAT(environment, Not(HasSubstr("TOKEN")));
    EXPECT_THAT(environment, Not(HasSubstr("_HANDLER")));
    EXPECT_THAT(file_text(base + "maps"), Not(HasSubstr("/var/task")));
  }
}

TEST_F(WardenRoot, BindsOnlyWarmContainersAndOnlyPackagesThatExist) {
  Made made = make();
  PackageDigest digest = package({{"app.py", "def handler(e, c): return 1\n"}});
  Bind missing = bind_request(made, PackageDigest(std::string(64, '0')));
  EXPECT_EQ(client_->call_error(missing).kind, Kind::not_found);
  EXPECT_EQ(client_->wait_gone(made.id).cause, "killed");
  EXPECT_EQ(client_->call_error(bind_request(made, digest)).kind, Kind::not_found);
  Made other = make();
  client_->call_for<BindReply>(bind_request(other, digest));
  EXPECT_EQ(client_->call_error(bind_request(other, digest)).kind, Kind::conflict);
  fs::create_directory_symlink("/etc", packages_ / std::string(64, '1'));
  Made third = make();
  EXPECT_FALSE(client_->call(bind_request(third, PackageDigest(std::string(64, '1')))).frame.reply.has_value());
}

TEST_F(WardenRoot, LayersAreMergedInOrder) {
  Made made = make();
  Bind bind = bind_request(made, package({{"app.py",
                                           "import lib\n"
                                           "def handler(e, c): return [lib.NAME, open('/opt/only-first').read()]\n"}}));
  bind.layers = {package({{"python/lib.py", "NAME = 'first'\n"}, {"only-first", "1"}}),
                 package({{"python/lib.py", "NAME = 'second'\n"}})};
  client_->call_for<BindReply>(bind);
  EXPECT_EQ(RuntimeApi(made.runtime_api.get()).call("{}"), R"(["second", "1"])");
}

TEST_F(WardenRoot, TmpHasTheSizeThatWasAsked) {
  Made made = make();
  Bind bind = bind_request(made, package({{"app.py",
                                           "import os\n"
                                           "def handler(e, c):\n"
                                           "    s = os.statvfs('/tmp')\n"
                                           "    open('/tmp/x', 'w').write('y')\n"
                                           "    return s.f_frsize * s.f_blocks // 2**20\n"}}));
  bind.tmp_mib = 2048;
  client_->call_for<BindReply>(bind);
  EXPECT_EQ(RuntimeApi(made.runtime_api.get()).call("{}"), "2048");
}

// ---- how it ends

TEST_F(WardenRoot, TellsExitStatus) {
  Made made = run_python("import sys\ndef handler(e, c): sys.exit(3)\n");
  RuntimeApi(made.runtime_api.get()).invoke("{}");
  ContainerGone gone = client_->wait_gone(made.id);
  EXPECT_EQ(gone.cause, "exited");
  EXPECT_EQ(gone.code, 3);
  EXPECT_FALSE(gone.out_of_memory);
}

TEST_F(WardenRoot, TellsSignal) {
  Made made = run_python("import os\ndef handler(e, c): os.kill(os.getpid(), 9)\n");
  RuntimeApi(made.runtime_api.get()).invoke("{}");
  ContainerGone gone = client_->wait_gone(made.id);
  EXPECT_EQ(gone.cause, "signaled");
  EXPECT_EQ(gone.code, 9);
}

TEST_F(WardenRoot, TellsOutOfMemory) {
  Made made = run_python("def handler(e, c):\n    return len(bytearray(400 * 2**20))\n");
  RuntimeApi(made.runtime_api.get()).invoke("{}");
  ContainerGone gone = client_->wait_gone(made.id);
  EXPECT_EQ(gone.cause, "signaled");
  EXPECT_TRUE(gone.out_of_memory);
}

// The child is ended by the kernel, at the hard limit: what is in a memfd fills that and counts as nobody's own.
TEST_F(WardenRoot, AnOutOfMemoryKillThatTheFunctionSurvivedIsNotItsEnd) {
  Made made = run_python(
      "import os, subprocess, sys\n"
      "def handler(event, context):\n"
      "    file = os.memfd_create('fill')\n"
      "    for _ in range(540): os.write(file, bytes(2**20))\n"
      "    grow = 'held = []\\nwhile True: held.append(bytearray(b\"x\") * 2**20)'\n"
      "    print('child', subprocess.run([sys.executable, '-c', grow]).returncode)\n"
      "    sys.exit(3)\n");
  RuntimeApi(made.runtime_api.get()).invoke("{}");
  EXPECT_THAT(read_output(made.output.get(), "\n"), HasSubstr("child -9"));
  ContainerGone gone = client_->wait_gone(made.id);
  EXPECT_EQ(gone.cause, "exited");
  EXPECT_EQ(gone.code, 3);
  EXPECT_FALSE(gone.out_of_memory);
}

TEST_F(WardenRoot, KillLeavesNothing) {
  Made made =
      run_python("import subprocess\ndef handler(e, c):\n    subprocess.Popen(['sleep', '1000'])\n    return 1\n");
  RuntimeApi(made.runtime_api.get()).call("{}");
  EXPECT_EQ(members(made.id).size(), 3U);
  client_->call_for<Done>(Kill{made.id});
  ContainerGone gone = client_->wait_gone(made.id);
  EXPECT_EQ(gone.cause, "killed");
  EXPECT_THAT(members(made.id), IsEmpty());
  EXPECT_FALSE(fs::exists(fmt::format("{}/memory/{}/{}", kCgroupRoot, instance_, made.id.str())));
  EXPECT_TRUE(fs::is_empty(run_dir_ + "/containers"));
  EXPECT_EQ(client_->call_error(Kill{made.id}).kind, Kind::not_found);
}

TEST_F(WardenRoot, AForkBombHitsItsLimitAndDiesWithItsContainer) {
  Made made = make();
  PackageDigest digest = package({{"app.py",
                                   "import os, time\n"
                                   "def handler(e, c):\n"
                                   "    made = 0\n"
                                   "    try:\n"
                                   "        while True:\n"
                                   "            if os.fork() == 0:\n"
                                   "                time.sleep(1000)\n"
                                   "            made += 1\n"
                                   "    except OSError as error:\n"
                                   "        return [made, error.errno]\n"}});
  Bind bind = bind_request(made, digest);
  bind.memory_mib = 4096;  // the limit to be hit is that of processes
  client_->call_for<BindReply>(bind);
  auto result = json::parse(RuntimeApi(made.runtime_api.get()).call("{}")).as_array();
  EXPECT_LE(result[0].as_int64(), 1024);
  EXPECT_EQ(result[1], EAGAIN);
  client_->call_for<Done>(Kill{made.id});
  client_->wait_gone(made.id);
}

TEST_F(WardenRoot, FrozenContainersStandStillAndCanBeKilled) {
  Made made = run_python("def handler(e, c): return 1\n");
  RuntimeApi api(made.runtime_api.get());
  api.call("{}");
  client_->call_for<Done>(Freeze{made.id, true});
  api.invoke("{}");  // the GET was sent before
  client_->call_for<Done>(Freeze{made.id, false});
  EXPECT_EQ(api.read().body, "1");
  client_->call_for<Done>(Freeze{made.id, true});
  client_->call_for<Done>(Kill{made.id});
  EXPECT_EQ(client_->wait_gone(made.id).cause, "killed");
}

TEST_F(WardenRoot, ManyContainersLeaveNoDescriptor) {
  auto descriptors = [&] {
    auto folder = fs::directory_iterator(fmt::format("/proc/{}/fd", warden_));
    return std::distance(fs::begin(folder), fs::end(folder));
  };
  PackageDigest digest = package({{"app.py", "def handler(e, c): return 1\n"}});
  auto one = [&] {
    Made made = make();
    client_->call_for<BindReply>(bind_request(made, digest));
    client_->call_for<Done>(Kill{made.id});
    client_->wait_gone(made.id);
  };
  auto settled = [&] {  // places are made ahead when nothing else is to do
    auto count = descriptors();
    for (int i = 0; i < 20 && client_->is_silent_for(200); ++i) {
      if (descriptors() == count) return count;
      count = descriptors();
    }
    return count;
  };
  one();
  auto before = settled();
  for (int i = 0; i < 40; ++i) one();
  EXPECT_EQ(settled(), before);
}

}  // namespace
}  // namespace hearth::warden
