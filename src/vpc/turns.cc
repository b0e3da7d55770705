#include "vpc/turns.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace hearth::vpc {

namespace asio = boost::asio;

Turns::Turn::~Turn() {
  if (line_) pass_on(*line_);
}

void Turns::pass_on(Line& line) {
  if (line.waiting.empty()) {
    line.taken = false;
    return;
  }
  Waiter* next = line.waiting.front();
  line.waiting.pop_front();
  next->granted = true;
  next->wake.cancel();
}

asio::awaitable<Result<Turns::Turn>> Turns::take(AccountId account) {
  auto& entry = lines_[account];
  if (!entry) entry = std::make_shared<Line>();
  auto line = entry;
  if (!line->taken) {
    line->taken = true;
    co_return Turn(line);
  }
  if (line->waiting.size() >= kMaxWaiting)
    co_return fail(Kind::exhausted, "too many changes of this account's networks are waiting");
  auto never = asio::steady_timer::time_point::max();
  Waiter waiter{asio::steady_timer(co_await asio::this_coro::executor, never)};
  line->waiting.push_back(&waiter);
  co_await asio::this_coro::throw_if_cancelled(false);
  co_await waiter.wake.async_wait(asio::as_tuple(asio::use_awaitable));
  bool cancelled = (co_await asio::this_coro::cancellation_state).cancelled() != asio::cancellation_type::none;
  co_await asio::this_coro::throw_if_cancelled(true);
  if (waiter.granted && !cancelled) co_return Turn(line);
  if (waiter.granted)
    pass_on(*line);
  else
    std::erase(line->waiting, &waiter);
  co_return fail(Kind::unavailable, "the wait for a change of networks was cancelled");
}

}  // namespace hearth::vpc
