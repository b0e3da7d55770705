#include "runtime/instance.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <utility>

#include "base/base64.h"
#include "runtime/event_head.h"

namespace hearth::runtime {
namespace {

using Verdict = RuntimeApiHandler::Verdict;

MonotonicTime now() { return std::chrono::steady_clock::now(); }

Fd unblocked(Fd fd) {
  const int flags = ::fcntl(fd.get(), F_GETFL);
  if (flags >= 0 && (flags & O_NONBLOCK) == 0) (void)::fcntl(fd.get(), F_SETFL, flags | O_NONBLOCK);
  return fd;
}

}  // namespace

Instance::Instance(InstanceContext context, InstanceOwner& owner, std::shared_ptr<const Deployment> deployment,
                   WarmContainer container, Birth birth, std::function<void()> stop_endpoint)
    : context_(context),
      owner_(owner),
      deployment_(std::move(deployment)),
      container_(std::move(container.id)),
      peak_memory_(std::move(container.peak_memory)),
      birth_(birth),
      stop_endpoint_(std::move(stop_endpoint)),
      log_(context.tasks.executor(), context.deadlines, unblocked(std::move(container.log)), *deployment_->log),
      api_(context.tasks, context.held, unblocked(std::move(container.runtime_api)), *this),
      since_(now()) {
  const auto limit = kInitLimit + std::chrono::seconds(deployment_->function.timeout_seconds);
  deadline_at_ = birth_.bound + limit;
  context_.deadlines.set(deadline_, deadline_at_, [this] { on_deadline(); });
}

Instance::~Instance() { close(); }

void Instance::enter(State state) {
  state_ = state;
  since_ = now();
}

void Instance::close() {
  enter(State::gone);
  context_.deadlines.remove(deadline_);
  api_.close();
  if (stop_endpoint_) std::exchange(stop_endpoint_, nullptr)();
}

void Instance::end() {
  close();
  ticket_.reset();
}

// ---- an invocation

bool Instance::run(std::shared_ptr<Ticket> ticket) {
  const auto& function = deployment_->function;
  const auto began = now();
  auto timeout =
      std::chrono::duration_cast<std::chrono::steady_clock::duration>(std::chrono::seconds(function.timeout_seconds));
  if (!used_) {  // a start over its limit is at the cost of the first invocation
    const auto over = began - (birth_.bound + kInitLimit);
    if (over > over.zero()) timeout = std::max(timeout - over, over.zero());
  }
  const auto wall_deadline = context_.clock.wall() + std::chrono::duration_cast<std::chrono::milliseconds>(timeout);
  const auto head = event_head(*ticket, deployment_->arn, wall_deadline);
  if (!api_.send_event(head, ticket->payload)) {
    await_next();
    return false;
  }
  begin_log(*ticket);
  ticket->payload = std::string();
  ticket->held.reset();
  ticket->container = container_;
  ticket->handed = began;
  deadline_at_ = began + timeout;
  context_.deadlines.set(deadline_, deadline_at_, [this] { on_deadline(); });
  ticket_ = std::move(ticket);
  enter(State::busy);
  return true;
}

void Instance::begin_log(const Ticket& ticket) {
  log_.begin(ticket.request_id);
  log_.platform(start_line(ticket.request_id, deployment_->function.version));
}

void Instance::finish(std::shared_ptr<Ticket> ticket, Outcome outcome) {
  log_.drain();  // always: what the handler wrote belongs between START and END, and an empty pipe costs one read
  Report report{.request_id = ticket->request_id,
                .duration_ns = nanoseconds(ticket->handed, ticket->answered),
                .memory_mib = deployment_->function.memory_mib,
                .peak_memory_mib = std::min(peak_memory_mib(), deployment_->function.memory_mib),  // it has /tmp in it
                .init_ns = std::exchange(init_ns_, 0),
                .status = {}};
  if (outcome.kind == "timeout") report.status = "timeout";
  if (outcome.kind == "crash") report.status = "error";
  log_.platform(end_line(ticket->request_id));
  log_.platform(report_line(report));
  used_ = true;
  owner_.on_answer(*this, std::move(ticket), std::move(outcome), log_.end());
}

void Instance::fail_ticket(Outcome outcome, const std::string& line) {
  auto ticket = std::exchange(ticket_, nullptr);
  ticket->answered = now();
  log_.drain();
  log_.platform(line);
  finish(std::move(ticket), std::move(outcome));
}

void Instance::fail_start(std::shared_ptr<Ticket> ticket, Outcome outcome) {
  ticket->container = container_;
  ticket->start = birth_.start;
  ticket->handed = ticket->answered = now();
  init_ns_ = nanoseconds(birth_.triggered, ticket->handed);
  begin_log(*ticket);
  finish(std::move(ticket), std::move(outcome));
}

int64_t Instance::peak_memory_mib() {
  constexpr auto kFresh = std::chrono::milliseconds(100);
  const auto at = now();
  if (!peak_memory_.valid() || at - peak_read_ < kFresh) return peak_mib_;
  peak_read_ = at;
  char text[32];
  const auto got = ::pread(peak_memory_.get(), text, sizeof(text), 0);
  int64_t bytes = 0;
  if (got > 0) std::from_chars(text, text + got, bytes);
  peak_mib_ = std::max(peak_mib_, (bytes + (1 << 20) - 1) >> 20);
  return peak_mib_;
}

// ---- what the container says

Verdict Instance::on_next(std::chrono::microseconds import) {
  const bool answered = state_ == State::busy && outcome_.has_value();
  const bool starting = state_ == State::starting && !failure_;
  if (asked_ || (!answered && !starting && state_ != State::settling)) return Verdict::wrong_state;
  if (starting) {
    const auto since_bound = nanoseconds(birth_.bound, now());
    birth_.phases.import = std::min(std::chrono::nanoseconds(import).count(), since_bound);
    birth_.phases.shim = since_bound - birth_.phases.import;
    init_ns_ = nanoseconds(birth_.triggered, now());
  }
  last_answered_.clear();
  asked_ = true;
  return Verdict::accepted;
}

void Instance::on_next_lost() {
  if (std::exchange(asked_, false) || state_ != State::ready) return;
  await_next();
  owner_.on_unready(*this);
}

void Instance::await_next() {
  enter(State::settling);
  deadline_at_ = now() + kReconnectLimit;
  context_.deadlines.set(deadline_, deadline_at_, [this] { on_deadline(); });
}

bool Instance::wants_body(const RuntimeRequest& request) {
  if (request.endpoint == Endpoint::init_error) return state_ == State::starting && !failure_;
  if (request.endpoint != Endpoint::response && request.endpoint != Endpoint::error) return false;
  return state_ == State::busy && !outcome_ && request.request_id == ticket_->request_id;
}

Verdict Instance::on_answer(RuntimeRequest request) {
  const bool is_current = state_ == State::busy && request.request_id == ticket_->request_id;
  if (!is_current && request.request_id != last_answered_) {
    ++context_.metrics.unknown_answers;
    return Verdict::unknown_id;
  }
  if (!is_current || outcome_ || !request.wanted) {
    ++context_.metrics.second_answers;
    return Verdict::wrong_state;
  }
  ticket_->answered = now();
  if (ticket_->answered >= deadline_at_) {  // the deadline's own action is about to run
    ++context_.metrics.late_answers;
    return Verdict::wrong_state;
  }
  last_answered_ = request.request_id;
  const auto verdict = request.too_large ? Verdict::too_large : Verdict::accepted;
  outcome_ = outcome_of(std::move(request));
  return verdict;
}

Outcome Instance::outcome_of(RuntimeRequest request) const {
  if (request.too_large) return response_too_large();
  if (request.endpoint == Endpoint::error) return reported_error(std::move(request.body), request.error_type);
  if (!request.error_type.empty())  // a stream that broke off says so in its trailers
    return reported_error(base64_decode(request.error_body).value_or(""), request.error_type);
  return {.payload = std::move(request.body)};
}

Verdict Instance::on_init_error(RuntimeRequest request) {
  if (state_ != State::starting || failure_ || asked_ || !request.wanted) return Verdict::wrong_state;
  if (request.too_large) return Verdict::too_large;
  failure_ = reported_error(std::move(request.body), request.error_type).payload;
  return Verdict::accepted;
}

void Instance::on_settled() {
  const auto self = shared_from_this();  // the owner may let go of it
  if (state_ == State::gone) return;
  if (failure_) {
    log_.drain();
    owner_.on_start_failed(*this, [body = *failure_](std::string_view) { return Outcome{body, true, "error"}; });
    return;
  }
  const bool ready = std::exchange(asked_, false);
  if (ready) context_.deadlines.remove(deadline_);
  if (outcome_) {
    auto outcome = *std::exchange(outcome_, std::nullopt);
    auto ticket = std::exchange(ticket_, nullptr);
    enter(ready ? State::ready : State::settling);
    finish(std::move(ticket), std::move(outcome));
  } else if (ready) {
    enter(State::ready);
    owner_.on_ready(*this);
  }
}

// ---- ends

void Instance::on_deadline() {
  const auto self = shared_from_this();
  const int64_t seconds = deployment_->function.timeout_seconds;
  if (state_ == State::busy) {
    auto outcome = timed_out(ticket_->request_id, seconds);
    const auto line = fmt::format("{} {} Task timed out after {}.00 seconds", iso_timestamp(context_.clock.wall()),
                                  ticket_->request_id, seconds);
    close();
    fail_ticket(std::move(outcome), line);
  } else if (state_ == State::starting) {
    owner_.on_start_failed(*this, [seconds](std::string_view id) { return timed_out(id, seconds); });
  }
  owner_.on_expired(*this);
}

void Instance::container_gone(const warden::ContainerGone& gone) {
  const auto self = shared_from_this();
  const auto before = state_;
  close();
  log_.drain();
  if (before == State::busy) {
    auto outcome = exited(ticket_->request_id, gone);
    const auto line = message_of(outcome);
    fail_ticket(std::move(outcome), line);
  } else if (before == State::starting) {
    owner_.on_start_failed(*this, [gone](std::string_view id) { return exited(id, gone); });
  }
}

}  // namespace hearth::runtime
