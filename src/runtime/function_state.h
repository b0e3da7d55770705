// FunctionState: what the invoker holds of one function while it is in use.
#pragma once

#include <algorithm>
#include <deque>
#include <memory>
#include <vector>

#include "base/deadlines.h"
#include "runtime/crowd.h"
#include "runtime/deployment.h"
#include "runtime/instance.h"
#include "runtime/ticket.h"

namespace hearth::runtime {

struct FunctionState {
  FunctionState(FunctionKey of, const Crowd::Policy& policy) : key(std::move(of)), crowd(policy) {}

  FunctionKey key;
  std::shared_ptr<const Deployment> deployment;  // in force; null until it is needed
  int64_t running = 0;                           // admitted, not answered
  size_t starting = 0;                           // start tasks, and instances that never asked for an event yet
  size_t settling = 0;                           // instances that will ask for their next event
  std::vector<Instance*> ready;                  // the one used last is the last
  std::vector<std::shared_ptr<Instance>> instances;
  std::deque<std::shared_ptr<Ticket>> waiting;
  Deadlines::Handle hurry;
  size_t busy = 0;  // instances that run a handler
  Crowd crowd;
  Deadlines::Handle crowd_over;

  bool unused() const { return running == 0 && starting == 0 && instances.empty() && waiting.empty(); }
};

}  // namespace hearth::runtime
