// Instance: a container bound to a function.
//
//   starting ──first /next──▶ ready ⇄ busy ──answer──▶ settling ──/next──▶ ready …      any ──▶ gone
//
// - `ready` waits for an event; only a ready instance takes an invocation, one at a time.
// - An answer is accepted once, from the busy instance, for its invocation, before its deadline. A second answer is
//   403, one for another invocation 400; both are counted and change nothing.
// - A start may take kInitLimit; after that it goes on at the cost of the waiting invocation's timeout (AWS begins the
//   start again there, with the same budget; going on runs the module once and is never slower).
// - An instance that is past a deadline, or does not ask for its next event until the former one's deadline, is no good
//   any more: the owner is told and must end it. What is gone is never used again.
//
// Used on the loop's thread; owned by shared pointers, since its connections' coroutines may end after it.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/deadlines.h"
#include "base/fd.h"
#include "base/task_group.h"
#include "runtime/deployment.h"
#include "runtime/function_error.h"
#include "runtime/instance_log.h"
#include "runtime/metrics.h"
#include "runtime/pools.h"
#include "runtime/runtime_api.h"
#include "runtime/ticket.h"

namespace hearth::runtime {

class Instance;

// The owner's view of an instance, kept in it.
struct InstancePlace {
  enum class Where { nowhere, starting, ready, busy, settling };
  FunctionState* function = nullptr;
  Where where = Where::nowhere;
  std::list<Instance*>::iterator at{};  // in the owner's list of idle ones, or of others
};

class InstanceOwner {
 public:
  virtual ~InstanceOwner() = default;
  using OutcomeFn = std::function<Outcome(std::string_view request_id)>;
  // It waits for an event: run() it or let it wait.
  virtual void on_ready(Instance& instance) = 0;
  // It waits no longer.
  virtual void on_unready(Instance& instance) = 0;
  // The ticket's outcome. When the instance is ready already, this stands for on_ready too.
  virtual void on_answer(Instance& instance, std::shared_ptr<Ticket> ticket, Outcome outcome, std::string log_tail) = 0;
  // Its start came to nothing; `outcome` is for whoever waited for it. It must be ended.
  virtual void on_start_failed(Instance& instance, OutcomeFn outcome) = 0;
  // It must be ended, at once.
  virtual void on_expired(Instance& instance) = 0;
};

struct InstanceContext {
  TaskGroup& tasks;
  Deadlines& deadlines;
  HeldReplies& held;
  const Clock& clock;
  Metrics& metrics;
};

class Instance : public RuntimeApiHandler, public std::enable_shared_from_this<Instance> {
 public:
  enum class State { starting, ready, busy, settling, gone };
  static constexpr std::chrono::seconds kInitLimit{10};
  static constexpr std::chrono::seconds kReconnectLimit{10};  // to ask again after the connection in /next ended

  struct Birth {
    Start start = Start::pool_hit;
    Phases phases;
    MonotonicTime triggered{};  // bind began
    MonotonicTime bound{};      // the warden's reply
  };

  Instance(InstanceContext context, InstanceOwner& owner, std::shared_ptr<const Deployment> deployment,
           WarmContainer container, Birth birth, std::function<void()> stop_endpoint);
  ~Instance() override;

  // Hands the event over. False when the connection that waited is gone: the instance is settling then.
  // REQUIRES: ready.
  bool run(std::shared_ptr<Ticket> ticket);

  // Answers `ticket`, which waited for a start that failed, with `outcome`, and logs it as an invocation.
  void fail_start(std::shared_ptr<Ticket> ticket, Outcome outcome);
  // Its container has ended: what was under way fails with its cause.
  void container_gone(const warden::ContainerGone& gone);
  // Ends it without calling back. REQUIRES: not busy, or somebody else answers its ticket.
  void end();

  State state() const { return state_; }
  const ContainerId& container() const { return container_; }
  const std::shared_ptr<const Deployment>& deployment() const { return deployment_; }
  const Birth& birth() const { return birth_; }
  MonotonicTime since() const { return since_; }  // of the state
  bool first_use() const { return !used_; }
  std::shared_ptr<Ticket> ticket() const { return ticket_; }

  InstancePlace place;

 private:
  Verdict on_next(std::chrono::microseconds import) override;
  void on_next_lost() override;
  bool wants_body(const RuntimeRequest& request) override;
  Verdict on_answer(RuntimeRequest request) override;
  Verdict on_init_error(RuntimeRequest request) override;
  void on_settled() override;

  void enter(State state);
  void await_next();  // again, from a ready one whose connection is gone
  void on_deadline();
  Outcome outcome_of(RuntimeRequest request) const;
  void begin_log(const Ticket& ticket);
  // Logs the end of the ticket and hands its outcome to the owner.
  void finish(std::shared_ptr<Ticket> ticket, Outcome outcome);
  void fail_ticket(Outcome outcome, const std::string& line);
  void close();
  int64_t peak_memory_mib();

  InstanceContext context_;
  InstanceOwner& owner_;
  std::shared_ptr<const Deployment> deployment_;
  ContainerId container_;
  Fd peak_memory_;
  Birth birth_;
  std::function<void()> stop_endpoint_;
  InstanceLog log_;
  RuntimeApi api_;

  State state_ = State::starting;
  MonotonicTime since_;
  std::shared_ptr<Ticket> ticket_;
  std::optional<Outcome> outcome_;      // of ticket_, until the read it came in is handled
  std::optional<std::string> failure_;  // what the runtime said of its start, likewise
  bool asked_ = false;                  // on_ready is due, likewise
  bool used_ = false;
  std::string last_answered_;  // until the next GET next
  Deadlines::Handle deadline_;
  MonotonicTime deadline_at_{};
  int64_t init_ns_ = 0;
  int64_t peak_mib_ = 0;
  MonotonicTime peak_read_{};
};

}  // namespace hearth::runtime
