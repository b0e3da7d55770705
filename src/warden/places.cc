#include "warden/places.h"

#include <algorithm>
#include <utility>

#include "base/log.h"

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
  set_aside(id.str(), std::move(slot));
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
  TRY(network_.unbind(place.slot));
  TRY(place.cgroup.remove());
  place.listeners = {};
  leave(std::move(place.slot));
  return {};
}

Result<> Places::give_back_ready() {
  Result<> first;
  while (!ready_.empty()) {
    Place place = std::move(ready_.front());
    ready_.pop_front();
    auto given = give_back(place);
    if (given) continue;
    set_aside(place.container.str(), std::move(place.slot));
    if (first) first = std::move(given);
  }
  return first;
}

void Places::leave(gateway::Slot slot) {
  slot.netns.reset();
  leaving_.push_back({std::move(slot), SteadyClock::now() + kNamespaceEnds});
}

void Places::set_aside(std::string cgroup, std::optional<gateway::Slot> slot) {
  log::warn("what is left of {} can't be removed yet: tried again", cgroup);
  if (slot) slot->netns.reset();
  stuck_.push_back({std::move(cgroup), std::move(slot), SteadyClock::now() + kStuckPause});
}

std::optional<Places::Time> Places::next_work() const {
  if (leaving_.size() > kMaxLeaving) return Time{};
  std::optional<Time> next;
  if (!leaving_.empty()) next = leaving_.front().due;
  if (!stuck_.empty()) next = next ? std::min(*next, stuck_.front().due) : stuck_.front().due;
  return next;
}

Result<> Places::work(Time now) {
  if (!stuck_.empty() && stuck_.front().due <= now) try_stuck(now);
  if (leaving_.empty() || (leaving_.front().due > now && leaving_.size() <= kMaxLeaving)) return {};
  gateway::Slot slot = std::move(leaving_.front().slot);
  leaving_.pop_front();
  return network_.release_slot(std::move(slot));
}

// That it failed was said when it was set aside.
void Places::try_stuck(Time now) {
  Stuck stuck = std::move(stuck_.front());
  stuck_.pop_front();
  if (!cgroups_.try_purge(stuck.cgroup)) {
    stuck.due = now + kStuckPause;
    return stuck_.push_back(std::move(stuck));
  }
  if (stuck.slot) leave(*std::move(stuck.slot));
}

}  // namespace hearth::warden
