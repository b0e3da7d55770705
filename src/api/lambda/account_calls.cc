#include "api/lambda/account_calls.h"

#include <fmt/format.h>

#include <algorithm>

#include "api/lambda/function_calls.h"

namespace hearth::api::lambda {
namespace {

Reply no_content() {
  Reply reply;
  reply.status = 204;
  reply.content_type.clear();
  return reply;
}

}  // namespace

Outcome<const runtime::Function*> AccountCalls::find(const Request& request) const {
  const runtime::Function* function = parts_.functions.shown(request.key());
  if (function == nullptr) return request.not_found();
  return function;
}

int64_t AccountCalls::reserved_by_others(const Request& request) const {
  int64_t sum = runtime::reserved_concurrency(parts_.functions, request.call.account, request.ref.name);
  for (const auto& [key, wanted] : reserving_) {
    if (key.account != request.call.account || key.name == request.ref.name) continue;
    const runtime::Function* function = parts_.functions.shown(key);
    int64_t counted = function == nullptr ? 0 : function->reserved_concurrency.value_or(0);
    sum += std::max<int64_t>(0, wanted - counted);
  }
  return sum;
}

boost::asio::awaitable<Outcome<runtime::Function>> AccountCalls::annotate(
    Request request, std::function<Result<>(runtime::Function&)> change) {
  auto annotated = co_await parts_.functions.annotate(request.key(), std::move(change));
  if (annotated) co_return *annotated;
  if (annotated.error().kind == Kind::not_found) co_return request.not_found();
  co_return std::unexpected(refusal_of(annotated.error()));
}

Answer AccountCalls::put_concurrency(Request request) {
  auto function = find(request);
  if (!function) co_return std::unexpected(function.error());
  auto wanted = request.body.members.at("ReservedConcurrentExecutions").to_number<int64_t>();
  if (parts_.config.concurrency - reserved_by_others(request) - wanted < parts_.config.unreserved_minimum) {
    co_return invalid_parameter(
        fmt::format("Specified ReservedConcurrentExecutions for function decreases account's "
                    "UnreservedConcurrentExecution below its minimum value of [{}].",
                    parts_.config.unreserved_minimum));
  }
  auto set = [wanted](runtime::Function& to) -> Result<> {
    to.reserved_concurrency = wanted;
    return {};
  };
  struct Listed {
    Reserving& all;
    Reserving::iterator at;
    ~Listed() { all.erase(at); }
  };
  Listed listed{reserving_, reserving_.emplace(request.key(), wanted)};
  auto changed = co_await annotate(std::move(request), std::move(set));
  if (!changed) co_return std::unexpected(changed.error());
  co_return json_reply(200, json::object{{"ReservedConcurrentExecutions", wanted}});
}

Answer AccountCalls::get_concurrency(Request request) {
  auto function = find(request);
  if (!function) co_return std::unexpected(function.error());
  json::object answer;
  if (auto value = (*function)->reserved_concurrency) answer["ReservedConcurrentExecutions"] = *value;
  co_return json_reply(200, answer);
}

Answer AccountCalls::delete_concurrency(Request request) {
  auto clear = [](runtime::Function& to) -> Result<> {
    to.reserved_concurrency.reset();
    return {};
  };
  auto changed = co_await annotate(std::move(request), std::move(clear));
  if (!changed) co_return std::unexpected(changed.error());
  co_return no_content();
}

Answer AccountCalls::tag(Request request) {
  auto tags = read_tags(request.body.members.at("Tags").as_object());
  if (!tags) co_return std::unexpected(tags.error());
  auto function = find(request);
  if (!function) co_return std::unexpected(function.error());
  auto add = [tags = std::move(*tags)](runtime::Function& to) -> Result<> {
    for (const auto& [key, value] : tags) to.tags[key] = value;
    if (to.tags.size() > kMaxTags) return fail(Kind::invalid, "Number of tags exceeds resource tag limit.");
    return {};
  };
  auto changed = co_await annotate(std::move(request), std::move(add));
  if (!changed) co_return std::unexpected(changed.error());
  co_return no_content();
}

Answer AccountCalls::untag(Request request) {
  std::vector<std::string> keys;
  for (const auto& [name, value] : request.call.query) {
    if (name == "tagKeys") keys.push_back(value);
  }
  auto take = [keys = std::move(keys)](runtime::Function& to) -> Result<> {
    for (const std::string& key : keys) to.tags.erase(key);
    return {};
  };
  auto changed = co_await annotate(std::move(request), std::move(take));
  if (!changed) co_return std::unexpected(changed.error());
  co_return no_content();
}

Answer AccountCalls::list_tags(Request request) {
  auto function = find(request);
  if (!function) co_return std::unexpected(function.error());
  json::object tags;
  for (const auto& [key, value] : (*function)->tags) tags[view(key)] = value;
  co_return json_reply(200, json::object{{"Tags", std::move(tags)}});
}

Answer AccountCalls::settings(Request request) {
  const AccountId& account = request.call.account;
  int64_t all = parts_.config.concurrency;
  json::object limit{
      {"TotalCodeSize", FunctionCalls::kMaxCodeBytes},
      {"CodeSizeUnzipped", static_cast<int64_t>(runtime::Packages::kMaxUnpacked)},
      {"CodeSizeZipped", static_cast<int64_t>(runtime::Packages::kMaxZip)},
      {"ConcurrentExecutions", all},
      {"UnreservedConcurrentExecutions", all - runtime::reserved_concurrency(parts_.functions, account)}};
  json::object usage{{"TotalCodeSize", parts_.functions.code_bytes(account)},
                     {"FunctionCount", static_cast<int64_t>(parts_.functions.count(account))}};
  co_return json_reply(200, json::object{{"AccountLimit", limit}, {"AccountUsage", usage}});
}

}  // namespace hearth::api::lambda
