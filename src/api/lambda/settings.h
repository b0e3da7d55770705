// Settings: a function's configuration between the client's JSON and our record, both ways.
//
// read_settings() takes the members that Model::check left there of the operation's shape, whichever it is; checks
// what the model cannot say (reserved variables, 4 KB of environment, installed runtimes, the account's subnets), and
// refuses by name what Hearth does not offer rather than take it without effect. REQUIRES: Model::check passed.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "api/lambda/refusal.h"
#include "base/json.h"
#include "runtime/function.h"

namespace hearth::api::lambda {

class Model;

// Whether a function may ask for the runtime: installed, or aliased to one that is.
using RuntimeAvailableFn = std::function<bool(const std::string& runtime)>;
// The VPC of these subnets and groups of the account's own; Kind::invalid in Lambda's words.
using ResolveVpcFn =
    std::function<Result<VpcId>(const AccountId&, const std::vector<SubnetId>&, const std::vector<GroupId>&)>;

inline constexpr size_t kMaxEnvironment = 4096;  // bytes of names and values
inline constexpr size_t kMaxTags = 50;
inline constexpr size_t kMaxTagKey = 128;  // UTF-16 units
inline constexpr size_t kMaxTagValue = 256;

// Members that a request has; nullopt leaves a function's as they are.
struct Settings {
  std::optional<std::string> runtime, role, handler, description, tracing_mode, log_group;
  std::optional<int64_t> timeout_seconds, memory_mib, tmp_mib;
  std::optional<std::vector<std::pair<std::string, std::string>>> environment;
  std::optional<std::vector<std::string>> architectures;
  bool has_vpc = false;
  std::optional<runtime::VpcAttachment> vpc;  // with has_vpc: nullopt detaches

  void apply_to(runtime::Function& function) const;
};

struct SettingsRules {
  const Model& model;
  RuntimeAvailableFn runtime_available;
  ResolveVpcFn resolve_vpc;
};
Outcome<Settings> read_settings(const json::object& body, const AccountId& account, const SettingsRules& rules);
// Of a Tags member; refuses too many, too long ones and those of AWS ("aws:…").
Outcome<std::map<std::string, std::string>> read_tags(const json::object& tags);
// "" when it is missing.
std::string text_member(const json::object& object, std::string_view name);

// How much of a function an answer shows.
enum class Shown { whole, in_list };  // lists leave out the state
// FunctionConfiguration. `qualified`: FunctionArn with the version.
enum class Arn { plain, qualified };
json::object describe(const runtime::Function& function, Shown shown, Arn arn);

}  // namespace hearth::api::lambda
