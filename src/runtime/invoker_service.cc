#include "runtime/invoker_service.h"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fstream>
#include <utility>

#include "base/log.h"
#include "runtime/invoker_impl.h"

namespace hearth::runtime {
namespace asio = boost::asio;
namespace {

MonotonicTime now() { return std::chrono::steady_clock::now(); }

int64_t memory_limit(const Config& config) {
  if (config.memory_mib > 0) return config.memory_mib;
  std::ifstream meminfo("/proc/meminfo");  // "MemTotal:       24689444 kB"
  std::string word;
  int64_t kib = 0;
  meminfo >> word >> kib;
  return kib / 1024 * 9 / 10;
}

}  // namespace

std::unique_ptr<InvokerService> InvokerService::start(Dependencies dependencies) {
  return std::make_unique<InvokerImpl>(std::move(dependencies));
}

InvokerImpl::InvokerImpl(Dependencies dependencies)
    : deps_(std::move(dependencies)),
      tasks_(deps_.executor),
      deadlines_(deps_.executor),
      held_(deadlines_),
      admission_({.concurrency = deps_.config.concurrency,
                  .unreserved_minimum = deps_.config.unreserved_minimum,
                  .reserved_sum =
                      [this](const AccountId& account) { return reserved_concurrency(deps_.functions, account); }}),
      pools_(tasks_, deadlines_, deps_.warden, metrics_,
             {.min = deps_.config.pool_min,
              .max = deps_.config.pool_max,
              .max_containers = deps_.config.containers,
              .runtimes = deps_.config.pool_runtimes},
             {.make_room = [this] { return evict_idle(); },
              .is_in_use = [this](const ContainerId& id) { return instances_.contains(id); },
              .on_gone = [this](const warden::ContainerGone& gone) { bound_container_gone(gone); }}),
      events_(
          deps_.executor, deps_.queue, deps_.clock, metrics_, deps_.events,
          [this](Invocation invocation) { return invoke(std::move(invocation)); },
          [this](const Invocation& event) {
            const Function* function = deps_.functions.find(event.function);
            return function != nullptr && function->id == event.function_id;
          }),
      tick_(deps_.executor),
      memory_limit_mib_(memory_limit(deps_.config)) {
  tasks_.spawn("invoker upkeep", tick());
  if (deps_.warden.connected()) pools_.connected();
  events_.start();  // it may invoke at once, so nothing may be left to construct
}

InvokerImpl::~InvokerImpl() {
  for (auto& [key, state] : functions_) {
    deadlines_.remove(state->hurry);
    deadlines_.remove(state->crowd_over);
  }
}

// ---- the way in

asio::awaitable<Result<InvokeResult>> InvokerImpl::invoke(Invocation invocation) {
  auto admitted = admit(invocation);
  if (!admitted) co_return std::unexpected(std::move(admitted).error());
  if (auto* throttled = std::get_if<Throttled>(&*admitted)) co_return InvokeResult(std::move(*throttled));
  auto ticket = std::move(std::get<std::shared_ptr<Ticket>>(*admitted));
  dispatch(ticket);
  auto answer = co_await ticket->done.wait();
  if (!answer) co_return fail(Kind::unavailable, "cancelled");
  if (!*answer) co_return std::unexpected(std::move(*answer).error());
  co_return InvokeResult(std::move(**answer));
}

Result<InvokerImpl::Admitted> InvokerImpl::admit(Invocation& invocation) {
  if (stopping_) return fail(Kind::unavailable, "hearthd is stopping");
  const Function* function = deps_.functions.find(invocation.function);
  if (function == nullptr) return fail(Kind::not_found, "Function not found: " + invocation.function.name);
  if (function->state == "Pending" || function->state == "Failed")
    return fail(Kind::conflict, unusable_in(function->state));
  const auto at = now();
  auto& state = state_of(invocation.function);
  if (const auto refusal = admission_.admit(*function, state.running, at)) {
    record_throttled(invocation, refusal->reason, deps_.clock.wall());
    return Throttled{std::string(refusal->reason)};
  }
  if (waiting_ >= kMaxWaiting) return fail(Kind::exhausted, "too many invocations wait for an instance");
  const auto share = Admission::share_of(*function);
  admission_.enter(function->key.account, share);
  ++state.running;
  auto ticket = std::make_shared<Ticket>();
  ticket->request_id = invocation.request_id.empty() ? request_ids_.next() : std::move(invocation.request_id);
  ticket->qualifier = std::move(invocation.qualifier);
  ticket->payload = std::move(invocation.payload);
  ticket->held = std::move(invocation.held);
  ticket->client_context = std::move(invocation.client_context);
  ticket->trace_id = std::move(invocation.trace_id);
  ticket->log_tail = invocation.log_tail;
  ticket->unreserved = share == Admission::Share::unreserved;
  ticket->function = &state;
  ticket->triggered = at;
  return ticket;
}

FunctionState& InvokerImpl::state_of(const FunctionKey& key) {
  auto& state = functions_[key];
  if (!state) state = std::make_unique<FunctionState>(key, deps_.crowd);
  return *state;
}

void InvokerImpl::dispatch(std::shared_ptr<Ticket> ticket) {
  auto& state = *ticket->function;
  state.waiting.push_back(std::move(ticket));
  ++waiting_;
  if (!waits_for_busy(state)) serve_waiting(state);
}

// Whether those who wait are left to the instances that are at work; how long that may take is then watched.
bool InvokerImpl::waits_for_busy(FunctionState& state) {
  const size_t at_work = state.busy + state.settling + state.starting;
  const bool waits = state.crowd.is_worth_waiting(at_work, cpus_, now());
  if (waits && !state.crowd_over.armed()) watch_crowd(state);
  return waits;
}

void InvokerImpl::watch_crowd(FunctionState& state) {
  const auto patience_ends = state.crowd.patience_ends(state.waiting.front()->triggered);
  deadlines_.set(state.crowd_over, patience_ends, [this, &state] {
    if (state.waiting.empty()) return;
    const auto at = now();
    if (state.crowd.patience_ends(state.waiting.front()->triggered) > at) return watch_crowd(state);
    state.crowd.waited_in_vain(at);
    serve_waiting(state);
  });
}

void InvokerImpl::serve_waiting(FunctionState& state) {
  while (!state.waiting.empty() && !state.ready.empty()) {
    auto& instance = *state.ready.back();
    if (!is_current(instance)) {
      end_instance(instance);
      continue;
    }
    auto ticket = next_waiting(state);
    if (hand_over(instance, ticket)) continue;
    state.waiting.push_front(std::move(ticket));
    ++waiting_;
  }
  ensure_starts(state);
}

// False when the instance does not wait for an event any more.
bool InvokerImpl::hand_over(Instance& instance, const std::shared_ptr<Ticket>& ticket) {
  const auto at = now();
  auto& phases = ticket->phases;
  if (instance.first_use() && ticket->triggered < instance.since()) {
    ticket->start = instance.birth().start;
    phases = instance.birth().phases;
    phases.queue = std::max<int64_t>(
        0, nanoseconds(ticket->triggered, at) - phases.make - phases.pick - phases.bind - phases.shim - phases.import);
  } else {
    phases.queue = nanoseconds(ticket->triggered, at);
  }
  if (!instance.run(ticket)) {
    place(instance, Where::settling);
    return false;
  }
  place(instance, Where::busy);
  return true;
}

// ---- the way out

void InvokerImpl::account(Ticket& ticket, std::string_view outcome) {
  auto& state = *ticket.function;
  --state.running;
  admission_.leave(state.key.account, ticket.unreserved ? Admission::Share::unreserved : Admission::Share::reserved);
  const auto at = now();
  auto& phases = ticket.phases;
  phases.total = nanoseconds(ticket.triggered, at);
  if (ticket.handed != MonotonicTime{}) {
    phases.handler = nanoseconds(ticket.handed, ticket.answered);
    state.crowd.ran(std::chrono::nanoseconds(phases.handler), at);
    phases.reply = nanoseconds(ticket.answered, at);
  }
  count(metrics_.outcomes, outcome);
  metrics_.observe(phases);
  switch (ticket.start) {
    case Start::warm:
      ++metrics_.starts_warm;
      break;
    case Start::pool_hit:
      ++metrics_.starts_pool_hit;
      break;
    case Start::pool_miss:
      ++metrics_.starts_pool_miss;
      break;
  }
  auto& record = recent_.next();
  record.request_id = ticket.request_id;
  record.function = state.key;
  record.start = ticket.start;
  record.phases = phases;
  record.at = deps_.clock.wall();
  record.outcome = outcome;
  record.container = ticket.container;
}

void InvokerImpl::record_throttled(const Invocation& invocation, std::string_view reason, WallTime at) {
  count(metrics_.throttles, reason);
  auto& record = recent_.next();
  record = {};
  record.request_id = invocation.request_id;
  record.function = invocation.function;
  record.at = at;
  record.outcome = "throttled";
}

void InvokerImpl::fail_ticket(std::shared_ptr<Ticket> ticket, const Error& error) {
  account(*ticket, "failed");
  ticket->done.set(std::unexpected(error));
}

void InvokerImpl::on_answer(Instance& instance, std::shared_ptr<Ticket> ticket, Outcome outcome, std::string log_tail) {
  account(*ticket, outcome.kind);
  Answer answer;
  answer.request_id = ticket->request_id;
  answer.payload = std::move(outcome.payload);
  if (outcome.failed) answer.function_error = "Unhandled";
  if (ticket->log_tail) answer.log_tail = std::move(log_tail);
  answer.executed_version = instance.deployment()->function.version;
  if (instance.state() == Instance::State::ready) {
    on_ready(instance);
  } else if (instance.state() == Instance::State::settling) {
    if (may_go_on(instance)) {
      place(instance, Where::settling);
    } else {
      end_instance(instance);
    }
  }
  ticket->done.set(std::move(answer));  // last: whoever waited goes on from here
}

void InvokerImpl::on_ready(Instance& instance) {
  auto& state = *instance.place.function;
  if (!may_go_on(instance)) {
    end_instance(instance);
    return ensure_starts(state);
  }
  place(instance, Where::ready);
  while (auto ticket = next_waiting(state)) {
    if (hand_over(instance, ticket)) return;
    state.waiting.push_front(std::move(ticket));
    ++waiting_;
    return ensure_starts(state);
  }
}

void InvokerImpl::on_unready(Instance& instance) {
  place(instance, Where::settling);
  ensure_starts(*instance.place.function);
}

void InvokerImpl::on_start_failed(Instance& instance, OutcomeFn outcome) {
  auto& state = *instance.place.function;
  if (auto ticket = next_waiting(state)) {
    auto failed = outcome(ticket->request_id);
    instance.fail_start(std::move(ticket), std::move(failed));
  }
  end_instance(instance);
  ensure_starts(state);
}

void InvokerImpl::on_expired(Instance& instance) {
  auto& state = *instance.place.function;
  end_instance(instance);
  ensure_starts(state);
}

// ---- events

asio::awaitable<Result<std::string>> InvokerImpl::enqueue(Invocation invocation) {
  const Function* function = deps_.functions.find(invocation.function);
  if (function == nullptr) co_return fail(Kind::not_found, "Function not found: " + invocation.function.name);
  invocation.function_id = function->id;
  if (invocation.request_id.empty()) invocation.request_id = request_ids_.next();
  invocation.log_tail = false;
  auto id = invocation.request_id;
  CO_TRY(co_await events_.add(std::move(invocation)));
  co_return id;
}

// ---- for people

std::vector<InvocationRecord> InvokerImpl::recent(std::optional<FunctionKey> function, size_t limit) const {
  return recent_.list(function, limit);
}

json::object InvokerImpl::pool_status() const {
  constexpr std::string_view kStates[] = {"starting", "idle", "busy", "settling", "gone"};
  json::array instances;
  const auto at = now();
  for (const auto& [id, instance] : instances_) {
    const auto& function = instance->deployment()->function;
    instances.push_back(json::object{{"container", id.str()},
                                     {"account", function.key.account.str()},
                                     {"function", function.key.name},
                                     {"memory_mib", function.memory_mib},
                                     {"state", kStates[static_cast<size_t>(instance->state())]},
                                     {"state_ms", nanoseconds(instance->since(), at) / 1'000'000}});
  }
  return json::object{{"pools", pools_.status()},
                      {"instances", std::move(instances)},
                      {"containers", pools_.living()},
                      {"memory_mib", memory_mib_},
                      {"memory_limit_mib", memory_limit_mib_},
                      {"waiting", waiting_},
                      {"events_in_flight", events_.in_flight()},
                      {"starts", json::object{{"warm", metrics_.starts_warm},
                                              {"pool_hit", metrics_.starts_pool_hit},
                                              {"pool_miss", metrics_.starts_pool_miss}}}};
}

std::string InvokerImpl::metrics_text() const {
  std::map<std::string, int64_t> gauges{{"containers_living", static_cast<int64_t>(pools_.living())},
                                        {"instances", static_cast<int64_t>(instances_.size())},
                                        {"instances_idle", static_cast<int64_t>(idle_.size())},
                                        {"invocations_waiting", static_cast<int64_t>(waiting_)},
                                        {"bound_memory_mib", memory_mib_}};
  auto out = metrics_.text(gauges);
  out += "# TYPE hearth_pool_stock gauge\n";
  for (const auto& one : pools_.status()) {
    const auto& pool = one.as_object();
    out += "hearth_pool_stock{runtime=\"" + std::string(pool.at("runtime").as_string()) + "\"} " +
           json::serialize(pool.at("stock")) + "\n";
  }
  return out;
}

// ---- the warden's client

void InvokerImpl::warden_connected(const warden::HelloReply& hello) {
  deps_.runtimes.set_available(hello.runtimes);
  pools_.connected();
}

void InvokerImpl::warden_disconnected() { pools_.disconnected(); }

void InvokerImpl::container_gone(const warden::ContainerGone& gone) { pools_.container_gone(gone); }

// ---- the end

asio::awaitable<void> InvokerImpl::stop() {
  stopping_ = true;
  events_.stop();
  pools_.stop();
  const Error error{Kind::unavailable, "hearthd is stopping"};
  for (auto& [key, state] : functions_)
    while (auto ticket = next_waiting(*state)) fail_ticket(std::move(ticket), error);
  while (!instances_.empty()) {
    auto instance = instances_.begin()->second;
    auto ticket = instance->ticket();
    end_instance(*instance);
    if (ticket) fail_ticket(std::move(ticket), error);
  }
  co_await events_.join();
  tick_.cancel();
  tasks_.stop();
  deadlines_.stop();
  co_await tasks_.join();
}

}  // namespace hearth::runtime
