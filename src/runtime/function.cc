#include "runtime/function.h"

#include <fmt/format.h>

namespace hearth::runtime {
namespace {

constexpr size_t kMaxText = kMaxFunctionText;
constexpr size_t kMaxReason = kMaxFunctionReason;
constexpr size_t kMaxItems = kMaxFunctionItems;
constexpr int64_t kMaxNumber = int64_t{1} << 60;

template <typename Ids>
json::array texts_of(const Ids& ids) {
  json::array array;
  for (const auto& id : ids) array.emplace_back(id.str());
  return array;
}

json::array pairs_of(const auto& pairs) {
  json::array array;
  for (const auto& [name, value] : pairs) array.emplace_back(json::array{name, value});
  return array;
}

Result<std::vector<std::pair<std::string, std::string>>> read_pairs(FieldReader& from, std::string_view key) {
  std::vector<std::pair<std::string, std::string>> pairs;
  TRY_ASSIGN(auto items, from.items_or_none(key, kMaxItems));
  for (const json::value* item : items) {
    const json::array* pair = item->if_array();
    if (pair == nullptr || pair->size() != 2 || !pair->at(0).is_string() || !pair->at(1).is_string()) {
      return fail(Kind::invalid, fmt::format("{}.{} must hold pairs of strings", from.path(), key));
    }
    pairs.emplace_back(pair->at(0).get_string(), pair->at(1).get_string());
  }
  return pairs;
}

template <typename IdType>
Result<std::vector<IdType>> read_ids(FieldReader& from, std::string_view key) {
  TRY_ASSIGN(auto texts, from.texts_or_none(key, kMaxItems, kMaxText));
  return std::vector<IdType>(texts.begin(), texts.end());
}

json::object encode_vpc(const VpcAttachment& vpc) {
  return {{"vpc", vpc.vpc.str()}, {"subnets", texts_of(vpc.subnets)}, {"groups", texts_of(vpc.groups)}};
}

Result<VpcAttachment> decode_vpc(const json::value& value) {
  TRY_ASSIGN(FieldReader from, FieldReader::of(value, "function.vpc"));
  VpcAttachment vpc;
  TRY_ASSIGN(std::string id, from.text("vpc", kMaxText));
  vpc.vpc = VpcId(id);
  TRY_ASSIGN(vpc.subnets, read_ids<SubnetId>(from, "subnets"));
  TRY_ASSIGN(vpc.groups, read_ids<GroupId>(from, "groups"));
  TRY(from.finish());
  return vpc;
}

Result<> decode_key(FieldReader& from, Function& to) {
  TRY_ASSIGN(std::string account, from.text("account", kMaxText));
  to.key.account = AccountId(account);
  TRY_ASSIGN(to.key.name, from.text("name", kMaxText));
  TRY_ASSIGN(to.id, from.text_or("id", kMaxText, ""));
  TRY_ASSIGN(to.region, from.text("region", kMaxText));
  TRY_ASSIGN(to.version, from.text("version", kMaxText));
  return {};
}

Result<> decode_configuration(FieldReader& from, Function& to) {
  TRY_ASSIGN(to.runtime, from.text("runtime", kMaxText));
  TRY_ASSIGN(to.role, from.text("role", kMaxText));
  TRY_ASSIGN(to.handler, from.text("handler", kMaxText));
  TRY_ASSIGN(to.description, from.text("description", kMaxText));
  TRY_ASSIGN(to.timeout_seconds, from.integer("timeout_seconds", 0, kMaxNumber));
  TRY_ASSIGN(to.memory_mib, from.integer("memory_mib", 0, kMaxNumber));
  TRY_ASSIGN(to.tmp_mib, from.integer("tmp_mib", 0, kMaxNumber));
  TRY_ASSIGN(to.environment, read_pairs(from, "environment"));
  TRY_ASSIGN(to.architectures, from.texts_or_none("architectures", kMaxItems, kMaxText));
  TRY_ASSIGN(to.tracing_mode, from.text("tracing_mode", kMaxText));
  TRY_ASSIGN(to.log_group, from.text("log_group", kMaxText));
  if (const json::value* vpc = from.member_or_null("vpc")) {
    TRY_ASSIGN(to.vpc, decode_vpc(*vpc));
  }
  return {};
}

Result<> decode_life(FieldReader& from, Function& to) {
  TRY_ASSIGN(to.state, from.text("state", kMaxText));
  TRY_ASSIGN(to.state_reason, from.text("state_reason", kMaxReason));
  TRY_ASSIGN(to.state_reason_code, from.text("state_reason_code", kMaxText));
  TRY_ASSIGN(to.last_update_status, from.text("last_update_status", kMaxText));
  TRY_ASSIGN(to.last_update_reason, from.text("last_update_reason", kMaxReason));
  TRY_ASSIGN(to.last_update_reason_code, from.text("last_update_reason_code", kMaxText));
  TRY_ASSIGN(to.revision_id, from.text("revision_id", kMaxText));
  TRY_ASSIGN(int64_t modified, from.integer("last_modified_ms", 0, kMaxNumber));
  to.last_modified = WallTime(std::chrono::milliseconds(modified));
  return {};
}

Result<> decode_code_and_notes(FieldReader& from, Function& to) {
  TRY_ASSIGN(std::string package, from.text("package", kMaxText));
  to.package = PackageDigest(package);
  TRY_ASSIGN(to.code_size, from.integer("code_size", 0, kMaxNumber));
  TRY_ASSIGN(to.code_sha256, from.text("code_sha256", kMaxText));
  TRY_ASSIGN(auto tags, read_pairs(from, "tags"));
  to.tags.insert(tags.begin(), tags.end());
  if (from.member_or_null("reserved_concurrency") != nullptr) {
    TRY_ASSIGN(to.reserved_concurrency, from.integer("reserved_concurrency", 0, kMaxNumber));
  }
  return {};
}

}  // namespace

std::string Function::arn() const {
  return fmt::format("arn:aws:lambda:{}:{}:function:{}", region, key.account.str(), key.name);
}

std::string Function::log_group_name() const { return log_group.empty() ? "/aws/lambda/" + key.name : log_group; }

std::string unusable_in(std::string_view state) {
  return fmt::format(
      "The operation cannot be performed at this time. The function is currently in the following state: {}", state);
}

json::object encode(const Function& function) {
  json::object to{{"account", function.key.account.str()},
                  {"name", function.key.name},
                  {"id", function.id},
                  {"region", function.region},
                  {"version", function.version},
                  {"runtime", function.runtime},
                  {"role", function.role},
                  {"handler", function.handler},
                  {"description", function.description},
                  {"timeout_seconds", function.timeout_seconds},
                  {"memory_mib", function.memory_mib},
                  {"tmp_mib", function.tmp_mib},
                  {"environment", pairs_of(function.environment)},
                  {"architectures", json::value_from(function.architectures)},
                  {"tracing_mode", function.tracing_mode},
                  {"log_group", function.log_group},
                  {"package", function.package.str()},
                  {"code_size", function.code_size},
                  {"code_sha256", function.code_sha256},
                  {"state", function.state},
                  {"state_reason", function.state_reason},
                  {"state_reason_code", function.state_reason_code},
                  {"last_update_status", function.last_update_status},
                  {"last_update_reason", function.last_update_reason},
                  {"last_update_reason_code", function.last_update_reason_code},
                  {"revision_id", function.revision_id},
                  {"last_modified_ms", function.last_modified.time_since_epoch().count()},
                  {"tags", pairs_of(function.tags)}};
  if (function.vpc) to["vpc"] = encode_vpc(*function.vpc);
  if (function.reserved_concurrency) to["reserved_concurrency"] = *function.reserved_concurrency;
  return to;
}

Result<Function> decode_function(const json::value& value) {
  TRY_ASSIGN(FieldReader from, FieldReader::of(value, "function"));
  Function function;
  TRY(decode_key(from, function));
  TRY(decode_configuration(from, function));
  TRY(decode_code_and_notes(from, function));
  TRY(decode_life(from, function));
  TRY(from.finish());
  return function;
}

}  // namespace hearth::runtime
