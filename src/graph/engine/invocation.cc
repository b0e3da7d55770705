#include "graph/engine/invocation.h"

#include <utility>
#include <vector>

#include "graph/expression/json_text.h"

namespace hearth::engine {

using definition::Resource;
using expression::Member;
using expression::Value;

namespace {

Member member(std::string_view name, Value value) { return {Value::string(name), std::move(value)}; }

// Lambda's reply headers as the service lists them, each once as text and once as a list.
Value http_metadata(const Invocation& invocation) {
  const std::pair<std::string_view, std::string> headers[] = {
      {"Connection", "keep-alive"},
      {"Content-Length", std::to_string(invocation.payload.size())},
      {"Content-Type", "application/json"},
      {"Date", invocation.date},
      {"X-Amz-Executed-Version", invocation.version},
      {"x-amzn-Remapped-Content-Length", "0"},
      {"x-amzn-RequestId", invocation.request_id},
      {"X-Amzn-Trace-Id", invocation.trace_id},
  };
  std::vector<Member> lists;
  std::vector<Member> texts;
  for (const auto& [name, text] : headers) {
    lists.push_back(member(name, Value::array({Value::string(text)})));
    texts.push_back(member(name, Value::string(text)));
  }
  return Value::object({member("AllHttpHeaders", Value::object(std::move(lists))),
                        member("HttpHeaders", Value::object(std::move(texts))),
                        member("HttpStatusCode", Value::integer(200))});
}

Value envelope(const Invocation& invocation, Value payload) {
  return Value::object({
      member("ExecutedVersion", Value::string(invocation.version)),
      member("Payload", std::move(payload)),
      member("SdkHttpMetadata", http_metadata(invocation)),
      member("SdkResponseMetadata", Value::object({member("RequestId", Value::string(invocation.request_id))})),
      member("StatusCode", Value::integer(200)),
  });
}

std::string error_name(const Value& payload) {
  const Value* type = payload.find("errorType");
  bool named = type != nullptr && type->is_string() && type->size() > 0;
  return std::string(named ? type->as_string() : kLambdaUnknown);
}

}  // namespace

std::string too_large(std::string_view name) {
  return "The state/task '" + std::string(name) +
         "' returned a result with a size exceeding the maximum number of bytes service limit.";
}

std::expected<Value, TaskError> outcome_of(const Resource& resource, const Invocation& invocation) {
  bool is_plain = resource.kind == Resource::Kind::function;
  if (invocation.payload.size() > kMaxPayloadBytes) {
    std::string_view name = is_plain ? std::string_view(resource.arn) : std::string_view(resource.service);
    return std::unexpected(TaskError{std::string(kDataLimitExceeded), too_large(name)});
  }
  Value payload = Value::null();
  if (!invocation.payload.empty()) {
    auto parsed = expression::parse_json_value(invocation.payload);
    if (!parsed) return std::unexpected(TaskError{std::string(kLambdaUnknown), invocation.payload});
    payload = *std::move(parsed);
  }
  if (invocation.is_function_error) {
    return std::unexpected(
        TaskError{error_name(payload), is_plain ? invocation.payload : expression::to_json(payload)});
  }
  return is_plain ? payload : envelope(invocation, std::move(payload));
}

}  // namespace hearth::engine
