#include "graph/definition/state_fields.h"

#include <algorithm>
#include <array>

namespace hearth::definition {
namespace {

constexpr uint16_t bit(StateType type) { return static_cast<uint16_t>(1U << static_cast<unsigned>(type)); }

constexpr uint16_t kTask = bit(StateType::task);
constexpr uint16_t kPass = bit(StateType::pass);
constexpr uint16_t kChoice = bit(StateType::choice);
constexpr uint16_t kWait = bit(StateType::wait);
constexpr uint16_t kSucceed = bit(StateType::succeed);
constexpr uint16_t kFail = bit(StateType::fail);
constexpr uint16_t kParallel = bit(StateType::parallel);
constexpr uint16_t kMap = bit(StateType::map);
constexpr uint16_t kWork = kTask | kParallel | kMap;  // what can fail, be retried and caught
constexpr uint16_t kAll = kWork | kPass | kChoice | kWait | kSucceed | kFail;

enum class Spoken : uint8_t { both, jsonpath, jsonata };

struct FieldRule {
  std::string_view name;
  uint16_t types;
  Spoken spoken;
};

constexpr auto kRules = std::to_array<FieldRule>({
    {"Type", kAll, Spoken::both},
    {"Comment", kAll, Spoken::both},
    {"QueryLanguage", kAll, Spoken::both},
    {"Next", kWork | kPass | kWait, Spoken::both},
    {"End", kWork | kPass | kWait, Spoken::both},
    {"InputPath", kAll & ~kFail, Spoken::jsonpath},
    {"OutputPath", kAll & ~kFail, Spoken::jsonpath},
    {"Parameters", kWork | kPass, Spoken::jsonpath},
    {"ResultSelector", kWork, Spoken::jsonpath},
    {"ResultPath", kWork | kPass, Spoken::jsonpath},
    {"Output", kAll & ~kFail, Spoken::jsonata},
    {"Arguments", kTask | kParallel, Spoken::jsonata},
    {"Assign", kWork | kPass | kChoice | kWait, Spoken::both},
    {"Retry", kWork, Spoken::both},
    {"Catch", kWork, Spoken::both},
    {"Resource", kTask, Spoken::both},
    {"Credentials", kTask, Spoken::both},
    {"TimeoutSeconds", kTask, Spoken::both},
    {"TimeoutSecondsPath", kTask, Spoken::jsonpath},
    {"HeartbeatSeconds", kTask, Spoken::both},
    {"HeartbeatSecondsPath", kTask, Spoken::jsonpath},
    {"Result", kPass, Spoken::jsonpath},
    {"Choices", kChoice, Spoken::both},
    {"Default", kChoice, Spoken::both},
    {"Seconds", kWait, Spoken::both},
    {"SecondsPath", kWait, Spoken::jsonpath},
    {"Timestamp", kWait, Spoken::both},
    {"TimestampPath", kWait, Spoken::jsonpath},
    {"Error", kFail, Spoken::both},
    {"ErrorPath", kFail, Spoken::jsonpath},
    {"Cause", kFail, Spoken::both},
    {"CausePath", kFail, Spoken::jsonpath},
    {"Branches", kParallel, Spoken::both},
    {"ItemProcessor", kMap, Spoken::both},
    {"Iterator", kMap, Spoken::both},
    {"Items", kMap, Spoken::jsonata},
    {"ItemsPath", kMap, Spoken::jsonpath},
    {"ItemSelector", kMap, Spoken::both},
    {"ItemReader", kMap, Spoken::both},
    {"ItemBatcher", kMap, Spoken::both},
    {"ResultWriter", kMap, Spoken::both},
    {"Label", kMap, Spoken::both},
    {"MaxConcurrency", kMap, Spoken::both},
    {"MaxConcurrencyPath", kMap, Spoken::jsonpath},
    {"ToleratedFailureCount", kMap, Spoken::both},
    {"ToleratedFailureCountPath", kMap, Spoken::jsonpath},
    {"ToleratedFailurePercentage", kMap, Spoken::both},
    {"ToleratedFailurePercentagePath", kMap, Spoken::jsonpath},
});

}  // namespace

void check_state_fields(const Fields& fields, StateType type, Language language) {
  for (const expression::Member& member : fields.object().members()) {
    std::string name(member.name());
    const FieldRule* rule = std::ranges::find(kRules, name, &FieldRule::name);
    if (rule == kRules.end() || (rule->types & bit(type)) == 0) {
      fields.error({}, "Field '" + name + "' is not supported");
    } else if (language == Language::jsonpath && rule->spoken == Spoken::jsonata) {
      fields.error({}, "The QueryLanguage is set to 'JSONPath', but field '" + name +
                           "' is only supported for the 'JSONata' QueryLanguage");
    } else if (language == Language::jsonata && rule->spoken == Spoken::jsonpath) {
      fields.error({}, "The QueryLanguage is set to 'JSONata', but field '" + name +
                           "' is only supported for the 'JSONPath' QueryLanguage");
    }
  }
}

}  // namespace hearth::definition
