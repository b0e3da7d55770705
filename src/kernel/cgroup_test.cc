// CgroupHost and Cgroup on folders that look like the kernel's: which files are written, with what. What the kernel
// does with them is in hearth_container_root_test.
#include "kernel/cgroup.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <sstream>

namespace hearth::kernel {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;

class FakeCgroups : public ::testing::Test {
 protected:
  FakeCgroups() {
    std::string folder = fs::temp_directory_path() / "hearth-cgroup-test-XXXXXX";
    root_ = mkdtemp(folder.data());
  }
  ~FakeCgroups() override { fs::remove_all(root_); }

  void file(const std::string& path, const std::string& text = "") {
    fs::create_directories((root_ / path).parent_path());
    std::ofstream(root_ / path) << text;
  }
  std::string text(const std::string& path) {
    std::ifstream in(root_ / path);
    std::stringstream out;
    out << in.rdbuf();
    return out.str();
  }
  void make_v1() {
    for (const char* controller : {"memory", "pids", "cpu", "freezer"}) file(std::string(controller) + "/cgroup.procs");
    file("memory/memory.limit_in_bytes");
    for (const char* name : {"memory/one/c1/memory.limit_in_bytes", "memory/one/c1/memory.memsw.limit_in_bytes",
                             "memory/one/c1/memory.max_usage_in_bytes", "memory/one/c1/cgroup.event_control",
                             "pids/one/c1/pids.max", "cpu/one/c1/cpu.shares", "freezer/one/c1/freezer.state"}) {
      file(name);
    }
    file("memory/one/c1/memory.usage_in_bytes", "12070\n");
    file("memory/one/c1/memory.stat", "cache 5000\nrss 3000\nshmem 4000\n");
    file("memory/one/c1/memory.kmem.usage_in_bytes", "70\n");
    file("memory/one/c1/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n");
    for (const char* controller : {"memory", "pids", "cpu", "freezer"}) {
      file(std::string(controller) + "/one/c1/cgroup.procs");
    }
  }
  void make_v2() {
    file("cgroup.controllers", "cpuset cpu io memory pids\n");
    file("cgroup.subtree_control");
    file("one/cgroup.subtree_control");
    for (const char* name :
         {"memory.max", "memory.high", "memory.peak", "pids.max", "cpu.weight", "cgroup.freeze", "cgroup.procs"}) {
      file(std::string("one/c1/") + name);
    }
    file("one/c1/memory.current", "12070\n");
    file("one/c1/memory.stat", "anon 3000\nfile 5000\nkernel 70\nshmem 4000\n");
    file("one/c1/memory.events", "low 0\noom 1\noom_kill 0\n");
  }

