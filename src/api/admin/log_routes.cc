#include "api/admin/log_routes.h"

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace hearth::api::admin {

void LogRoutes::add_to(Router& router) { router.add("GET", "logs/{account}/{function}", this, &LogRoutes::read); }

boost::asio::awaitable<Outcome> LogRoutes::read(Request request) {
  CO_TRY(request.only_query({"tail", "after", "wait_ms"}));
  CO_TRY_ASSIGN(int64_t tail, request.query_integer("tail", 0, kMaxLines, 100));
  CO_TRY_ASSIGN(int64_t wait_ms, request.query_integer("wait_ms", 0, kMaxWaitMs, 0));
  AccountId account(request.parts[0]);
  CO_TRY(check_account(account));
  const runtime::FunctionKey key{account, request.parts[1]};
  std::string after = request.query_text("after");
  const size_t limit = after.empty() ? static_cast<size_t>(tail) : static_cast<size_t>(kMaxLines);

  CO_TRY_ASSIGN(LogPage page, co_await needs_.read_log(key, after, limit));
  boost::asio::steady_timer timer(co_await boost::asio::this_coro::executor);
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(wait_ms);
  while (page.lines.empty() && std::chrono::steady_clock::now() < deadline) {
    timer.expires_after(kLookAgain);
    co_await timer.async_wait(boost::asio::use_awaitable);
    after = page.next;
    CO_TRY_ASSIGN(page, co_await needs_.read_log(key, after, static_cast<size_t>(kMaxLines)));
  }
  co_return json::object{{"lines", json::array(page.lines.begin(), page.lines.end())}, {"next", page.next}};
}

}  // namespace hearth::api::admin
