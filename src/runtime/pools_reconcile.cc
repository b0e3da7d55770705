// Pools at a (re)connection to the warden: what it has against what we know.

#include <algorithm>
#include <set>
#include <utility>

#include "base/config.h"
#include "base/log.h"
#include "runtime/pools.h"

namespace hearth::runtime {
namespace asio = boost::asio;
using namespace std::chrono_literals;

static_assert(Config::kMaxContainers <= warden::kMaxContainers, "all containers fit one list");

void Pools::connected() {
  ++connection_;
  reconciling_ = true;
  tasks_.spawn("reconcile containers", reconcile(connection_));
}

void Pools::disconnected() {
  ++connection_;
  reconciling_ = false;
}

asio::awaitable<bool> Pools::wait_connected(std::chrono::milliseconds patience) {
  if (warden_.connected() && !reconciling_) co_return true;
  if (stopped_ || want_connection_.size() >= kMaxWaiting) co_return false;
  auto wanted = std::make_shared<OneShot<bool>>();
  want_connection_.push_back(wanted);
  Deadlines::Handle deadline;
  deadlines_.set(deadline, std::chrono::steady_clock::now() + patience,
                 [wanted = wanted.get()] { wanted->set(false); });
  const auto connected = co_await wanted->wait();
  deadlines_.remove(deadline);
  std::erase(want_connection_, wanted);
  co_return connected.value_or(false);
}

void Pools::reconcile_later(std::chrono::milliseconds delay) {
  deadlines_.set(reconcile_timer_, std::chrono::steady_clock::now() + delay, [this] {
    // While something is being made, a container in the list may be one whose reply is on its way.
    if (stopped_ || reconciling_ || !warden_.connected()) return;
    if (making_ > 0) return reconcile_later(1s);
    reconciling_ = true;
    tasks_.spawn("reconcile containers", reconcile(connection_));
  });
}

asio::awaitable<void> Pools::reconcile(uint64_t connection) {
  warden::Request request = warden::ListContainers{};
  auto list = co_await call_for<warden::ListContainersReply>(warden_, std::move(request), 5s);
  if (connection != connection_) co_return;
  std::vector<warden::ContainerInfo> found;
  if (!list) {
    log::warn("the warden does not list its containers: {}", list.error().describe());
    reconcile_later(1s);
  } else if (apply_list(*list, found)) {
    reconcile_later(1s);
  }
  for (auto& info : found) {
    co_await adopt(std::move(info));
    if (connection != connection_) co_return;
  }
  reconciling_ = false;
  for (auto& wanted : std::exchange(want_connection_, {})) wanted->set(true);
  pump_all();
}

// Answers whether some are still being made, for nobody: they must be looked at again.
bool Pools::apply_list(const warden::ListContainersReply& list, std::vector<warden::ContainerInfo>& adopt) {
  std::set<ContainerId> there;
  bool some_in_making = false;
  for (const auto& info : list.containers) {
    there.insert(info.container);
    const auto at = living_.find(info.container);
    if (at == living_.end()) {
      if (info.state == warden::ContainerState::warm) adopt.push_back(info);
      if (info.state == warden::ContainerState::bound) {
        living_[info.container] = Life::bound;
        kill(info.container);
      }
      if (info.state == warden::ContainerState::making) some_in_making = true;
    } else if (at->second == Life::dying) {
      tasks_.spawn("kill container", send_kill(info.container));
    } else if (at->second == Life::bound && info.state == warden::ContainerState::bound &&
               !hooks_.is_in_use(info.container)) {
      kill(info.container);
    }
  }
  std::vector<ContainerId> missing;
  for (const auto& [id, life] : living_)
    if (!there.contains(id)) missing.push_back(id);
  for (auto& id : missing) container_gone(warden::ContainerGone{.container = id, .cause = "lost"});
  return some_in_making;
}

asio::awaitable<void> Pools::adopt(warden::ContainerInfo info) {
  warden::Request request = warden::AdoptContainer{info.container};
  auto answer = co_await warden_.call(std::move(request), 5s);
  auto container =
      answer ? warm_container(info.runtime, std::move(*answer)) : std::unexpected(std::move(answer).error());
  if (!container) {
    log::warn("container {} can't be adopted: {}", info.container.str(), container.error().describe());
    if (container.error().kind == Kind::unavailable) co_return;  // the next connection has it in its list
    living_[info.container] = Life::warm;
    kill(info.container);
    co_return;
  }
  ++metrics_.adopted;
  deliver(info.runtime, std::move(*container));
}

}  // namespace hearth::runtime
