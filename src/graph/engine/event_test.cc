#include "graph/engine/event.h"

#include <gtest/gtest.h>

#include <string>

#include "graph/expression/json_text.h"
#include "graph/expression/test_data.h"

namespace hearth::engine {
namespace {

using expression::Value;
using expression::testing::json;

Event exited() {
  return {.id = 3,
          .previous_id = 2,
          .time_ms = 1'700'000'000'125,
          .type = EventType::pass_state_exited,
          .strand = 7,
          .details = json(R"({"name":"S"})"),
          .payload = json(R"({"b":1.0,"a":[]})"),
          .assigned = json(R"({"v":"x","n":null})"),
          .note = json(R"({"next":"T"})")};
}

TEST(Event, IsWrittenAsTheServiceWritesIt) {
  EXPECT_EQ(
      to_json(to_history(exited())),
      R"({"timestamp":1700000000.125,"type":"PassStateExited","id":3,"previousEventId":2,)"
      R"("stateExitedEventDetails":{"name":"S","output":"{\"b\":1.0,\"a\":[]}","outputDetails":{"truncated":false},)"
      R"("assignedVariables":{"v":"\"x\"","n":"null"},"assignedVariablesDetails":{"truncated":false}}})");
  Event scheduled{.id = 3,
                  .previous_id = 2,
                  .type = EventType::task_scheduled,
                  .details = json(R"({"region":"r"})"),
                  .payload = json(R"({"a":1})"),
                  .assigned = {},
                  .note = {}};
  EXPECT_EQ(to_json(to_history(scheduled)), R"({"timestamp":0,"type":"TaskScheduled","id":3,"previousEventId":2,)"
                                            R"("taskScheduledEventDetails":{"region":"r","parameters":"{\"a\":1}"}})");
  Event started{.id = 1,
                .type = EventType::execution_started,
                .details = json(R"({"input":"[1, 2]","roleArn":"r"})"),
                .payload = {},
                .assigned = {},
                .note = {}};
  EXPECT_EQ(to_json(*to_history(started).find("executionStartedEventDetails")),
            R"({"input":"[1, 2]","roleArn":"r","inputDetails":{"truncated":false}})");
  Event bare{.id = 4,
             .previous_id = 3,
             .type = EventType::lambda_function_started,
             .details = {},
             .payload = {},
             .assigned = {},
             .note = {}};
  EXPECT_EQ(to_json(to_history(bare)), R"({"timestamp":0,"type":"LambdaFunctionStarted","id":4,"previousEventId":3})");
}

TEST(Event, ComesBackFromTheJournalAsItWas) {
  for (size_t type = 0; type <= static_cast<size_t>(EventType::wait_state_exited); ++type) {
    Event event = exited();
    event.type = static_cast<EventType>(type);
    if (type % 2 == 0) event.payload = Value();
    if (type % 3 == 0) event.note = Value();
    auto back = decode(encode(event));
    ASSERT_TRUE(back) << back.error().message;
    EXPECT_EQ(encode(*back), encode(event));
    EXPECT_EQ(to_json(to_history(*back)), to_json(to_history(event)));
    EXPECT_EQ(back->strand, event.strand);
  }
}

TEST(Event, RefusesWhatIsNoEntryOfAJournal) {
  for (const char* text : {"", "[]", "{}", R"({"type":"Nope","id":1,"previous":0,"time":0,"strand":0})",
                           R"({"type":"TaskStarted","id":-1,"previous":0,"time":0,"strand":0})",
                           R"({"type":"TaskStarted","id":1.0,"previous":0,"time":0,"strand":0})",
                           R"({"type":"TaskStarted","id":1,"previous":0,"time":0,"strand":4294967296})",
                           R"({"type":"TaskStarted","id":1,"previous":0,"time":0,"strand":0,"details":1})"}) {
    EXPECT_FALSE(decode(text)) << text;
  }
}

}  // namespace
}  // namespace hearth::engine
