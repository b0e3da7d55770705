#include "api/lambda/service.h"

#include <fmt/format.h>

#include "base/blocking.h"

namespace hearth::api::lambda {
namespace {

template <typename Owner>
auto bound(Owner& owner, Answer (Owner::*call)(Request)) {
  return [&owner, call](Request request) { return (owner.*call)(std::move(request)); };
}

bool takes_function(const Operation& operation) { return operation.path.find("{FunctionName}") != operation.path.npos; }
bool takes_resource(const Operation& operation) { return operation.path.find("{Resource}") != operation.path.npos; }

}  // namespace

LambdaService::LambdaService(Parts parts)
    : parts_(std::move(parts)), functions_(parts_, model_), account_(parts_), invoke_(parts_, model_) {
  handlers_ = {
      {"CreateFunction", bound(functions_, &FunctionCalls::create)},
      {"GetFunction", bound(functions_, &FunctionCalls::get)},
      {"GetFunctionConfiguration", bound(functions_, &FunctionCalls::get_configuration)},
      {"GetFunctionCodeSigningConfig", bound(functions_, &FunctionCalls::get_code_signing_config)},
      {"ListFunctions", bound(functions_, &FunctionCalls::list)},
      {"ListVersionsByFunction", bound(functions_, &FunctionCalls::list_versions)},
      {"UpdateFunctionCode", bound(functions_, &FunctionCalls::update_code)},
      {"UpdateFunctionConfiguration", bound(functions_, &FunctionCalls::update_configuration)},
      {"DeleteFunction", bound(functions_, &FunctionCalls::remove)},
      {"PutFunctionConcurrency", bound(account_, &AccountCalls::put_concurrency)},
      {"GetFunctionConcurrency", bound(account_, &AccountCalls::get_concurrency)},
      {"DeleteFunctionConcurrency", bound(account_, &AccountCalls::delete_concurrency)},
      {"TagResource", bound(account_, &AccountCalls::tag)},
      {"UntagResource", bound(account_, &AccountCalls::untag)},
      {"ListTags", bound(account_, &AccountCalls::list_tags)},
      {"GetAccountSettings", bound(account_, &AccountCalls::settings)},
  };
}

bool LambdaService::serves(std::string_view operation) const {
  return operation == "Invoke" || handlers_.contains(operation);
}

BodyLimit LambdaService::body_limit(std::string_view method, std::string_view path) const {
  Routed routed = route(method, path, {});
  if (routed.operation == nullptr) return {};
  if (routed.operation->name == "Invoke") return {InvokeCalls::kMaxPayload, "InvokeFunction"};
  if (routed.operation->name == "CreateFunction") return {kMaxCreateBody, "CreateFunction"};
  if (routed.operation->name == "UpdateFunctionCode") return {kMaxCodeBody, "UpdateFunctionCode"};
  return {BodyLimit{}.bytes, routed.operation->name};
}

Reply LambdaService::refuse(int status, std::string_view code, std::string_view message, std::string_view) const {
  return reply_of(Refusal{std::string(code), std::string(message)}, status);
}

boost::asio::awaitable<Reply> LambdaService::handle(Call call) {
  auto answer = co_await dispatch(std::move(call));
  if (answer) co_return std::move(*answer);
  co_return reply_of(answer.error());
}

boost::asio::awaitable<Outcome<Body>> LambdaService::read(std::string text) {
  if (text.size() <= kParseOnLoop) co_return read_body(std::move(text));
  auto work = [text = std::move(text)]() mutable { return read_body(std::move(text)); };
  co_return co_await run_blocking(parts_.blocking, std::move(work));
}

Answer LambdaService::dispatch(Call call) {
  Routed routed = route(call.method, call.path, call.query);
  if (routed.operation == nullptr) {
    co_return lambda::refuse("UnknownOperationException",
                             fmt::format("No operation of the Lambda API is {} {}", call.method, call.path));
  }
  const Operation& operation = *routed.operation;
  if (operation.name == "Invoke") co_return co_await invoke_.invoke(std::move(call), std::move(routed.label));
  auto handler = handlers_.find(operation.name);
  if (handler == handlers_.end()) {
    co_return lambda::refuse("NotImplementedException",
                             fmt::format("Hearth does not offer the Lambda operation {}.", operation.name));
  }
  auto body = co_await read(std::move(call.body));
  if (!body) co_return std::unexpected(body.error());
  auto checked = model_.check(operation, call, routed.label, body->members);
  if (!checked) co_return std::unexpected(checked.error());
  Request request{std::move(call), std::move(*body), std::move(routed.label), {}};
  if (takes_function(operation) || takes_resource(operation)) {
    auto ref = parse_function_ref(request.label, request.call.account, request.call.region);
    if (!ref) co_return std::unexpected(ref.error());
    auto qualifier = takes_function(operation) ? request.call.query_value("Qualifier").value_or("") : "";
    auto whole = with_qualifier(std::move(*ref), qualifier);
    if (!whole) co_return std::unexpected(whole.error());
    request.ref = std::move(*whole);
  }
  co_return co_await handler->second(std::move(request));
}

}  // namespace hearth::api::lambda
