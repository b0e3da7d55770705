#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "base/fd.h"

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  if (geteuid() != 0) {
    std::puts("needs root");
    return 77;
  }
  const char* driver = getenv("HEARTH_TEST_DRIVER");
  if (driver != nullptr && std::string_view(driver) == "vm" && access(HEARTH_GATEWAY_IMAGE "/initramfs", R_OK) != 0) {
    std::puts("needs the image of gateways' machines: ninja hearth_gateway_image");
    return 77;
  }
  // One at a time: the names on the machine are the same for all, so that one that crashed is cleaned up by the next.
  const hearth::Fd turn(open("/tmp/hearth-gwt.lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (flock(turn.get(), LOCK_EX) != 0) return 1;
  return RUN_ALL_TESTS();
}
