#include "api/lambda/settings.h"

#include <fmt/format.h>

#include <algorithm>

#include "api/lambda/model.h"
#include "base/utf8.h"

namespace hearth::api::lambda {
namespace {

// "" of what is not a string.
std::string text_of(const json::value& value) {
  const json::string* text = value.if_string();
  return text == nullptr ? "" : std::string(text->data(), text->size());
}

constexpr std::string_view kReservedVariables[] = {
    "_HANDLER",
    "_X_AMZN_TRACE_ID",
    "AWS_DEFAULT_REGION",
    "AWS_REGION",
    "AWS_EXECUTION_ENV",
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "AWS_LAMBDA_FUNCTION_VERSION",
    "AWS_LAMBDA_INITIALIZATION_TYPE",
    "AWS_LAMBDA_LOG_GROUP_NAME",
    "AWS_LAMBDA_LOG_STREAM_NAME",
    "AWS_LAMBDA_RUNTIME_API",
    "AWS_ACCESS_KEY",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "LAMBDA_TASK_ROOT",
    "LAMBDA_RUNTIME_DIR",
};

#if defined(__aarch64__)
constexpr std::string_view kArchitecture = "arm64";
#else
constexpr std::string_view kArchitecture = "x86_64";
#endif

const json::object* object_member(const json::object& object, std::string_view name) {
  const json::value* value = object.if_contains(view(name));
  return value == nullptr ? nullptr : value->if_object();
}

std::optional<std::string> optional_text(const json::object& object, std::string_view name) {
  const json::value* value = object.if_contains(view(name));
  if (value == nullptr || !value->is_string()) return std::nullopt;
  return text_of(*value);
}

std::optional<int64_t> optional_integer(const json::object& object, std::string_view name) {
  const json::value* value = object.if_contains(view(name));
  const int64_t* number = value == nullptr ? nullptr : value->if_int64();
  if (number == nullptr) return std::nullopt;
  return *number;
}

std::vector<std::string> texts(const json::object& object, std::string_view name) {
  std::vector<std::string> all;
  const json::value* value = object.if_contains(view(name));
  const json::array* items = value == nullptr ? nullptr : value->if_array();
  if (items == nullptr) return all;
  for (const json::value& item : *items) all.push_back(text_of(item));
  return all;
}

bool is_empty(const json::value& value) {
  if (const auto* text = value.if_string()) return text->empty();
  if (const auto* items = value.if_array()) return items->empty();
  if (const auto* yes = value.if_bool()) return !*yes;
  const auto* members = value.if_object();
  return members != nullptr &&
         std::ranges::all_of(*members, [](const auto& member) { return is_empty(member.value()); });
}

// Members without effect here must not look as if they had one.
Outcome<> refuse_what_is_not_offered(const json::object& body) {
  constexpr std::string_view kMembers[] = {
      "Layers",        "FileSystemConfigs",      "DeadLetterConfig", "KMSKeyArn",
      "ImageConfig",   "CodeSigningConfigArn",   "DurableConfig",    "Publish",
      "TenancyConfig", "CapacityProviderConfig", "PublishTo",        "SourceKMSKeyArn"};
  for (std::string_view name : kMembers) {
    const json::value* value = body.if_contains(view(name));
    if (value != nullptr && !is_empty(*value)) return invalid_parameter(fmt::format("Hearth does not offer {}.", name));
  }
  if (text_member(body, "PackageType") == "Image") {
    return invalid_parameter("Hearth does not offer PackageType Image; send a zip.");
  }
  const json::object* snap = object_member(body, "SnapStart");
  if (snap != nullptr && text_member(*snap, "ApplyOn") == "PublishedVersions") {
    return invalid_parameter("Hearth does not offer SnapStart.");
  }
  const json::object* tracing = object_member(body, "TracingConfig");
  if (tracing != nullptr && text_member(*tracing, "Mode") == "Active") {
    return invalid_parameter("Hearth does not offer TracingConfig with Mode Active.");
  }
  const json::object* logging = object_member(body, "LoggingConfig");
  if (logging != nullptr) {
    bool plain = text_member(*logging, "LogFormat") != "JSON" && text_member(*logging, "ApplicationLogLevel").empty() &&
                 text_member(*logging, "SystemLogLevel").empty();
    if (!plain)
      return invalid_parameter("Hearth offers LoggingConfig with LogFormat Text and without log levels only.");
  }
  return {};
}

Outcome<std::vector<std::pair<std::string, std::string>>> read_environment(const json::object& environment) {
  std::vector<std::pair<std::string, std::string>> variables;
  const json::object* members = object_member(environment, "Variables");
  if (members == nullptr) return variables;
  size_t size = 0;
  std::string reserved;
  for (const auto& member : *members) {
    std::string name(member.key().data(), member.key().size());
    std::string value = text_of(member.value());
    size += name.size() + value.size();
    bool taken = std::ranges::find(kReservedVariables, std::string_view(name)) != std::end(kReservedVariables);
    if (taken) reserved += (reserved.empty() ? "" : ", ") + name;
    variables.emplace_back(std::move(name), std::move(value));
  }
  if (!reserved.empty()) {
    return invalid_parameter(
        "Lambda was unable to configure your environment variables because the environment variables you have provided "
        "contains reserved keys that are currently not supported for modification. Reserved keys used in this "
        "request: " +
        reserved);
  }
  if (size > kMaxEnvironment) {
    return invalid_parameter(
        "Lambda was unable to configure your environment variables because the environment variables you have provided "
        "exceeded the 4KB limit.");
  }
  return variables;
}

Outcome<> read_vpc(const json::object& config, const AccountId& account, const ResolveVpcFn& resolve,
                   Settings& settings) {
  const json::value* ipv6 = config.if_contains("Ipv6AllowedForDualStack");
  if (ipv6 != nullptr && !is_empty(*ipv6)) return invalid_parameter("Hearth does not offer Ipv6AllowedForDualStack.");
  settings.has_vpc = true;
  runtime::VpcAttachment attachment;
  for (std::string& id : texts(config, "SubnetIds")) attachment.subnets.emplace_back(std::move(id));
  for (std::string& id : texts(config, "SecurityGroupIds")) attachment.groups.emplace_back(std::move(id));
  if (attachment.subnets.empty() && attachment.groups.empty()) return {};
  if (attachment.subnets.empty() || attachment.groups.empty()) {
    return invalid_parameter("SubnetIds and SecurityIds must coexist or be both empty list.");
  }
  auto vpc = resolve(account, attachment.subnets, attachment.groups);
  if (!vpc) return std::unexpected(refusal_of(vpc.error()));
  attachment.vpc = std::move(*vpc);
  settings.vpc = std::move(attachment);
  return {};
}

Outcome<> check_runtime(const Settings& settings, const SettingsRules& rules) {
  if (!settings.runtime || rules.runtime_available(*settings.runtime)) return {};
  const auto& known = rules.model.runtimes();
  if (std::ranges::find(known, *settings.runtime) == known.end()) {
    return invalid_parameter(
        fmt::format("Value {} at 'runtime' failed to satisfy constraint: Member must satisfy enum "
                    "value set: [{}] or be a valid ARN",
                    utf8_prefix(*settings.runtime, 256), fmt::join(known, ", ")));
  }
  return invalid_parameter(fmt::format("Runtime {} is not installed here", *settings.runtime));
}

// The model has no limit for it.
Outcome<> check_role(const Settings& settings) {
  if (!settings.role || settings.role->size() <= runtime::kMaxFunctionText) return {};
  return refuse(
      "ValidationException",
      fmt::format("1 validation error detected: Value at 'role' failed to satisfy constraint: Member must have "
                  "length less than or equal to {}",
                  runtime::kMaxFunctionText));
}

Outcome<> check_architectures(const Settings& settings) {
  if (!settings.architectures) return {};
  for (const std::string& name : *settings.architectures) {
    if (name != kArchitecture) return invalid_parameter(fmt::format("Architecture {} is not available here", name));
  }
  return {};
}

// Plain members, which the model has checked.
Settings read_plain(const json::object& body) {
  Settings settings;
  settings.runtime = optional_text(body, "Runtime");
  settings.role = optional_text(body, "Role");
  settings.handler = optional_text(body, "Handler");
  settings.description = optional_text(body, "Description");
  settings.timeout_seconds = optional_integer(body, "Timeout");
  settings.memory_mib = optional_integer(body, "MemorySize");
  if (const auto* storage = object_member(body, "EphemeralStorage"))
    settings.tmp_mib = optional_integer(*storage, "Size");
  if (const auto* tracing = object_member(body, "TracingConfig"))
    settings.tracing_mode = optional_text(*tracing, "Mode");
  if (const auto* logging = object_member(body, "LoggingConfig"))
    settings.log_group = optional_text(*logging, "LogGroup");
  if (body.contains("Architectures")) settings.architectures = texts(body, "Architectures");
  return settings;
}

}  // namespace

std::string text_member(const json::object& object, std::string_view name) {
  return optional_text(object, name).value_or("");
}

Outcome<Settings> read_settings(const json::object& body, const AccountId& account, const SettingsRules& rules) {
  if (auto offered = refuse_what_is_not_offered(body); !offered) return std::unexpected(offered.error());
  Settings settings = read_plain(body);
  if (auto checked = check_runtime(settings, rules); !checked) return std::unexpected(checked.error());
  if (auto checked = check_role(settings); !checked) return std::unexpected(checked.error());
  if (auto checked = check_architectures(settings); !checked) return std::unexpected(checked.error());
  if (const auto* environment = object_member(body, "Environment")) {
    auto variables = read_environment(*environment);
    if (!variables) return std::unexpected(variables.error());
    settings.environment = std::move(*variables);
  }
  if (const auto* vpc = object_member(body, "VpcConfig")) {
    if (auto read = read_vpc(*vpc, account, rules.resolve_vpc, settings); !read) return std::unexpected(read.error());
  }
  return settings;
}

void Settings::apply_to(runtime::Function& function) const {
  function.runtime = runtime.value_or(function.runtime);
  function.role = role.value_or(function.role);
  function.handler = handler.value_or(function.handler);
  function.description = description.value_or(function.description);
  function.tracing_mode = tracing_mode.value_or(function.tracing_mode);
  function.log_group = log_group.value_or(function.log_group);
  function.timeout_seconds = timeout_seconds.value_or(function.timeout_seconds);
  function.memory_mib = memory_mib.value_or(function.memory_mib);
  function.tmp_mib = tmp_mib.value_or(function.tmp_mib);
  if (environment) function.environment = *environment;
  if (architectures) function.architectures = *architectures;
  if (has_vpc) function.vpc = vpc;
}

Outcome<std::map<std::string, std::string>> read_tags(const json::object& tags) {
  std::map<std::string, std::string> read;
  for (const auto& member : tags) {
    std::string key(member.key().data(), member.key().size());
    std::string value = text_of(member.value());
    if (key.empty() || utf16_length(key) > kMaxTagKey || utf16_length(value) > kMaxTagValue) {
      return invalid_parameter(fmt::format("Tag keys have 1 to {} characters and values at most {}: '{}'", kMaxTagKey,
                                           kMaxTagValue, utf8_prefix(key, kMaxTagKey)));
    }
    if (key.starts_with("aws:")) {
      return invalid_parameter("Tag keys that start with 'aws:' are reserved for internal use.");
    }
    read.emplace(std::move(key), std::move(value));
  }
  if (read.size() > kMaxTags) return invalid_parameter("Number of tags exceeds resource tag limit.");
  return read;
}

namespace {

json::array to_array(const auto& ids) {
  json::array array;
  for (const auto& id : ids) array.emplace_back(view(id.str()));
  return array;
}

void add_state(const runtime::Function& function, json::object& to) {
  to["State"] = function.state;
  if (!function.state_reason.empty()) to["StateReason"] = function.state_reason;
  if (!function.state_reason_code.empty()) to["StateReasonCode"] = function.state_reason_code;
  if (function.state == "Pending") return;  // as on AWS: an update's status is of something that stood before
  to["LastUpdateStatus"] = function.last_update_status;
  if (!function.last_update_reason.empty()) to["LastUpdateStatusReason"] = function.last_update_reason;
  if (!function.last_update_reason_code.empty()) to["LastUpdateStatusReasonCode"] = function.last_update_reason_code;
}

void add_optional(const runtime::Function& function, json::object& to) {
  if (!function.environment.empty()) {
    json::object variables;
    for (const auto& [name, value] : function.environment) variables[view(name)] = value;
    to["Environment"] = json::object{{"Variables", variables}};
  }
  if (function.vpc) {
    to["VpcConfig"] = json::object{{"SubnetIds", to_array(function.vpc->subnets)},
                                   {"SecurityGroupIds", to_array(function.vpc->groups)},
                                   {"VpcId", function.vpc->vpc.str()},
                                   {"Ipv6AllowedForDualStack", false}};
  }
}

}  // namespace

json::object describe(const runtime::Function& function, Shown shown, Arn arn) {
  json::object to;
  to["FunctionName"] = function.key.name;
  to["FunctionArn"] = arn == Arn::qualified ? function.arn() + ":" + function.version : function.arn();
  to["Runtime"] = function.runtime;
  to["Role"] = function.role;
  to["Handler"] = function.handler;
  to["CodeSize"] = function.code_size;
  to["Description"] = function.description;
  to["Timeout"] = function.timeout_seconds;
  to["MemorySize"] = function.memory_mib;
  to["LastModified"] = lambda_timestamp(function.last_modified);
  to["CodeSha256"] = function.code_sha256;
  to["Version"] = function.version;
  to["TracingConfig"] = json::object{{"Mode", function.tracing_mode}};
  to["RevisionId"] = function.revision_id;
  to["PackageType"] = "Zip";
  json::array architectures;
  for (const std::string& name : function.architectures) architectures.emplace_back(view(name));
  to["Architectures"] = std::move(architectures);
  to["EphemeralStorage"] = json::object{{"Size", function.tmp_mib}};
  to["SnapStart"] = json::object{{"ApplyOn", "None"}, {"OptimizationStatus", "Off"}};
  to["LoggingConfig"] = json::object{{"LogFormat", "Text"}, {"LogGroup", function.log_group_name()}};
  add_optional(function, to);
  if (shown == Shown::whole) add_state(function, to);
  return to;
}

}  // namespace hearth::api::lambda
