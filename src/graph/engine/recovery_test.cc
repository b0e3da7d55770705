#include "graph/engine/recovery.h"

#include <gtest/gtest.h>

#include "graph/definition/definition.h"

namespace hearth::engine {
namespace {

using definition::Catcher;
using definition::Retrier;

uint64_t half() { return uint64_t{1} << 63; }
uint64_t most() { return ~uint64_t{0}; }

int64_t delay(const Retrier& retrier, int64_t attempts, std::string_view error = "E") {
  auto retry = retry_for({&retrier, 1}, {&attempts, 1}, error, half);
  return retry ? retry->delay_ms : -1;
}

TEST(Recovery, BacksOff) {
  Retrier retrier{.errors = {"E"}};
  EXPECT_EQ(delay(retrier, 0), 1000);
  EXPECT_EQ(delay(retrier, 2), 4000);
  EXPECT_EQ(delay(retrier, 3), -1);
  retrier.interval_s = 3;
  retrier.backoff_rate = 1.5;
  retrier.max_attempts = 99'999'999;
  EXPECT_EQ(delay(retrier, 1), 4500);
  EXPECT_EQ(delay(retrier, 99'999'998), definition::kMaxSeconds * 1000);  // beyond what a double can hold
  retrier.max_delay_s = 4;
  EXPECT_EQ(delay(retrier, 1), 4000);
  retrier.full_jitter = true;
  EXPECT_EQ(delay(retrier, 1), 2000);
  int64_t attempts = 1;
  EXPECT_EQ(retry_for({&retrier, 1}, {&attempts, 1}, "E", most)->delay_ms, 4000);
  EXPECT_EQ(retry_for({&retrier, 1}, {&attempts, 1}, "E", [] { return uint64_t{0}; })->delay_ms, 0);
  retrier.max_attempts = 0;
  EXPECT_EQ(delay(retrier, 0), -1);
}

TEST(Recovery, CountsEachRetrierByItself) {
  const Retrier retriers[] = {{.errors = {"A"}, .max_attempts = 1}, {.errors = {"B", "A"}}, {.errors = {"States.ALL"}}};
  const int64_t attempts[] = {1, 2, 0};
  EXPECT_FALSE(retry_for(retriers, attempts, "A", half));  // the first that matches has none left
  EXPECT_EQ(retry_for(retriers, attempts, "B", half)->retrier, 1U);
  EXPECT_EQ(retry_for(retriers, attempts, "C", half)->retrier, 2U);
}

TEST(Recovery, KnowsTheNamesOfErrors) {
  struct Case {
    std::string_view name;
    std::string_view error;
    bool caught;
  };
  const Case cases[] = {
      {"E", "E", true},
      {"E", "F", false},
      {"States.ALL", "E", true},
      {"States.ALL", "States.Timeout", true},
      {"States.ALL", "States.DataLimitExceeded", true},
      {"States.ALL", "States.Runtime", false},
      {"States.Runtime", "States.Runtime", false},
      {"States.TaskFailed", "Lambda.ResourceNotFoundException", true},
      {"States.TaskFailed", "States.Timeout", false},
      {"States.TaskFailed", "States.HeartbeatTimeout", false},
      {"States.Timeout", "States.HeartbeatTimeout", true},
      {"States.HeartbeatTimeout", "States.Timeout", false},
      {"Lambda.Unknown", "Exception", false},
      {"State.ALL", "E", false},
  };
  for (const Case& c : cases) {
    Catcher catcher{.errors = {std::string(c.name)}};
    EXPECT_EQ(catcher_for({&catcher, 1}, c.error) == &catcher, c.caught) << c.name << " " << c.error;
  }
}

}  // namespace
}  // namespace hearth::engine
