#include "api/admin/log_routes.h"

namespace hearth::api::admin {
namespace {

json::array describe(const std::vector<runtime::LogLine>& lines) {
  json::array list;
  list.reserve(lines.size());
  for (const auto& line : lines) {
    list.push_back(
        json::object{{"at", line.at}, {"request_id", line.request_id}, {"stream", line.stream}, {"text", line.text}});
  }
  return list;
}

}  // namespace

void LogRoutes::add_to(Router& router) { router.add("GET", "logs/{account}/{function}", this, &LogRoutes::read); }

boost::asio::awaitable<Outcome> LogRoutes::read(Request request) {
  CO_TRY(request.only_query({"tail", "follow", "after", "wait_ms"}));
  CO_TRY_ASSIGN(int64_t tail, request.query_integer("tail", 0, kMaxLines, 100));
  CO_TRY_ASSIGN(int64_t wait_ms, request.query_integer("wait_ms", 0, kMaxWaitMs, 0));
  AccountId account(request.parts[0]);
  CO_TRY(check_account(account));
  const runtime::FunctionKey key{account, request.parts[1]};
  std::string after = request.query_text("after");
  std::string follow = request.query_text("follow");
  if (!follow.empty() && follow != "true") co_return fail(Kind::invalid, "follow must be true or left out");
  if (!after.empty()) co_return co_await go_on(key, after, wait_ms);
  if (follow.empty()) {
    CO_TRY_ASSIGN(auto lines, co_await needs_.logs.tail(key, static_cast<size_t>(tail)));
    co_return json::object{{"lines", describe(lines)}};
  }
  CO_TRY_ASSIGN(LogFollows::Begun begun, co_await follows_.open(key, static_cast<size_t>(tail)));
  co_return json::object{{"lines", describe(begun.lines)}, {"next", begun.id}};
}

boost::asio::awaitable<Outcome> LogRoutes::go_on(runtime::FunctionKey key, std::string after, int64_t wait_ms) {
  const std::chrono::milliseconds wait(wait_ms);
  CO_TRY_ASSIGN(LogFollows::Lines taken, co_await follows_.take(after, key, wait));
  json::object answer{{"lines", describe(taken.lines)}, {"next", after}};
  if (taken.dropped > 0) answer["dropped"] = taken.dropped;
  co_return answer;
}

}  // namespace hearth::api::admin
