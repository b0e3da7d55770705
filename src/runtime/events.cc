#include "runtime/events.h"

#include <algorithm>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <utility>

#include "base/json.h"
#include "base/log.h"

namespace hearth::runtime {
namespace asio = boost::asio;
namespace {

constexpr size_t kMaxField = 64 * 1024;

}  // namespace

// A line of JSON, then the payload as it came.
std::string encode_event(const Invocation& invocation) {
  auto body = json::serialize(json::object{{"request_id", invocation.request_id},
                                           {"account", invocation.function.account.str()},
                                           {"function", invocation.function.name},
                                           {"function_id", invocation.function_id},
                                           {"qualifier", invocation.qualifier},
                                           {"client_context", invocation.client_context},
                                           {"trace_id", invocation.trace_id}});
  body.append(1, '\n').append(invocation.payload);
  return body;
}

Result<Invocation> decode_event(std::string_view body) {
  const auto line = body.find('\n');
  if (line == std::string_view::npos) return fail(Kind::invalid, "not an event");
  TRY_ASSIGN(const auto head, parse_json(body.substr(0, line), 4 * kMaxField));
  TRY_ASSIGN(auto fields, FieldReader::of(head, "event"));
  Invocation invocation;
  TRY_ASSIGN(invocation.request_id, fields.text("request_id", 64));
  TRY_ASSIGN(auto account, fields.text("account", 12));
  invocation.function.account = AccountId(std::move(account));
  TRY_ASSIGN(invocation.function.name, fields.text("function", 140));
  TRY_ASSIGN(invocation.function_id, fields.text("function_id", 64));
  TRY_ASSIGN(invocation.qualifier, fields.text("qualifier", 128));
  TRY_ASSIGN(invocation.client_context, fields.text("client_context", kMaxField));
  TRY_ASSIGN(invocation.trace_id, fields.text("trace_id", kMaxField));
  TRY(fields.finish());
  invocation.payload = body.substr(line + 1);
  return invocation;
}

EventWorker::EventWorker(asio::any_io_executor executor, store::Queue& queue, const Clock& clock, Metrics& metrics,
                         EventPolicy policy, InvokeFn invoke, IsThereFn is_there)
    : queue_(queue),
      clock_(clock),
      metrics_(metrics),
      policy_(std::move(policy)),
      invoke_(std::move(invoke)),
      is_there_(std::move(is_there)),
      tasks_(executor),
      wake_(executor),
      renewal_(executor) {}

void EventWorker::start() {
  tasks_.spawn("events", work());
  tasks_.spawn("event leases", renew());
}

asio::awaitable<Result<>> EventWorker::add(Invocation invocation) {
  auto body = encode_event(invocation);
  CO_TRY(decode_event(body));
  const auto account = invocation.function.account;
  CO_TRY(co_await queue_.enqueue(kQueues + account.str(), std::move(body)));
  running_of_.try_emplace(account, 0);
  ++metrics_.events_accepted;
  wake();
  co_return Result<>{};
}

asio::awaitable<Result<>> EventWorker::clear(AccountId account) {
  CO_TRY(co_await queue_.clear(kQueues + account.str()));
  std::erase_if(put_off_, [&](const auto& entry) { return entry.first.account == account; });
  co_return Result<>{};
}

void EventWorker::wake() {
  woken_ = true;
  wake_.cancel();
}

void EventWorker::stop() {
  tasks_.stop();
  wake_.cancel();
  renewal_.cancel();
}

asio::awaitable<void> EventWorker::join() { co_await tasks_.join(); }

asio::awaitable<void> EventWorker::work() {
  while (!tasks_.stopping()) {
    woken_ = false;
    if (!found_accounts_) co_await find_accounts();
    bool more = false;
    for (auto& account : accounts_in_turn()) {
      const bool of_this = co_await lease(std::move(account));
      more = more || of_this;
    }
    if (woken_ || more) continue;
    boost::system::error_code ignored;  // cancelled is how it is woken
    wake_.expires_after(policy_.poll);
    co_await wake_.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
  }
}

// Those with events from before; add() tells of all others.
asio::awaitable<void> EventWorker::find_accounts() {
  auto names = co_await queue_.names(kQueues);
  if (!names) {
    log::error("the queues of events can't be listed: {}", names.error().describe());
    co_return;
  }
  for (const auto& name : *names) running_of_.try_emplace(AccountId(name.substr(std::string_view(kQueues).size())), 0);
  found_accounts_ = true;
}

// Begins behind the one that was served last.
std::vector<AccountId> EventWorker::accounts_in_turn() const {
  std::vector<AccountId> accounts;
  const auto middle = running_of_.upper_bound(last_served_);
  for (auto at = middle; at != running_of_.end(); ++at) accounts.push_back(at->first);
  for (auto at = running_of_.begin(); at != middle; ++at) accounts.push_back(at->first);
  return accounts;
}

asio::awaitable<bool> EventWorker::lease(AccountId account) {
  auto& running_of = running_of_[account];
  if (running_ >= kInFlight || running_of >= kInFlightOfAccount) co_return false;
  const size_t room = std::min(kInFlight - running_, kInFlightOfAccount - running_of);
  auto items = co_await queue_.lease(kQueues + account.str(), room, policy_.lease);
  if (!items) {
    log::error("events can't be leased: {}", items.error().describe());
    co_return false;
  }
  if (items->empty()) co_return false;
  last_served_ = account;
  for (auto& item : *items) {
    // In hand already: hurry_next() made it due when its own time had come.
    if (!leased_.emplace(item.id, 0).second) continue;
    ++running_;
    ++running_of;
    tasks_.spawn("event", handle(std::move(item), account));
  }
  co_return running_ < kInFlight&& running_of < kInFlightOfAccount;
}

asio::awaitable<void> EventWorker::handle(store::QueueItem item, AccountId account) {
  const auto id = item.id;
  auto next = Next::gone;
  FunctionKey function;
  auto invocation = decode_event(item.body);
  if (!invocation) {
    log::error("event {} is dropped: {}", id, invocation.error().describe());
  } else {
    function = invocation->function;
    forget_put_off(function, id);
    next = co_await attempt(std::move(*invocation));
  }
  if (!tasks_.stopping()) co_await settle(std::move(item), function, next);
  if (!tasks_.stopping() && next != Next::refused) co_await hurry_next(std::move(function));
  leased_.erase(id);
  auto& running_of = running_of_[account];
  const bool was_full = running_ == kInFlight || running_of == kInFlightOfAccount;
  --running_;
  --running_of;
  if (was_full) wake();
}

// Only that its function is gone ends an event: a runtime or a network that is missing may come back.
asio::awaitable<EventWorker::Next> EventWorker::attempt(Invocation invocation) {
  if (!is_there_(invocation)) co_return Next::gone;
  auto result = co_await invoke_(std::move(invocation));
  if (!result) co_return Next::refused;
  const auto* answer = std::get_if<Answer>(&*result);
  if (answer == nullptr) co_return Next::refused;
  co_return answer->function_error.empty() ? Next::done : Next::failed;
}

asio::awaitable<void> EventWorker::settle(store::QueueItem item, FunctionKey function, Next next) {
  auto& trouble = troubles_[item.id];
  std::chrono::milliseconds delay{0};
  if (next == Next::failed && trouble.failures < policy_.retry_delays.size()) {
    delay = policy_.retry_delays[trouble.failures++];
  } else if (next == Next::refused) {
    delay = std::min(policy_.throttle_max, policy_.throttle_first * (1 << std::min<size_t>(trouble.refusals++, 20)));
  }
  const bool too_old = clock_.wall() + delay > item.enqueued_at + policy_.max_age;
  Result<> done;
  if (delay.count() > 0 && !too_old) {
    ++metrics_.events_retried;
    leased_.erase(item.id);  // a renewal must not move the time that is set now
    if (next == Next::refused) put_off_[function].insert(item.id);
    done = co_await queue_.retry_later(item.id, delay);
  } else {
    troubles_.erase(item.id);
    next == Next::done ? ++metrics_.events_done : ++metrics_.events_dropped;
    done = co_await queue_.acknowledge(item.id);
  }
  if (done) co_return;
  troubles_.erase(item.id);  // it is gone, or starts anew when its lease has ended
  if (done.error().kind != Kind::not_found) log::error("event {}: {}", item.id, done.error().describe());
}

// A place of the function's concurrency may have come free.
asio::awaitable<void> EventWorker::hurry_next(FunctionKey function) {
  const auto at = put_off_.find(function);
  if (at == put_off_.end()) co_return;
  const auto id = *at->second.begin();
  forget_put_off(function, id);
  auto done = co_await queue_.retry_later(id, std::chrono::milliseconds(0));
  if (!done && done.error().kind != Kind::not_found) log::error("event {}: {}", id, done.error().describe());
  wake();
}

void EventWorker::forget_put_off(const FunctionKey& function, int64_t id) {
  const auto at = put_off_.find(function);
  if (at == put_off_.end()) return;
  at->second.erase(id);
  if (at->second.empty()) put_off_.erase(at);
}

asio::awaitable<void> EventWorker::renew() {
  while (!tasks_.stopping()) {
    boost::system::error_code ignored;  // only stop() cancels it
    renewal_.expires_after(policy_.lease / 3);
    co_await renewal_.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
    std::vector<int64_t> ids;
    for (const auto& [id, unused] : leased_) ids.push_back(id);
    for (const auto id : ids) {
      if (tasks_.stopping() || !leased_.contains(id)) continue;
      auto done = co_await queue_.retry_later(id, policy_.lease);
      if (!done && done.error().kind != Kind::not_found) log::warn("event {}: {}", id, done.error().describe());
    }
  }
}

}  // namespace hearth::runtime
