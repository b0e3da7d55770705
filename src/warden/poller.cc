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

Result<> Poller::control(int operation, int fd, Watch watch, uint32_t events) {
  epoll_event event{};
  event.events = events;
  event.data.u64 = static_cast<uint64_t>(watch.source) << kSourceShift | watch.key;
  if (epoll_ctl(epoll_.get(), operation, fd, &event) != 0) return fail_errno("epoll_ctl");
  return {};
}

Result<> Poller::add(int fd, Watch watch, bool writing) {
  return control(EPOLL_CTL_ADD, fd, watch, EPOLLIN | (writing ? EPOLLOUT : 0U));
}

Result<> Poller::add_urgent(int fd, Watch watch) { return control(EPOLL_CTL_ADD, fd, watch, EPOLLPRI); }

Result<> Poller::change(int fd, Watch watch, bool writing) {
  return control(EPOLL_CTL_MOD, fd, watch, EPOLLIN | (writing ? EPOLLOUT : 0U));
}

Result<> Poller::remove(int fd) { return control(EPOLL_CTL_DEL, fd, {}, 0); }

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
