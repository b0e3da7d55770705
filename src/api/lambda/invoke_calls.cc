#include "api/lambda/invoke_calls.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/base64.h"

namespace hearth::api::lambda {
namespace {

// Base64 of a JSON object.
bool is_client_context(std::string_view text) {
  auto decoded = base64_decode(text);
  return decoded && decoded->starts_with('{') && check_json(*decoded).has_value();
}

bool is_printable(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return c >= ' ' && c <= '~'; });
}

std::string make_trace_id(WallTime now) {
  auto seconds = std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch()).count();
  std::string random = random_hex(40);
  std::string_view root(random.data(), 24), parent(random.data() + 24, 16);
  return fmt::format("Root=1-{:08x}-{};Parent={};Sampled=0", seconds, root, parent);
}

std::unexpected<Refusal> throttled(std::string reason) {
  Refusal refusal{"TooManyRequestsException", "Rate Exceeded."};
  refusal.headers.emplace_back("Retry-After", "1");
  refusal.members["Reason"] = reason;
  return std::unexpected(std::move(refusal));
}

Refusal failure_of(const Error& error) {
  if (error.kind == Kind::exhausted) return throttled("ConcurrentInvocationLimitExceeded").error();
  // An instance's network does not stand, and is being made again.
  if (error.kind == Kind::conflict) return {"ResourceNotReadyException", error.message};
  return refusal_of(error);
}

}  // namespace

Outcome<InvokeCalls::Type> InvokeCalls::type_of(const Call& call, std::string_view label) const {
  auto type = call.header("x-amz-invocation-type").value_or("RequestResponse");
  auto log = call.header("x-amz-log-type").value_or("None");
  bool known = (type == "RequestResponse" || type == "Event" || type == "DryRun") && (log == "None" || log == "Tail");
  if (!known) {
    json::object no_body;
    auto checked = model_.check(*route(call.method, call.path, {}).operation, call, label, no_body);
    if (!checked) return std::unexpected(checked.error());
    return invalid_parameter("The invocation type or log type is not known.");
  }
  if (type == "Event") return Type::event;
  return type == "DryRun" ? Type::dry_run : Type::request_response;
}

Outcome<runtime::Invocation> InvokeCalls::invocation_of(Call& call, FunctionRef ref, Type type) const {
  const runtime::FunctionKey key{call.account, ref.name};
  const runtime::Function* function = parts_.functions.find(key);
  bool latest = ref.qualifier.empty() || ref.qualifier == "$LATEST";
  if (function == nullptr || !latest) return function_not_found(ref, call.account, call.region);
  if (function->state == "Pending" || function->state == "Failed") {
    return refuse("ResourceConflictException", runtime::unusable_in(function->state));
  }
  size_t limit = type == Type::event ? kMaxEvent : kMaxPayload;
  if (call.body.size() > limit) {
    return refuse("RequestTooLargeException",
                  fmt::format("Request must be smaller than {} bytes for the InvokeFunction operation", limit));
  }
  if (call.body.empty()) call.body = "{}";
  if (auto checked = check_json(call.body); !checked) return std::unexpected(checked.error());
  runtime::Invocation invocation;
  invocation.request_id = call.request_id;
  invocation.function = key;
  invocation.qualifier = std::move(ref.qualifier);
  if (auto context = call.header("x-amz-client-context"); context && !context->empty()) {
    if (context->size() > kMaxClientContext || !is_client_context(*context)) {
      return refuse("InvalidRequestContentException", "Client context must be a valid Base64-encoded JSON object.");
    }
    invocation.client_context = *context;
  }
  auto trace = call.header("x-amzn-trace-id");
  bool usable = trace && is_printable(*trace);
  invocation.trace_id = usable ? std::string(*trace) : make_trace_id(parts_.clock.wall());
  invocation.log_tail = call.header("x-amz-log-type").value_or("None") == "Tail";
  invocation.payload = std::move(call.body);
  invocation.held = std::move(call.held);
  return invocation;
}

Answer InvokeCalls::invoke(Call call, std::string label) {
  auto parsed = parse_function_ref(label, call.account, call.region);
  if (!parsed) co_return std::unexpected(parsed.error());
  auto ref = with_qualifier(std::move(*parsed), call.query_value("Qualifier").value_or(""));
  if (!ref) co_return std::unexpected(ref.error());
  if (call.header("x-amz-tenant-id")) co_return invalid_parameter("Hearth does not offer TenancyConfig.");
  if (call.header("x-amz-durable-execution-name")) co_return invalid_parameter("Hearth does not offer DurableConfig.");
  auto type = type_of(call, label);
  if (!type) co_return std::unexpected(type.error());
  auto invocation = invocation_of(call, std::move(*ref), *type);
  if (!invocation) co_return std::unexpected(invocation.error());
  if (*type == Type::event) co_return co_await enqueue(std::move(*invocation));
  if (*type == Type::request_response) co_return co_await answer(std::move(*invocation));
  Reply reply;
  reply.status = 204;
  reply.content_type.clear();
  co_return reply;
}

Answer InvokeCalls::enqueue(runtime::Invocation invocation) {
  auto id = co_await parts_.invoker.enqueue(std::move(invocation));
  if (!id) co_return std::unexpected(failure_of(id.error()));
  Reply reply;
  reply.status = 202;
  reply.content_type.clear();
  reply.headers.emplace_back("x-amzn-RequestId", std::move(*id));
  co_return reply;
}

Answer InvokeCalls::answer(runtime::Invocation invocation) {
  std::string trace_id = invocation.trace_id;
  bool wants_log = invocation.log_tail;
  auto result = co_await parts_.invoker.invoke(std::move(invocation));
  if (!result) co_return std::unexpected(failure_of(result.error()));
  if (auto* limit = std::get_if<runtime::Throttled>(&*result)) co_return throttled(std::move(limit->reason));
  auto& answer = std::get<runtime::Answer>(*result);
  Reply reply;
  reply.headers.reserve(5);
  reply.headers.emplace_back("x-amzn-RequestId", std::move(answer.request_id));
  reply.headers.emplace_back("X-Amz-Executed-Version", std::move(answer.executed_version));
  reply.headers.emplace_back("X-Amzn-Trace-Id", std::move(trace_id));
  if (!answer.function_error.empty()) {
    reply.headers.emplace_back("X-Amz-Function-Error", std::move(answer.function_error));
  }
  if (wants_log) reply.headers.emplace_back("X-Amz-Log-Result", base64_encode(answer.log_tail));
  reply.body = std::move(answer.payload);
  co_return reply;
}

}  // namespace hearth::api::lambda
