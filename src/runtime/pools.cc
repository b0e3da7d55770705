#include "runtime/pools.h"

#include <algorithm>
#include <utility>

#include "base/log.h"

namespace hearth::runtime {
namespace asio = boost::asio;
using namespace std::chrono_literals;
namespace {

MonotonicTime now() { return std::chrono::steady_clock::now(); }

}  // namespace

Result<WarmContainer> warm_container(const std::string& runtime, WardenAnswer answer) {
  auto* reply = std::get_if<warden::ContainerReply>(&answer.reply);
  if (reply == nullptr) return fail(Kind::internal, "the warden's reply is of another type");
  if (answer.fds.size() != 4) return fail(Kind::internal, "a container came without its four descriptors");
  return WarmContainer{.id = std::move(reply->container),
                       .runtime = runtime,
                       .address = std::move(reply->address),
                       .runtime_api = std::move(answer.fds[0]),
                       .endpoint = std::move(answer.fds[1]),
                       .log = std::move(answer.fds[2]),
                       .peak_memory = std::move(answer.fds[3])};
}

Pools::Pools(TaskGroup& tasks, Deadlines& deadlines, WardenClient& warden, Metrics& metrics, Options options,
             Hooks hooks)
    : tasks_(tasks),
      deadlines_(deadlines),
      warden_(warden),
      metrics_(metrics),
      options_(std::move(options)),
      hooks_(std::move(hooks)) {
  for (const auto& runtime : options_.runtimes) pools_[runtime].in_use = true;
}

Pools::~Pools() {
  deadlines_.remove(reconcile_timer_);
  for (auto& [runtime, pool] : pools_) {
    deadlines_.remove(pool.refill);
    for (auto& waiter : pool.waiting) deadlines_.remove(waiter->deadline);
  }
}

void Pools::stop() {
  stopped_ = true;
  fail_all(Error{Kind::unavailable, "hearthd is stopping"});
  for (auto& wanted : std::exchange(want_connection_, {})) wanted->set(false);
}

// ---- taking

asio::awaitable<Result<Pools::Taken>> Pools::take(std::string runtime) {
  if (stopped_) co_return fail(Kind::unavailable, "hearthd is stopping");
  auto& from = pool(runtime);
  from.in_use = true;
  from.demand.taken(now());
  if (!from.stock.empty()) {
    Taken taken{std::move(from.stock.back()), 0};
    from.stock.pop_back();
    living_[taken.container.id] = Life::bound;
    refill_after_start(runtime);
    co_return taken;
  }
  if (waiting_ >= kMaxWaiting) co_return fail(Kind::exhausted, "too many invocations wait for a container");
  const auto began = now();
  auto waiter = std::make_shared<Waiter>();
  from.waiting.push_back(waiter);
  ++waiting_;
  deadlines_.set(waiter->deadline, began + kTakeDeadline, [waiter = waiter.get()] {
    waiter->done.set(fail(Kind::timeout, "no container could be made in time"));
  });
  pump(runtime);
  auto got = co_await waiter->done.wait();
  deadlines_.remove(waiter->deadline);
  if (std::erase(from.waiting, waiter) > 0) --waiting_;
  if (!got) co_return fail(Kind::unavailable, "cancelled");
  if (!*got) co_return std::unexpected(std::move(*got).error());
  co_return Taken{std::move(**got), nanoseconds_since(began)};
}

int64_t Pools::nanoseconds_since(MonotonicTime began) {
  return std::max<int64_t>(1, std::chrono::duration_cast<std::chrono::nanoseconds>(now() - began).count());
}

void Pools::give_back(WarmContainer container) {
  const auto at = living_.find(container.id);
  if (at == living_.end()) return;  // it ended meanwhile
  at->second = Life::warm;
  const auto runtime = container.runtime;
  deliver(runtime, std::move(container));
}

void Pools::deliver(const std::string& runtime, WarmContainer container) {
  auto& to = pool(runtime);
  while (!to.waiting.empty()) {
    auto waiter = std::move(to.waiting.front());
    to.waiting.pop_front();
    --waiting_;
    if (waiter->done.is_set()) continue;  // its deadline passed
    living_[container.id] = Life::bound;
    waiter->done.set(std::move(container));
    return;
  }
  living_[container.id] = Life::warm;
  to.stock.push_back(std::move(container));
}

void Pools::kill(ContainerId container) {
  const auto at = living_.find(container);
  if (at == living_.end() || at->second == Life::dying) return;
  at->second = Life::dying;
  ++metrics_.killed;
  tasks_.spawn("kill container", send_kill(std::move(container)));
}

asio::awaitable<void> Pools::send_kill(ContainerId container) {
  warden::Request request = warden::Kill{container};
  auto done = co_await warden_.call(std::move(request), 5s);
  if (!done && done.error().kind == Kind::not_found) living_.erase(container);
  // Otherwise: the next reconciliation kills what is dying and still there.
}

// ---- making

Pools::Pool& Pools::pool(const std::string& runtime) { return pools_[runtime]; }

size_t Pools::stock(const std::string& runtime) const {
  auto at = pools_.find(runtime);
  return at == pools_.end() ? 0 : at->second.stock.size();
}

int64_t Pools::target(const Pool& pool) const {
  if (!pool.in_use) return 0;
  const auto wanted = options_.min + pool.demand.wanted(now(), pool.make_seconds);
  return std::clamp(wanted, options_.min, std::max(options_.min, options_.max));
}

bool Pools::may_make(const Pool& pool) const {
  if (pool.making < pool.waiting.size()) return making_ < kMaxMakes;
  if (pool.refill.armed()) return false;
  const auto coming = static_cast<int64_t>(pool.stock.size() + pool.making - pool.waiting.size());
  return making_ < kMaxRefills && coming < target(pool);
}

bool Pools::has_room(Pool& pool) {
  if (static_cast<int64_t>(living()) < options_.max_containers) return true;
  if (pool.waiting.empty()) return false;
  const bool dying = std::ranges::any_of(living_, [](const auto& one) { return one.second == Life::dying; });
  if (dying || (hooks_.make_room && hooks_.make_room())) return false;  // its end calls pump()
  for (auto& [runtime, other] : pools_) {
    if (other.stock.empty()) continue;
    auto surplus = std::move(other.stock.front());
    other.stock.pop_front();
    kill(surplus.id);
    return false;
  }
  if (pool.making == 0) fail_one(pool, Error{Kind::exhausted, "the host's limit of containers is reached"});
  return false;
}

void Pools::pump(const std::string& runtime) {
  auto& to = pool(runtime);
  const auto may = [&] { return !stopped_ && !reconciling_ && warden_.connected() && now() >= to.not_before; };
  while (may() && may_make(to) && has_room(to)) {  // a make may fail before spawn() returns
    ++to.making;
    ++making_;
    tasks_.spawn("make container", make(runtime));
  }
}

void Pools::pump_all() {
  for (auto& [runtime, pool] : pools_)  // those who wait first
    if (!pool.waiting.empty()) pump(runtime);
  for (auto& [runtime, pool] : pools_) pump(runtime);
}

void Pools::pump_later(const std::string& runtime, std::chrono::milliseconds delay) {
  auto& to = pool(runtime);
  if (to.refill.armed()) return;
  deadlines_.set(to.refill, now() + delay, [this, runtime] { pump(runtime); });
}

void Pools::refill_after_start(const std::string& runtime) {
  auto& to = pool(runtime);
  const auto at = now();
  if (!to.refill.armed()) to.refill_by = at + kMaxRefillDelay;
  deadlines_.set(to.refill, std::min(at + kRefillDelay, to.refill_by), [this, runtime] { pump(runtime); });
}

asio::awaitable<void> Pools::make(std::string runtime) {
  const auto began = now();
  warden::Request request = warden::MakeContainer{runtime};
  auto answer = co_await warden_.call(std::move(request), kMakeDeadline);
  made(runtime, std::move(answer), began);
}

void Pools::made(const std::string& runtime, Result<WardenAnswer> answer, MonotonicTime began) {
  auto& to = pool(runtime);
  --to.making;
  --making_;
  auto container = answer ? warm_container(runtime, std::move(*answer)) : std::unexpected(std::move(answer).error());
  if (!container) {
    ++metrics_.make_failures;
    if (container.error().kind == Kind::timeout) reconcile_later(1s);  // it may be made yet
    to.backoff = to.backoff == 0ms ? kFirstBackoff : std::min(to.backoff * 2, kMaxBackoff);
    if (container.error().kind == Kind::unavailable) {  // those who wait go on waiting for its return
      to.backoff = 0ms;
      to.not_before = now() + kRefillDelay;
    } else {
      log::warn("no container of {}: {}", runtime, container.error().describe());
      to.not_before = now() + to.backoff;
      fail_one(to, container.error());
    }
    deadlines_.remove(to.refill);
    pump_later(runtime, std::max(to.backoff, kRefillDelay) + 1ms);
    return;
  }
  to.backoff = 0ms;
  ++metrics_.made;
  const auto took = nanoseconds_since(began);
  metrics_.make.observe(took);
  to.make_seconds = to.make_seconds * 0.8 + static_cast<double>(took) / 1e9 * 0.2;
  deliver(runtime, std::move(*container));
  pump(runtime);
}

void Pools::fail_one(Pool& pool, const Error& error) {
  while (!pool.waiting.empty()) {
    auto waiter = std::move(pool.waiting.front());
    pool.waiting.pop_front();
    --waiting_;
    if (waiter->done.is_set()) continue;
    waiter->done.set(std::unexpected(error));
    return;
  }
}

void Pools::fail_all(const Error& error) {
  for (auto& [runtime, pool] : pools_)
    while (!pool.waiting.empty()) fail_one(pool, error);
}

// ---- upkeep

void Pools::tick(MonotonicTime) {
  for (auto& [runtime, pool] : pools_) {
    // One a second: a stock that grew for a burst shrinks slowly.
    if (static_cast<int64_t>(pool.stock.size()) > target(pool)) {
      auto surplus = std::move(pool.stock.front());
      pool.stock.pop_front();
      kill(surplus.id);
    }
  }
  pump_all();
}

void Pools::container_gone(const warden::ContainerGone& gone) {
  const auto at = living_.find(gone.container);
  if (at == living_.end()) return;
  const auto life = at->second;
  living_.erase(at);
  if (life == Life::warm) {
    for (auto& [runtime, pool] : pools_)
      std::erase_if(pool.stock, [&gone](const WarmContainer& one) { return one.id == gone.container; });
  } else if (life == Life::bound && hooks_.on_gone) {
    hooks_.on_gone(gone);
  }
  pump_all();
}

json::array Pools::status() const {
  json::array all;
  for (const auto& [runtime, pool] : pools_) {
    all.push_back(json::object{{"runtime", runtime},
                               {"stock", pool.stock.size()},
                               {"target", target(pool)},
                               {"making", pool.making},
                               {"waiting", pool.waiting.size()},
                               {"binds_per_second", pool.demand.rate(now())},
                               {"make_ms", pool.make_seconds * 1e3}});
  }
  return all;
}

}  // namespace hearth::runtime
