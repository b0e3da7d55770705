#include "warden/places.h"

#include <utility>

namespace hearth::warden {
namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr size_t kIdDigits = 16;

}  // namespace

Result<Place> Places::make() {
  ContainerId id("c" + random_hex(kIdDigits));
  TRY_ASSIGN(auto slot, network_.make_slot());
  auto listeners = container::make_listeners(slot.netns.get(), home_);
  auto cgroup = cgroups_.make(id.str());
  auto limited = cgroup ? cgroup->limit_pids(container::kMaxProcesses) : Result<>();
  if (listeners && cgroup && limited) {
    return Place{std::move(id), std::move(slot), *std::move(cgroup), *std::move(listeners)};
  }
  Error why = !listeners ? listeners.error() : !cgroup ? cgroup.error() : limited.error();
  if (cgroup) TRY(cgroup->remove());
  TRY(network_.release_slot(std::move(slot)));
  return std::unexpected(std::move(why));
}

Result<Place> Places::take() {
  if (ready_.empty()) return make();
  Place place = std::move(ready_.front());
  ready_.pop_front();
  return place;
}

Result<> Places::make_ahead() {
  TRY_ASSIGN(auto place, make());
  ready_.push_back(std::move(place));
  return {};
}

Result<> Places::give_back(Place& place) {
  auto removed = place.cgroup.remove();
  if (!removed && removed.error().kind == Kind::conflict) return removed;
  place.listeners = {};
  place.slot.netns.reset();
  auto unbound = network_.unbind(place.slot);
  leaving_.push_back({std::move(place.slot), SteadyClock::now() + kNamespaceEnds});
  if (leaving_.size() > kMaxLeaving) TRY(release_next());
  return removed ? unbound : removed;
}

Result<> Places::give_back_ready() {
  Result<> first;
  while (!ready_.empty()) {
    Place place = std::move(ready_.front());
    ready_.pop_front();
    if (auto given = give_back(place); !given && first) first = std::move(given);
  }
  return first;
}

std::optional<SteadyClock::time_point> Places::next_release() const {
  if (leaving_.empty()) return std::nullopt;
  return leaving_.front().due;
}

Result<> Places::release_next() {
  gateway::Slot slot = std::move(leaving_.front().slot);
  leaving_.pop_front();
  return network_.release_slot(std::move(slot));
}

}  // namespace hearth::warden
