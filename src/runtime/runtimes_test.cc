#include "runtime/runtimes.h"

#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>

#include "base/run_test.h"
#include "runtime/memory_registry_test.h"

namespace hearth::runtime {
namespace {

namespace asio = boost::asio;

class RuntimesTest : public testing::Test {
 protected:
  template <typename T>
  T run(asio::awaitable<T> call) {
    return hearth::run(loop_, std::move(call));
  }
  std::unique_ptr<Runtimes> load(std::map<std::string, std::string> configured = {}) {
    auto runtimes = run(Runtimes::load(registry_, std::move(configured))).value();
    runtimes->set_available({"python3.11"});
    return runtimes;
  }
  asio::io_context loop_;
  MemoryRegistry registry_{loop_.get_executor()};
};

TEST_F(RuntimesTest, AliasesSurviveHoweverManyWereRemoved) {
  auto runtimes = load();
  for (size_t i = 0; i < Runtimes::kMaxAliases + 10; ++i) {
    const auto name = "a" + std::to_string(i);
    ASSERT_TRUE(run(runtimes->set_alias(name, "python3.11")));
    ASSERT_TRUE(run(runtimes->remove_alias(name)));
  }
  ASSERT_TRUE(run(runtimes->set_alias("z", "python3.11")));
  EXPECT_EQ(registry_.records.size(), 1u);
  EXPECT_EQ(load()->resolve("z").value(), "python3.11");
}

TEST_F(RuntimesTest, ARemovedAliasOfTheConfigurationStaysRemoved) {
  std::map<std::string, std::string> configured;
  for (size_t i = 0; i < Runtimes::kMaxAliases; ++i) configured["a" + std::to_string(i)] = "python3.11";
  auto runtimes = load(configured);
  for (const auto& [name, target] : configured) ASSERT_TRUE(run(runtimes->remove_alias(name)));
  ASSERT_TRUE(run(runtimes->set_alias("z", "python3.11")));
  auto again = load(configured);
  EXPECT_EQ(again->aliases().size(), 1u);
  EXPECT_EQ(again->resolve("z").value(), "python3.11");
}

}  // namespace
}  // namespace hearth::runtime
