#include "kernel/mount.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>

namespace hearth::kernel {
namespace {

namespace fs = std::filesystem;

TEST(OpenDirectoryBeneath, FollowsNothingOutOfTheFolder) {
  std::string folder = fs::temp_directory_path() / "hearth-mount-test-XXXXXX";
  ASSERT_NE(mkdtemp(folder.data()), nullptr);
  fs::create_directories(folder + "/inside/deep");
  fs::create_directory_symlink("/etc", folder + "/absolute");
  fs::create_directory_symlink("inside", folder + "/relative");
  Fd directory(open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  EXPECT_TRUE(open_directory_beneath(directory.get(), "inside").has_value());
  EXPECT_TRUE(open_directory_beneath(directory.get(), "inside/deep").has_value());
  for (const char* bad : {"..", "../..", "/etc", "absolute", "relative", "inside/../..", "missing", ""}) {
    EXPECT_FALSE(open_directory_beneath(directory.get(), bad).has_value()) << bad;
  }
  EXPECT_EQ(open_directory_beneath(directory.get(), "missing").error().kind, Kind::not_found);
  fs::remove_all(folder);
}

TEST(UnionTree, NeedsRealDirectories) {
  std::vector<Fd> none(2);
  EXPECT_FALSE(union_tree(none).has_value());
}

}  // namespace
}  // namespace hearth::kernel
