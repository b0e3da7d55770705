// Places: where containers go, made before they are needed.
//
// A place is a slot in the function network, a cgroup, listeners in the slot's namespace, and the id of the container
// that will have it: all that costs time and does not depend on the runtime. Some are kept ahead; the loop makes them
// when it has nothing else to do. What can't be given back, since a process in it does not end, is tried again now and
// then; no packet leaves it meanwhile.
#pragma once

#include <chrono>
#include <deque>
#include <optional>

#include "base/ids.h"
#include "base/result.h"
#include "container/admission.h"
#include "gateway/function_network.h"
#include "kernel/cgroup.h"
#include "kernel/namespaces.h"

namespace hearth::warden {

constexpr size_t kPlacesAhead = 16;
// Deleting an interface waits tens of milliseconds for the kernel, but a namespace that nobody holds takes its own
// along, many at a time and beside us: slots are let go of first and released this much later.
constexpr std::chrono::milliseconds kNamespaceEnds{300};
constexpr std::chrono::milliseconds kStuckPause{100};  // until the next try
constexpr size_t kMaxLeaving = 4096;                   // then the oldest is released at once, whatever it costs

struct Place {
  ContainerId container;
  gateway::Slot slot;
  kernel::Cgroup cgroup;
  container::Listeners listeners;
};

class Places {
 public:
  // All outlive the object.
  Places(gateway::FunctionNetwork& network, const kernel::CgroupHost& cgroups, const kernel::HomeNamespaces& home)
      : network_(network), cgroups_(cgroups), home_(home) {}

  // One that was made ahead, or a new one.
  Result<Place> take();
  bool wants_more() const { return ready_.size() < kPlacesAhead; }
  Result<> make_ahead();
  // Cuts the slot off and gives back what a container that has ended had. An error, Kind::conflict while a process is
  // left in the cgroup: nothing is given back, and it may be tried again.
  Result<> give_back(Place& place);
  // Leaves it to work() to end what is in `cgroup` and give it back, however long that takes, with the slot if it has
  // one.
  void set_aside(std::string cgroup, std::optional<gateway::Slot> slot);
  // Gives back all that were made ahead; the first error, if any.
  Result<> give_back_ready();

  using Time = std::chrono::steady_clock::time_point;
  // When work() has something to do; nullopt: nothing is left to be given back.
  std::optional<Time> next_work() const;
  // Does one piece of it, if one is due.
  Result<> work(Time now);
  // How many were set aside and are still there.
  size_t stuck() const { return stuck_.size(); }

 private:
  struct Leaving {
    gateway::Slot slot;
    Time due;
  };
  struct Stuck {
    std::string cgroup;
    std::optional<gateway::Slot> slot;
    Time due;
  };
  Result<Place> make();
  void leave(gateway::Slot slot);
  void try_stuck(Time now);

  gateway::FunctionNetwork& network_;
  const kernel::CgroupHost& cgroups_;
  const kernel::HomeNamespaces& home_;
  std::deque<Place> ready_;
  std::deque<Leaving> leaving_;  // by `due`
  std::deque<Stuck> stuck_;      // by `due`
};

}  // namespace hearth::warden
