#include "runtime/deployment.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <map>

#include "base/ids.h"
#include "base/json.h"
#include "container/zygote_protocol.h"

namespace hearth::runtime {
namespace {

constexpr std::string_view kRuntimeApi = "127.0.0.1:9001";
constexpr std::string_view kEndpoint = "http://127.0.0.1:9002";

using Environment = std::map<std::string, std::string>;

// What the function may replace.
void add_defaults(Environment& environment, const Function& function, const Config& config) {
  environment["LANG"] = "en_US.UTF-8";
  environment["TZ"] = ":UTC";
  environment["PATH"] = "/usr/local/bin:/usr/bin:/bin:/opt/bin";
  environment["LD_LIBRARY_PATH"] = container::kLibraryPath;
  if (function.runtime.starts_with("python")) environment["PYTHONPATH"] = "/var/runtime";
  if (function.runtime.starts_with("nodejs"))
    environment["NODE_PATH"] = "/opt/nodejs/node_modules:/var/runtime/node_modules:/var/runtime:/var/task";
  environment["AWS_ENDPOINT_URL"] = config.endpoint_url.empty() ? std::string(kEndpoint) : config.endpoint_url;
  for (const auto& [service, url] : config.service_endpoint_urls) {
    std::string name = service;
    std::ranges::transform(name, name.begin(), [](unsigned char c) { return c == '-' ? '_' : std::toupper(c); });
    environment["AWS_ENDPOINT_URL_" + name] = url;
  }
}

// What it may not.
void add_reserved(Environment& environment, const Function& function, const std::string& log_stream) {
  environment["_HANDLER"] = function.handler;
  environment["AWS_REGION"] = function.region;
  environment["AWS_DEFAULT_REGION"] = function.region;
  environment["AWS_EXECUTION_ENV"] = "AWS_Lambda_" + function.runtime;
  environment["AWS_LAMBDA_FUNCTION_NAME"] = function.key.name;
  environment["AWS_LAMBDA_FUNCTION_VERSION"] = function.version;
  environment["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"] = std::to_string(function.memory_mib);
  environment["AWS_LAMBDA_INITIALIZATION_TYPE"] = "on-demand";
  environment["AWS_LAMBDA_LOG_GROUP_NAME"] = function.log_group_name();
  environment["AWS_LAMBDA_LOG_STREAM_NAME"] = log_stream;
  environment["AWS_LAMBDA_RUNTIME_API"] = kRuntimeApi;
  environment["LAMBDA_TASK_ROOT"] = "/var/task";
  environment["LAMBDA_RUNTIME_DIR"] = "/var/runtime";
}

}  // namespace

std::string start_message(const Function& function, const Config& config,
                          const std::vector<std::pair<std::string, std::string>>& credentials,
                          const std::string& log_stream) {
  Environment environment;
  add_defaults(environment, function, config);
  for (const auto& [name, value] : function.environment) environment[name] = value;
  for (const auto& [name, value] : credentials) environment[name] = value;
  add_reserved(environment, function, log_stream);
  json::object variables;
  variables.reserve(environment.size());
  for (const auto& [name, value] : environment) variables.emplace(name, value);
  return json::serialize(
      json::object{{"version", 1}, {"handler", function.handler}, {"environment", std::move(variables)}});
}

std::string log_stream_name(WallTime now, const std::string& version) {
  auto date = iso_timestamp(now).substr(0, 10);
  std::ranges::replace(date, '-', '/');
  return fmt::format("{}/[{}]{}", date, version, random_hex(32));
}

}  // namespace hearth::runtime
