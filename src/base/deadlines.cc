#include "base/deadlines.h"

#include <utility>

namespace hearth {
namespace asio = boost::asio;

Deadlines::Deadlines(asio::any_io_executor executor) : timer_(executor), self_(std::make_shared<Deadlines*>(this)) {}

Deadlines::~Deadlines() { *self_ = nullptr; }

void Deadlines::set(Handle& handle, MonotonicTime at, Action action) {
  remove(handle);
  if (stopped_) return;
  // The handle is disarmed before the action starts, so that the action may set it again.
  handle.at_ = table_.emplace(at, [&handle, act = std::move(action)]() mutable {
    handle.armed_ = false;
    act();
  });
  handle.armed_ = true;
  if (at < armed_for_) arm(at);
}

void Deadlines::remove(Handle& handle) {
  if (!std::exchange(handle.armed_, false)) return;
  table_.erase(handle.at_);
}

void Deadlines::stop() {
  stopped_ = true;
  timer_.cancel();
}

void Deadlines::arm(MonotonicTime at) {
  armed_for_ = at;
  timer_.expires_at(at);
  timer_.async_wait([self = self_](boost::system::error_code error) {
    if (!error && *self) (*self)->pass();
  });
}

void Deadlines::pass() {
  armed_for_ = MonotonicTime::max();
  const auto now = std::chrono::steady_clock::now();
  auto alive = self_;
  while (!stopped_ && !table_.empty() && table_.begin()->first <= now) {
    auto node = table_.extract(table_.begin());
    node.mapped()();
    if (!*alive) return;
  }
  if (!stopped_ && !table_.empty() && table_.begin()->first < armed_for_) arm(table_.begin()->first);
}

}  // namespace hearth
