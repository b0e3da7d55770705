// Function: what is known of a Lambda function version; the record that the registry holds.
//
// A plain value. Shapes and limits are those of the Lambda API (CreateFunction); `api` checks a client's input before
// it makes one. Only $LATEST exists so far.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/ids.h"
#include "base/json.h"
#include "base/result.h"

namespace hearth::runtime {

// What a record may hold; who makes a function refuses more.
inline constexpr size_t kMaxFunctionText = 4096;    // bytes of any text but the reasons
inline constexpr size_t kMaxFunctionReason = 8192;  // bytes
inline constexpr size_t kMaxFunctionItems = 4096;   // of any list; 4 KB of environment are fewer variables

struct FunctionKey {
  AccountId account;
  std::string name;
  auto operator<=>(const FunctionKey&) const = default;
};

struct VpcAttachment {  // VpcConfig
  VpcId vpc;
  std::vector<SubnetId> subnets;
  std::vector<GroupId> groups;
};

struct Function {
  FunctionKey key;
  std::string id;  // made at create, kept by updates: tells a function from its successor of the same name
  std::string region;
  std::string version = "$LATEST";

  std::string runtime;  // as asked for ("python3.13"); the pools use the alias' target
  std::string role;
  std::string handler;
  std::string description;
  int64_t timeout_seconds = 3;
  int64_t memory_mib = 128;
  int64_t tmp_mib = 512;
  std::vector<std::pair<std::string, std::string>> environment;
  std::vector<std::string> architectures = {"x86_64"};
  std::string tracing_mode = "PassThrough";
  std::string log_group;  // "" = /aws/lambda/<name>
  std::optional<VpcAttachment> vpc;

  PackageDigest package;
  int64_t code_size = 0;
  std::string code_sha256;  // base64

  std::string state = "Pending";  // Pending, Active, Inactive, Failed
  std::string state_reason;
  std::string state_reason_code;
  std::string last_update_status = "InProgress";  // Successful, Failed, InProgress
  std::string last_update_reason;
  std::string last_update_reason_code;
  std::string revision_id;
  WallTime last_modified{};

  std::map<std::string, std::string> tags;
  std::optional<int64_t> reserved_concurrency;

  // arn:aws:lambda:REGION:ACCOUNT:function:NAME
  std::string arn() const;
  std::string log_group_name() const;
};

// Why a function in that state can't be used, in AWS's words.
std::string unusable_in(std::string_view state);

// The registry's form of a function. A record of another shape is Kind::invalid and names the field.
json::object encode(const Function& function);
Result<Function> decode_function(const json::value& value);

}  // namespace hearth::runtime
