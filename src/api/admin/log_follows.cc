#include "api/admin/log_follows.h"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <iterator>

#include "base/ids.h"

namespace hearth::api::admin {
namespace asio = boost::asio;
namespace {

bool same(const runtime::LogLine& a, const runtime::LogLine& b) {
  return a.at == b.at && a.request_id == b.request_id && a.stream == b.stream && a.text == b.text;
}

size_t weight(const runtime::LogLine& line) { return line.text.size() + line.request_id.size() + line.at.size(); }

}  // namespace

LogFollows::~LogFollows() {
  for (const auto& [id, follow] : follows_) logs_.unfollow(follow->follower);
}

void LogFollows::add(Follow& follow, const runtime::LogLine& line) {
  follow.lines.push_back(line);
  follow.bytes += weight(line);
  while (follow.lines.size() > kMaxLines || follow.bytes > kMaxBytes) {
    follow.bytes -= weight(follow.lines.front());
    follow.lines.pop_front();
    ++follow.dropped;
  }
  follow.came.cancel();
}

// A line that was written while the log's end was read is in both.
void LogFollows::skip_seen(Follow& follow, const std::vector<runtime::LogLine>& seen) {
  for (size_t both = std::min(seen.size(), follow.lines.size()); both > 0; --both) {
    if (!std::equal(seen.end() - static_cast<ptrdiff_t>(both), seen.end(), follow.lines.begin(), same)) continue;
    for (; both > 0; --both) {
      follow.bytes -= weight(follow.lines.front());
      follow.lines.pop_front();
    }
    return;
  }
}

void LogFollows::forget_old() {
  auto now = clock_.monotonic();
  std::erase_if(follows_, [&](const auto& entry) {
    bool old = now - entry.second->asked > kForget;
    if (old) logs_.unfollow(entry.second->follower);
    return old;
  });
}

asio::awaitable<Result<LogFollows::Begun>> LogFollows::open(runtime::FunctionKey function, size_t tail) {
  forget_old();
  if (follows_.size() >= kMaxFollows) co_return fail(Kind::exhausted, "64 logs are followed already, the most allowed");
  auto follow = std::make_shared<Follow>(co_await asio::this_coro::executor);
  follow->function = function;
  follow->asked = clock_.monotonic();
  // Before the log's end is read, so that no line falls between.
  CO_TRY_ASSIGN(follow->follower,
                logs_.follow(function, [raw = follow.get()](const runtime::LogLine& line) { add(*raw, line); }));
  Begun begun;
  begun.id = random_hex(32);
  follows_.emplace(begun.id, follow);
  auto seen = co_await logs_.tail(function, tail);
  if (!seen) {
    logs_.unfollow(follow->follower);
    follows_.erase(begun.id);
    co_return std::unexpected(std::move(seen).error());
  }
  begun.lines = std::move(*seen);
  skip_seen(*follow, begun.lines);
  co_return begun;
}

asio::awaitable<Result<LogFollows::Lines>> LogFollows::take(std::string id, runtime::FunctionKey function,
                                                            std::chrono::milliseconds wait) {
  auto found = follows_.find(id);
  if (found == follows_.end() || found->second->function != function) {
    co_return fail(Kind::not_found, "this follow of the log is over; begin again");
  }
  auto follow = found->second;
  follow->asked = clock_.monotonic();
  forget_old();
  if (follow->lines.empty() && wait.count() > 0) {
    follow->came.expires_after(wait);
    boost::system::error_code ended;  // the time is over, a line came, or another take() of this follow began
    co_await follow->came.async_wait(asio::redirect_error(asio::use_awaitable, ended));
    follow->asked = clock_.monotonic();
  }
  Lines taken;
  taken.lines.assign(std::make_move_iterator(follow->lines.begin()), std::make_move_iterator(follow->lines.end()));
  taken.dropped = std::exchange(follow->dropped, 0);
  follow->lines.clear();
  follow->bytes = 0;
  co_return taken;
}

}  // namespace hearth::api::admin
