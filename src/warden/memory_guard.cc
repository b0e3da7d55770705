#include "warden/memory_guard.h"

#include <algorithm>
#include <csignal>

#include "base/log.h"
#include "kernel/process.h"

namespace hearth::warden {

void MemoryGuard::watch(Record& record, int64_t limit, Time now) {
  record.own_limit = limit;
  without_alarm_.push_back({record.key, now + kAlarmDelay});
}

Record* MemoryGuard::bound(uint64_t key) const {
  Record* record = find_(key);
  return record != nullptr && record->stage == Stage::bound && !record->killed ? record : nullptr;
}

Result<> MemoryGuard::set_alarm(Record& record) {
  const auto& cgroup = record.place.cgroup;
  TRY_ASSIGN(record.memory_alarm, cgroup.memory_alarm(record.own_limit));
  const Watch watch{Source::memory, record.key};
  const int alarm = record.memory_alarm.get();
  if (cgroup.version() == kernel::CgroupVersion::v2) {
    TRY(poller_.add_urgent(alarm, watch));
  } else {
    TRY(poller_.add(alarm, watch));
  }
  // What had passed it before made no sound.
  TRY_ASSIGN(int64_t used, cgroup.used_memory());
  if (used > record.own_limit) passed(record);
  return {};
}

void MemoryGuard::passed(Record& record) {
  (void)poller_.remove(record.memory_alarm.get());  // closing it would do as well
  record.memory_alarm.reset();
  if (auto silent = record.place.cgroup.silence_memory_alarm(); !silent) {
    log::error("container {}: {}", record.id().str(), silent.error().describe());
  }
  looked_at_.push_back(record.key);
  record.next_look = next_look_ = {};
}

void MemoryGuard::thawed(Record& record) { record.next_look = next_look_ = {}; }

Result<std::chrono::milliseconds> MemoryGuard::check(Record& record) {
  if (record.frozen) return kLongLook;
  TRY_ASSIGN(int64_t own, record.place.cgroup.own_memory());
  if (own <= record.own_limit) {
    return std::clamp(std::chrono::milliseconds((record.own_limit - own) / kFastest), kLook, kLongLook);
  }
  record.over_limit = true;
  TRY(kernel::send_signal(record.pidfd.get(), SIGKILL));
  return kLongLook;
}

void MemoryGuard::look_at(Record& record, Time now) {
  auto pause = check(record);
  if (!pause && !record.look_failed) log::error("container {}: {}", record.id().str(), pause.error().describe());
  record.look_failed = !pause.has_value();
  record.next_look = now + pause.value_or(kLongLook);
}

void MemoryGuard::look(Time now) {
  for (; !without_alarm_.empty() && without_alarm_.front().due <= now; without_alarm_.pop_front()) {
    Record* record = bound(without_alarm_.front().key);
    if (record == nullptr) continue;
    if (auto set = set_alarm(*record); !set) log::error("container {}: {}", record->id().str(), set.error().describe());
  }
  if (looked_at_.empty() || now < next_look_) return;
  next_look_ = Time::max();
  std::erase_if(looked_at_, [this, now](uint64_t key) {
    Record* record = bound(key);
    if (record == nullptr) return true;
    if (record->next_look <= now) look_at(*record, now);
    next_look_ = std::min(next_look_, record->next_look);
    return false;
  });
}

std::optional<MemoryGuard::Time> MemoryGuard::next_look() const {
  std::optional<Time> next;
  if (!without_alarm_.empty()) next = without_alarm_.front().due;
  if (!looked_at_.empty()) next = next ? std::min(*next, next_look_) : next_look_;
  return next;
}

}  // namespace hearth::warden
