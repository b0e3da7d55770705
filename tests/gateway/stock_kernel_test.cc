// Programs hold under Linux 6.1, the kernel of Debian 12 and of gateways' machines.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>

#include "gateway/hosting.h"
#include "gateway/machine.h"
#include "kernel/process.h"

namespace hearth::gateway::test {
namespace {

TEST(StockKernel, TakesTheFunctionNetworksPrograms) {
  if (!check_image(HEARTH_STOCK_KERNEL_IMAGE)) GTEST_SKIP() << "no image: ninja hearth_gateway_image";
  const std::string said = testing::TempDir() + "/stock-kernel.log";
  Fd(open(said.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  auto pidfd = launch({.words = machine_words({.image = HEARTH_STOCK_KERNEL_IMAGE,
                                               .accelerator = Accelerator::tcg,
                                               .lock = {},
                                               .devices = {},
                                               .init = ""}),
                       .files = {},
                       .log = said});
  ASSERT_TRUE(pidfd) << pidfd.error().describe();
  pollfd ended{pidfd->get(), POLLIN, 0};
  ASSERT_EQ(poll(&ended, 1, 120'000), 1);
  EXPECT_TRUE(kernel::reap(pidfd->get()));
  auto console = kernel::read_file(AT_FDCWD, said, 64 * 1024);
  ASSERT_TRUE(console) << console.error().describe();
  EXPECT_THAT(*console, testing::HasSubstr("function network: loaded"));
}

}  // namespace
}  // namespace hearth::gateway::test
