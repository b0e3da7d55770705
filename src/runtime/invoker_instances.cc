// Instances of the invoker: their starts, their places, their ends.

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <utility>

#include "base/log.h"
#include "runtime/invoker_impl.h"

namespace hearth::runtime {
namespace asio = boost::asio;
using namespace std::chrono_literals;
namespace {

MonotonicTime now() { return std::chrono::steady_clock::now(); }

// After these another container may do.
bool worth_another(Kind kind) {
  return kind == Kind::unavailable || kind == Kind::conflict || kind == Kind::timeout || kind == Kind::not_found;
}

}  // namespace

// ---- places

void InvokerImpl::place(Instance& instance, Where where) {
  auto& now_at = instance.place;
  auto& state = *now_at.function;
  const auto before = std::exchange(now_at.where, where);
  if (before == where) return;
  if (before == Where::busy) --state.busy;
  if (where == Where::busy) ++state.busy;
  if (before == Where::starting) --state.starting;
  if (before == Where::settling) --state.settling;
  if (before == Where::ready) {
    if (!state.ready.empty() && state.ready.back() == &instance) {
      state.ready.pop_back();
    } else {
      std::erase(state.ready, &instance);
    }
    others_.splice(others_.end(), idle_, now_at.at);
  }
  if (where == Where::starting) ++state.starting;
  if (where == Where::settling) ++state.settling;
  if (where == Where::ready) {
    state.ready.push_back(&instance);
    idle_.splice(idle_.end(), others_, now_at.at);
  }
}

bool InvokerImpl::is_current(const Instance& instance) const {
  return instance.deployment() == instance.place.function->deployment;
}

bool InvokerImpl::may_go_on(const Instance& instance) const {
  const bool held = deps_.config.hold_seconds > 0 || instance.first_use();
  return is_current(instance) && !stopping_ && held;
}

std::shared_ptr<Ticket> InvokerImpl::next_waiting(FunctionState& state) {
  if (state.waiting.empty()) return nullptr;
  auto ticket = std::move(state.waiting.front());
  state.waiting.pop_front();
  --waiting_;
  return ticket;
}

// ---- starts

void InvokerImpl::ensure_starts(FunctionState& state) {
  if (state.waiting.empty()) return;
  begin_starts(state, state.settling);
  if (state.starting < state.waiting.size() && !state.hurry.armed())
    deadlines_.set(state.hurry, now() + kSettleGrace, [this, &state] { ensure_starts_in_a_hurry(state); });
}

void InvokerImpl::ensure_starts_in_a_hurry(FunctionState& state) { begin_starts(state, 0); }

void InvokerImpl::begin_starts(FunctionState& state, size_t coming) {
  // A start may fail before spawn() returns, and take the ticket it was for with it.
  while (!stopping_ && state.starting + coming < state.waiting.size() && !waits_for_busy(state)) {
    ++state.starting;
    tasks_.spawn("start instance", start_instance(&state));
  }
}

// Its place among state->starting keeps the state alive.
asio::awaitable<void> InvokerImpl::start_instance(FunctionState* state) {
  auto outcome = co_await try_start(state);
  --state->starting;
  if (outcome) co_return;
  if (outcome.error().kind == Kind::internal)
    log::error("an instance of {} can't start: {}", state->key.name, outcome.error().describe());
  if (auto ticket = next_waiting(*state)) fail_ticket(std::move(ticket), outcome.error());
}

asio::awaitable<Result<>> InvokerImpl::try_start(FunctionState* state) {
  Result<> outcome;
  for (int attempt = 0; attempt < kBindAttempts; ++attempt) {
    if (!co_await pools_.wait_connected(kReconnectPatience))
      co_return fail(Kind::unavailable, "no connection to the warden");
    CO_TRY_ASSIGN(auto deployment, deployment_of(*state));
    CO_TRY_ASSIGN(auto runtime, deps_.runtimes.resolve(deployment->function.runtime));
    CO_TRY_ASSIGN(auto plan, deps_.network_plan(deployment->function));
    const auto began = now();
    CO_TRY_ASSIGN(auto taken, co_await pools_.take(std::move(runtime)));
    if (state->waiting.size() < state->starting || state->deployment != deployment) {
      const bool wanted = state->waiting.size() >= state->starting;
      pools_.give_back(std::move(taken.container));
      if (!wanted) co_return Result<>{};  // other instances served those who waited
      continue;
    }
    auto room = reserve_memory(deployment->function.memory_mib);
    if (!room) {
      pools_.give_back(std::move(taken.container));
      co_return room;
    }
    Instance::Birth birth{
        .start = taken.make_ns > 0 ? Start::pool_miss : Start::pool_hit, .phases = {}, .triggered = now(), .bound = {}};
    birth.phases.make = taken.make_ns;
    birth.phases.pick = std::max<int64_t>(0, nanoseconds(began, birth.triggered) - taken.make_ns);
    auto reply = co_await bind(deployment, taken.container.id, std::move(plan));
    birth.bound = now();
    if (reply && state->deployment == deployment && !stopping_) {
      birth.phases.bind = nanoseconds(birth.triggered, birth.bound);
      birth.phases.mount = reply->mount_ns;
      birth.phases.limits = reply->limits_ns;
      birth.phases.network = reply->network_ns;
      birth.phases.message = reply->message_ns;
      born(*state, std::move(deployment), std::move(taken.container), birth);
      co_return Result<>{};
    }
    memory_mib_ -= deployment->function.memory_mib;
    pools_.kill(taken.container.id);
    if (reply) continue;  // the function changed meanwhile
    ++metrics_.bind_failures;
    outcome = std::unexpected(std::move(reply).error());
    if (!worth_another(outcome.error().kind)) co_return outcome;
  }
  if (outcome) outcome = fail(Kind::unavailable, "the function changes faster than it starts");
  co_return outcome;
}

Result<std::shared_ptr<const Deployment>> InvokerImpl::deployment_of(FunctionState& state) {
  if (state.deployment) return state.deployment;
  const Function* function = deps_.functions.find(state.key);
  if (function == nullptr) return fail(Kind::not_found, "Function not found: " + state.key.name);
  TRY_ASSIGN(auto log, deps_.logs.sink(state.key));
  state.deployment = std::make_shared<const Deployment>(Deployment{*function, function->arn(), std::move(log)});
  return state.deployment;
}

asio::awaitable<Result<warden::BindReply>> InvokerImpl::bind(std::shared_ptr<const Deployment> deployment,
                                                             ContainerId container, NetworkPlan plan) {
  const auto& function = deployment->function;
  warden::Bind bind;
  bind.container = std::move(container);
  bind.package = function.package;
  bind.memory_mib = function.memory_mib;
  bind.tmp_mib = function.tmp_mib;
  bind.attachment = std::move(plan.attachment);
  bind.policy = std::move(plan.policy);
  bind.nameservers = std::move(plan.nameservers);
  bind.start = start_message(function, deps_.config, deps_.credentials(function),
                             log_stream_name(deps_.clock.wall(), function.version));
  if (bind.start.size() > warden::kMaxStart) co_return fail(Kind::invalid, "the function's environment is too large");
  ++metrics_.binds;
  warden::Request request = std::move(bind);
  co_return co_await call_for<warden::BindReply>(deps_.warden, std::move(request), kBindDeadline);
}

void InvokerImpl::born(FunctionState& state, std::shared_ptr<const Deployment> deployment, WarmContainer container,
                       Instance::Birth birth) {
  const InstanceContext context{tasks_, deadlines_, held_, deps_.clock, metrics_};
  auto stop_endpoint = deps_.serve_endpoint(std::move(container.endpoint));
  const auto id = container.id;
  InstanceOwner& owner = *this;
  auto instance = std::make_shared<Instance>(context, owner, std::move(deployment), std::move(container), birth,
                                             std::move(stop_endpoint));
  instance->place.function = &state;
  others_.push_back(instance.get());
  instance->place.at = std::prev(others_.end());
  place(*instance, Where::starting);
  state.instances.push_back(instance);
  instances_.emplace(id, std::move(instance));
}

Result<> InvokerImpl::reserve_memory(int64_t mib) {
  while (memory_mib_ + mib > memory_limit_mib_ && evict_idle()) {
  }
  if (memory_mib_ + mib > memory_limit_mib_) return fail(Kind::exhausted, "the host's memory for functions is in use");
  memory_mib_ += mib;
  return {};
}

// ---- ends

bool InvokerImpl::evict_idle() {
  if (idle_.empty()) return false;
  ++metrics_.evicted;
  end_instance(*idle_.front());
  return true;
}

void InvokerImpl::end_instance(Instance& instance) {
  const auto id = instance.container();
  forget(instance);
  pools_.kill(id);  // what has ended by itself is not known there any more
}

void InvokerImpl::forget(Instance& instance) {
  const auto at = instances_.find(instance.container());
  if (at == instances_.end()) return;
  const auto self = std::move(at->second);
  instances_.erase(at);
  place(instance, Where::nowhere);
  others_.erase(instance.place.at);
  memory_mib_ -= instance.deployment()->function.memory_mib;
  std::erase(instance.place.function->instances, self);
  instance.end();
}

void InvokerImpl::bound_container_gone(const warden::ContainerGone& gone) {
  const auto at = instances_.find(gone.container);
  if (at == instances_.end()) return;  // it ended while it was being bound; the warden refuses that
  const auto instance = at->second;
  auto& state = *instance->place.function;
  instance->container_gone(gone);
  forget(*instance);
  ensure_starts(state);
}

void InvokerImpl::replace_instances(const FunctionKey& function) {
  const auto at = functions_.find(function);
  if (at == functions_.end()) return;
  auto& state = *at->second;
  state.deployment.reset();
  const auto instances = state.instances;
  for (const auto& instance : instances)
    if (instance->state() != Instance::State::busy) end_instance(*instance);
  ensure_starts(state);
}

// ---- upkeep

asio::awaitable<void> InvokerImpl::tick() {
  while (!stopping_) {
    boost::system::error_code ignored;  // only stop() cancels it
    tick_.expires_after(1s);
    co_await tick_.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
    if (stopping_) co_return;
    const auto at = now();
    const auto hold = std::chrono::seconds(deps_.config.hold_seconds);
    while (!idle_.empty() && at - idle_.front()->since() > hold) end_instance(*idle_.front());
    std::erase_if(functions_, [this](auto& entry) {
      if (!entry.second->unused() || entry.second->hurry.armed() || entry.second->crowd_over.armed()) return false;
      return deps_.functions.find(entry.first) == nullptr;
    });
    pools_.tick(at);
  }
}

}  // namespace hearth::runtime
