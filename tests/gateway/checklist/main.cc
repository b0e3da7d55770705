#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cstdio>
#include <string_view>

#include "tests/gateway/checklist/row.h"

namespace hearth::gateway::test {
namespace {

class Subjects : public testing::Environment {
  void TearDown() override { end_subjects(); }
};

}  // namespace

INSTANTIATE_TEST_SUITE_P(, Checklist, testing::Values(Kind::oracle, Kind::netns, Kind::vm), name_of);

}  // namespace hearth::gateway::test

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  if (geteuid() != 0) {
    std::puts("needs root");
    return 77;
  }
  const bool with_machine = testing::GTEST_FLAG(filter).find("Vm") != std::string::npos;
  if (with_machine && access(HEARTH_GATEWAY_IMAGE "/initramfs", R_OK) != 0) {
    std::puts("needs the image of gateways' machines: ninja hearth_gateway_image");
    return 77;
  }
  testing::AddGlobalTestEnvironment(new hearth::gateway::test::Subjects);
  // One at a time: the names on the machine are the same for all, so that one that crashed is cleaned up by the next.
  const hearth::Fd turn(open("/tmp/hearth-gwc.lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (flock(turn.get(), LOCK_EX) != 0) return 1;
  return RUN_ALL_TESTS();
}
