#include "container/runtimes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>

namespace hearth::container {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

class Runtimes : public ::testing::Test {
 protected:
  Runtimes() {
    std::string folder = fs::temp_directory_path() / "hearth-runtimes-test-XXXXXX";
    root_ = mkdtemp(folder.data());
  }
  ~Runtimes() override { fs::remove_all(root_); }
  void program(const std::string& path) {
    fs::create_directories((root_ / path).parent_path());
    std::ofstream(root_ / path) << "x";
    fs::permissions(root_ / path, fs::perms::owner_all);
  }
  std::vector<std::string> names() {
    std::vector<std::string> found;
    for (const auto& spec : find_runtimes(root_ / "home", root_ / "usr/bin")) found.push_back(spec.name);
    return found;
  }
  fs::path root_;
};

TEST_F(Runtimes, ArePythonsThatAreNewEnoughAndCustomOnes) {
  for (const char* name : {"python3", "python3.9", "python3.11", "python3.13"}) program(std::string("usr/bin/") + name);
  program("home/shims/python/zygote.py");
  program("home/shims/custom/hearth-custom-zygote");
  EXPECT_THAT(names(), ElementsAre("python3.11", "python3.13", "provided.al2", "provided.al2023", "provided"));
}

TEST_F(Runtimes, WithoutShimsThereIsNone) {
  program("usr/bin/python3.11");
  EXPECT_THAT(names(), IsEmpty());
}

TEST_F(Runtimes, PythonIsStartedWithoutTheHostsPackages) {
  program("usr/bin/python3.11");
  program("home/shims/python/zygote.py");
  auto spec = find_runtimes(root_ / "home", root_ / "usr/bin").at(0);
  EXPECT_EQ(spec.command.back(), "/var/hearth/zygote.py");
  EXPECT_THAT(spec.command, ::testing::IsSupersetOf({"-I", "-S"}));
  EXPECT_EQ(spec.runtime_folder, (root_ / "home/runtime/python3.11").string());
}

}  // namespace
}  // namespace hearth::container
