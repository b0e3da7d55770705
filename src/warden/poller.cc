#include "warden/poller.h"

#include <sys/epoll.h>

#include <array>
#include <cerrno>
#include <span>

namespace hearth::warden {
namespace {

constexpr int kSourceShift = 56;
constexpr size_t kMaxEvents = 64;

}  // namespace

Result<Poller> Poller::make() {
  Fd epoll(epoll_create1(EPOLL_CLOEXEC));
  if (!epoll.valid()) return fail_errno("epoll_create1");
  return Poller(std::move(epoll));
}

Result<> Poller::control(int operation, int fd, Watch watch, bool writing) {
  epoll_event event{};
  event.events = EPOLLIN | (writing ? EPOLLOUT : 0U);
  event.data.u64 = static_cast<uint64_t>(watch.source) << kSourceShift | watch.key;
  if (epoll_ctl(epoll_.get(), operation, fd, &event) != 0) return fail_errno("epoll_ctl");
  return {};
}

Result<> Poller::add(int fd, Watch watch, bool writing) { return control(EPOLL_CTL_ADD, fd, watch, writing); }

Result<> Poller::change(int fd, Watch watch, bool writing) { return control(EPOLL_CTL_MOD, fd, watch, writing); }

Result<> Poller::remove(int fd) { return control(EPOLL_CTL_DEL, fd, {}, false); }

Result<std::vector<Poller::Event>> Poller::ready() {
  std::array<epoll_event, kMaxEvents> found{};
  int count = epoll_wait(epoll_.get(), found.data(), kMaxEvents, 0);
  if (count < 0 && errno == EINTR) return std::vector<Event>();
  if (count < 0) return fail_errno("epoll_wait");
  std::vector<Event> events;
  for (const auto& event : std::span(found).first(static_cast<size_t>(count))) {
    Watch watch{static_cast<Source>(event.data.u64 >> kSourceShift), event.data.u64 & ((1UL << kSourceShift) - 1)};
    events.push_back({watch, (event.events & ~static_cast<uint32_t>(EPOLLOUT)) != 0, (event.events & EPOLLOUT) != 0});
  }
  return events;
}

}  // namespace hearth::warden
