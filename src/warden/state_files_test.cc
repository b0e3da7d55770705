#include "warden/state_files.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>

namespace hearth::warden {
namespace {

namespace fs = std::filesystem;

class StateFilesTest : public ::testing::Test {
 protected:
  StateFilesTest() {
    std::string folder = fs::temp_directory_path() / "hearth-state-test-XXXXXX";
    folder_ = mkdtemp(folder.data());
  }
  ~StateFilesTest() override { fs::remove_all(folder_); }
  std::string folder_;
  const ContainerId id_{"c0123456789abcdef"};
};

TEST_F(StateFilesTest, RemembersAContainerAndThatItWasBound) {
  auto files = StateFiles::open(folder_ + "/containers").value();
  ASSERT_TRUE(files.save_warm({id_, "python3.11", false, 42, 4711, 3}).has_value());
  auto warm = files.load().value();
  ASSERT_EQ(warm.size(), 1U);
  EXPECT_FALSE(warm[0].bound);
  ASSERT_TRUE(files.mark_bound(id_).has_value());
  auto again = StateFiles::open(folder_ + "/containers").value();
  auto bound = again.load().value();
  ASSERT_EQ(bound.size(), 1U);
  EXPECT_EQ(bound[0].container, id_);
  EXPECT_EQ(bound[0].runtime, "python3.11");
  EXPECT_TRUE(bound[0].bound);
  EXPECT_EQ(bound[0].pid, 42);
  EXPECT_EQ(bound[0].start_time, 4711U);
  EXPECT_EQ(bound[0].slot, 3);
}

TEST_F(StateFilesTest, ForgetsInEitherState) {
  auto files = StateFiles::open(folder_).value();
  ASSERT_TRUE(files.save_warm({id_, "python3.11", false, 42, 1, 3}).has_value());
  ASSERT_TRUE(files.forget(id_).has_value());
  ASSERT_TRUE(files.save_warm({id_, "python3.11", false, 42, 1, 3}).has_value());
  ASSERT_TRUE(files.mark_bound(id_).has_value());
  ASSERT_TRUE(files.forget(id_).has_value());
  EXPECT_TRUE(files.load().value().empty());
  EXPECT_TRUE(files.forget(id_).has_value());
  EXPECT_EQ(files.mark_bound(id_).error().kind, Kind::not_found);
}

TEST_F(StateFilesTest, DeletesWhatItCannotRead) {
  auto files = StateFiles::open(folder_).value();
  std::ofstream(folder_ + "/c1.warm") << "{\"runtime\":\"pyth";  // killed while it was written
  std::ofstream(folder_ + "/c2.bound") << R"({"runtime":"python3.11","pid":0,"start_time":1,"slot":1})";
  EXPECT_TRUE(files.load().value().empty());
  EXPECT_TRUE(fs::is_empty(folder_));
}

}  // namespace
}  // namespace hearth::warden
