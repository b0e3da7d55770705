// Places: where containers go, made before they are needed.
//
// A place is a slot in the function network, a cgroup, listeners in the slot's namespace, and the id of the container
// that will have it: all that costs time and does not depend on the runtime. Some are kept ahead; the loop makes them
// when it has nothing else to do.
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
constexpr size_t kMaxLeaving = 4096;  // then the oldest is released at once, whatever it costs

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
  // Gives back what a container that has ended had; its slot is cut off now and released later, by release_next().
  // REQUIRES: no process in the cgroup, otherwise Kind::conflict and nothing is given back.
  Result<> give_back(Place& place);
  // Gives back all that were made ahead; the first error, if any.
  Result<> give_back_ready();
  // When release_next() has something to do; nullopt: nothing is to be released.
  std::optional<std::chrono::steady_clock::time_point> next_release() const;
  // REQUIRES: next_release() has passed.
  Result<> release_next();

 private:
  Result<Place> make();

  gateway::FunctionNetwork& network_;
  const kernel::CgroupHost& cgroups_;
  const kernel::HomeNamespaces& home_;
  struct Leaving {
    gateway::Slot slot;
    std::chrono::steady_clock::time_point due;
  };
  std::deque<Place> ready_;
  std::deque<Leaving> leaving_;
};

}  // namespace hearth::warden