  fs::path root_;
};

TEST_F(FakeCgroups, V1WritesEachHierarchy) {
  make_v1();
  auto host = CgroupHost::open(root_, "one").value();
  EXPECT_EQ(host.version(), CgroupVersion::v1);
  auto cgroup = host.make("c1").value();
  ASSERT_TRUE(cgroup.add(4711).has_value());
  for (const char* controller : {"memory", "pids", "cpu", "freezer"}) {
    EXPECT_EQ(text(std::string(controller) + "/one/c1/cgroup.procs"), "4711");
  }
  ASSERT_TRUE(cgroup.limit_pids(1024).has_value());
  ASSERT_TRUE(cgroup.limit_memory(128).has_value());
  ASSERT_TRUE(cgroup.weigh_cpu(1).has_value());
  ASSERT_TRUE(cgroup.freeze(true).has_value());
  EXPECT_EQ(text("pids/one/c1/pids.max"), "1024");
  EXPECT_EQ(text("memory/one/c1/memory.limit_in_bytes"), "134217728");
  EXPECT_EQ(text("memory/one/c1/memory.memsw.limit_in_bytes"), "134217728");
  EXPECT_EQ(text("cpu/one/c1/cpu.shares"), "2");
  EXPECT_EQ(text("freezer/one/c1/freezer.state"), "FROZEN");
  EXPECT_TRUE(cgroup.ran_out_of_memory().value());
  EXPECT_TRUE(cgroup.peak_memory().has_value());
}

TEST_F(FakeCgroups, TmpfsIsNotTheProcessesOwnMemory) {
  make_v1();
  EXPECT_EQ(CgroupHost::open(root_, "one").value().make("c1").value().own_memory().value(), 3070);
  fs::remove_all(root_ / "memory");
  make_v2();
  EXPECT_EQ(CgroupHost::open(root_, "one").value().make("c1").value().own_memory().value(), 3070);
}

TEST_F(FakeCgroups, V1RegistersAMemoryAlarm) {
  make_v1();
  auto cgroup = CgroupHost::open(root_, "one").value().make("c1").value();
  auto alarm = cgroup.memory_alarm(4096).value();
  EXPECT_THAT(text("memory/one/c1/cgroup.event_control"),
              ::testing::MatchesRegex(std::to_string(alarm.get()) + " [0-9]+ 4096"));
  EXPECT_TRUE(cgroup.silence_memory_alarm().has_value());
  EXPECT_EQ(cgroup.used_memory().value(), 12070);
}

TEST_F(FakeCgroups, V2SlowsDownAtTheAlarmUntilItIsSilenced) {
  make_v2();
  auto cgroup = CgroupHost::open(root_, "one").value().make("c1").value();
  ASSERT_TRUE(cgroup.memory_alarm(4096).has_value());
  EXPECT_EQ(text("one/c1/memory.high"), "4096");
  ASSERT_TRUE(cgroup.silence_memory_alarm().has_value());
  EXPECT_THAT(text("one/c1/memory.high"), ::testing::StartsWith("max"));  // a file here, so not cut off
  EXPECT_EQ(cgroup.used_memory().value(), 12070);
}

TEST_F(FakeCgroups, V1WithoutSwapAccountingLimitsMemoryOnly) {
  make_v1();
  fs::remove(root_ / "memory/one/c1/memory.memsw.limit_in_bytes");
  auto cgroup = CgroupHost::open(root_, "one").value().make("c1").value();
  EXPECT_TRUE(cgroup.limit_memory(128).has_value());
  EXPECT_EQ(text("memory/one/c1/memory.limit_in_bytes"), "134217728");
}

TEST_F(FakeCgroups, V2WritesOneFolderAndMayLackSwap) {
  make_v2();
  auto host = CgroupHost::open(root_, "one").value();
  EXPECT_EQ(host.version(), CgroupVersion::v2);
  auto cgroup = host.make("c1").value();
  EXPECT_TRUE(cgroup.directory().has_value());
  ASSERT_TRUE(cgroup.limit_memory(256).has_value());
  ASSERT_TRUE(cgroup.limit_pids(10).has_value());
  ASSERT_TRUE(cgroup.weigh_cpu(2048).has_value());
  ASSERT_TRUE(cgroup.freeze(false).has_value());
  EXPECT_EQ(text("one/c1/memory.max"), "268435456");
  EXPECT_EQ(text("one/c1/pids.max"), "10");
  EXPECT_EQ(text("one/c1/cpu.weight"), "200");
  EXPECT_EQ(text("one/c1/cgroup.freeze"), "0");
  EXPECT_FALSE(cgroup.ran_out_of_memory().value());
}

TEST_F(FakeCgroups, ListsCgroupsAndNotFiles) {
  make_v2();
  auto host = CgroupHost::open(root_, "one").value();
  ASSERT_TRUE(host.make("c2").has_value());
  EXPECT_THAT(host.list().value(), ElementsAre("c1", "c2"));
  ASSERT_TRUE(host.make("c2").value().remove().has_value());
  EXPECT_THAT(host.list().value(), ElementsAre("c1"));
}

TEST_F(FakeCgroups, AHostWithoutMemoryControllerIsRefused) {
  file("cgroup.controllers", "cpu pids\n");
  EXPECT_EQ(CgroupHost::open(root_, "one").error().kind, Kind::internal);
}

}  // namespace
}  // namespace hearth::kernel
