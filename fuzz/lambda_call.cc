// A Lambda call from its wire form to what its operation would get: route, name, body, the model's constraints,
// settings and tags.
#include <cstdint>

#include "api/lambda/body.h"
#include "api/lambda/function_ref.h"
#include "api/lambda/model.h"
#include "api/lambda/settings.h"

namespace {

using namespace hearth;
using namespace hearth::api;

std::string_view through(std::string_view& text, char end) {
  auto part = text.substr(0, text.find(end));
  text.remove_prefix(std::min(text.size(), part.size() + 1));
  return part;
}

Result<VpcId> resolve(const AccountId&, const std::vector<SubnetId>&, const std::vector<GroupId>&) {
  return VpcId("vpc-1");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const lambda::Model model;
  static const lambda::SettingsRules rules{model, [](const std::string&) { return true; }, resolve};
  static const AccountId account("000000000000");
  std::string_view text(reinterpret_cast<const char*>(data), size);
  Call call;
  call.method = through(text, ' ');
  call.path = through(text, '\n');
  std::string name(through(text, '\n'));
  call.query = {{"Qualifier", name}, {"MaxItems", name}};
  auto ref = lambda::parse_function_ref(name, account, "us-east-1");
  if (ref && (ref->name.empty() || ref->name.size() > lambda::FunctionRef::kMaxName)) __builtin_trap();
  bool is_json = lambda::check_json(text).has_value();
  auto body = lambda::read_body(std::string(text));
  if (body && !text.empty() && !is_json) __builtin_trap();
  auto routed = lambda::route(call.method, call.path, call.query);
  if (!body || routed.operation == nullptr || !routed.operation->served) return 0;
  if (auto checked = model.check(*routed.operation, call, routed.label, body->members); !checked) {
    lambda::reply_of(checked.error());
    return 0;
  }
  runtime::Function function;
  if (auto settings = lambda::read_settings(body->members, account, rules)) settings->apply_to(function);
  bool within = function.timeout_seconds >= 1 && function.timeout_seconds <= 900 && function.memory_mib >= 128;
  if (!within) __builtin_trap();
  if (const auto* tags = body->members.if_contains("Tags")) (void)lambda::read_tags(tags->as_object());
  return 0;
}
