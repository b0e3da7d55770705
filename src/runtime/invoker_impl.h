// The one implementation of InvokerService: admission and answers in invoker_service.cc, starts and ends of instances
// in invoker_instances.cc.
#pragma once

#include <list>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <unordered_map>

#include "base/deadlines.h"
#include "base/task_group.h"
#include "runtime/admission.h"
#include "runtime/function_state.h"
#include "runtime/instance.h"
#include "runtime/invoker_service.h"
#include "runtime/pools.h"
#include "runtime/recent.h"
#include "runtime/request_ids.h"

namespace hearth::runtime {

class InvokerImpl final : public InvokerService, private InstanceOwner {
 public:
  explicit InvokerImpl(Dependencies dependencies);
  ~InvokerImpl() override;

  boost::asio::awaitable<Result<InvokeResult>> invoke(Invocation invocation) override;
  boost::asio::awaitable<Result<std::string>> enqueue(Invocation invocation) override;
  void replace_instances(const FunctionKey& function) override;
  std::vector<InvocationRecord> recent(std::optional<FunctionKey> function, size_t limit) const override;
  json::object pool_status() const override;

  void warden_connected(const warden::HelloReply& hello) override;
  void warden_disconnected() override;
  void container_gone(const warden::ContainerGone& gone) override;
  boost::asio::awaitable<Result<>> clear_events(AccountId account) override {
    return events_.clear(std::move(account));
  }
  std::string metrics_text() const override;
  boost::asio::awaitable<void> stop() override;

 private:
  struct KeyHash {
    size_t operator()(const FunctionKey& key) const noexcept {
      return std::hash<std::string>{}(key.name) * 31 + std::hash<AccountId>{}(key.account);
    }
  };
  using Where = InstancePlace::Where;
  using Admitted = std::variant<std::shared_ptr<Ticket>, Throttled>;

  // invoker_service.cc
  Result<Admitted> admit(Invocation& invocation);
  FunctionState& state_of(const FunctionKey& key);
  void dispatch(std::shared_ptr<Ticket> ticket);
  bool waits_for_busy(FunctionState& state);
  void watch_crowd(FunctionState& state);
  void serve_waiting(FunctionState& state);
  bool hand_over(Instance& instance, const std::shared_ptr<Ticket>& ticket);
  void account(Ticket& ticket, std::string_view outcome);
  void record_throttled(const Invocation& invocation, std::string_view reason, WallTime at);
  void fail_ticket(std::shared_ptr<Ticket> ticket, const Error& error);

  // InstanceOwner
  void on_ready(Instance& instance) override;
  void on_unready(Instance& instance) override;
  void on_answer(Instance& instance, std::shared_ptr<Ticket> ticket, Outcome outcome, std::string log_tail) override;
  void on_start_failed(Instance& instance, OutcomeFn outcome) override;
  void on_expired(Instance& instance) override;

  // invoker_instances.cc
  void place(Instance& instance, Where where);
  bool is_current(const Instance& instance) const;
  // Whether it may take another event. With a hold time of nothing an instance serves one.
  bool may_go_on(const Instance& instance) const;
  std::shared_ptr<Ticket> next_waiting(FunctionState& state);
  void ensure_starts(FunctionState& state);
  void ensure_starts_in_a_hurry(FunctionState& state);
  void begin_starts(FunctionState& state, size_t coming);  // beside `coming` instances
  boost::asio::awaitable<void> start_instance(FunctionState* state);
  boost::asio::awaitable<Result<>> try_start(FunctionState* state);
  struct Bound;
  boost::asio::awaitable<Result<warden::BindReply>> bind(std::shared_ptr<const Deployment> deployment,
                                                         ContainerId container, NetworkPlan plan);
  Result<std::shared_ptr<const Deployment>> deployment_of(FunctionState& state);
  void born(FunctionState& state, std::shared_ptr<const Deployment> deployment, WarmContainer container,
            Instance::Birth birth);
  Result<> reserve_memory(int64_t mib);
  bool evict_idle();
  void end_instance(Instance& instance);
  void forget(Instance& instance);
  void bound_container_gone(const warden::ContainerGone& gone);
  boost::asio::awaitable<void> tick();

  Dependencies deps_;
  Metrics metrics_;
  TaskGroup tasks_;
  Deadlines deadlines_;
  HeldReplies held_;
  Admission admission_;
  Pools pools_;
  EventWorker events_;
  RequestIds request_ids_;
  Recent recent_;
  std::unordered_map<FunctionKey, std::unique_ptr<FunctionState>, KeyHash> functions_;
  std::unordered_map<ContainerId, std::shared_ptr<Instance>> instances_;
  std::list<Instance*> idle_;  // longest idle first
  std::list<Instance*> others_;
  boost::asio::steady_timer tick_;
  const size_t cpus_ = std::max(1U, std::thread::hardware_concurrency());
  size_t waiting_ = 0;
  int64_t memory_mib_ = 0;
  int64_t memory_limit_mib_ = 0;
  bool stopping_ = false;
};

}  // namespace hearth::runtime
