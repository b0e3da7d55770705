#include "warden/containers.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <array>
#include <csignal>
#include <utility>

#include "base/log.h"
#include "container/admission.h"
#include "container/binding.h"
#include "container/zygote_protocol.h"
#include "kernel/process.h"
#include "kernel/unix_socket.h"

namespace hearth::warden {
namespace {

constexpr size_t kMaxControlDatagram = 1024;
constexpr std::chrono::milliseconds kReapPause{10};

using SteadyClock = std::chrono::steady_clock;

int64_t nanoseconds_since(SteadyClock::time_point start) {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(SteadyClock::now() - start).count();
}

std::array<int, 4> descriptors(const Record& record) {
  return {record.place.listeners.runtime_api.get(), record.place.listeners.aws_endpoint.get(), record.output.get(),
          record.peak_memory.get()};
}

ContainerReply container_reply(const Record& record) { return {record.id(), record.place.slot.address}; }

// What a container says before it is bound, and its PID 1 at its end. It may say anything: what is not known is
// dropped.
void take_message(Record& record, const std::string& bytes, bool& ready) {
  auto value = parse_json(bytes, kMaxControlDatagram);
  if (!value || !value->is_object()) return;
  const json::object& message = value->get_object();
  if (message.contains("ready")) ready = true;
  if (const auto* status = message.if_contains("exited"); status != nullptr && status->is_int64()) {
    record.wait_status = static_cast<int>(status->get_int64());
  }
  if (const auto* step = message.if_contains("failed"); step != nullptr && step->is_string()) {
    const auto* number = message.if_contains("errno");
    int error = number != nullptr && number->is_int64() ? static_cast<int>(number->get_int64()) : 0;
    record.failure = fmt::format("{}: {}", step->get_string().c_str(), std::generic_category().message(error));
  }
}

// Whether the shim or PID 1 ended as what the kernel or MemoryGuard ends for want of memory, and not by our doing.
bool was_shot(const Record& record, const std::optional<kernel::Ending>& init) {
  if (record.wait_status) return WIFSIGNALED(*record.wait_status) && WTERMSIG(*record.wait_status) == SIGKILL;
  return !record.killed && init && init->signaled && init->code == SIGKILL;
}

// `oom_kill`: some process of it was ended for want of memory, perhaps long ago and without harm to the function.
ContainerGone describe_end(const Record& record, const std::optional<kernel::Ending>& init, bool oom_kill) {
  ContainerGone gone{record.id(), "lost", 0, oom_kill && was_shot(record, init)};
  if (record.killed) {
    gone.cause = "killed";
    gone.code = SIGKILL;
  } else if (record.wait_status && WIFSIGNALED(*record.wait_status)) {
    gone.cause = "signaled";
    gone.code = WTERMSIG(*record.wait_status);
  } else if (record.wait_status) {
    gone.cause = "exited";
    gone.code = WEXITSTATUS(*record.wait_status);
  } else if (init && init->signaled) {
    gone.cause = "signaled";
    gone.code = init->code;
  }
  return gone;
}

}  // namespace

Containers::Containers(Parts parts, Hooks hooks)
    : parts_(parts),
      hooks_(std::move(hooks)),
      places_(parts.network, parts.cgroups, parts.home),
      memory_guard_(parts.poller, [this](uint64_t key) { return find(key); }) {}

Record* Containers::find(uint64_t key) {
  auto found = records_.find(key);
  return found == records_.end() ? nullptr : found->second.get();
}

Record* Containers::find(const ContainerId& container) {
  auto found = keys_.find(container);
  return found == keys_.end() ? nullptr : find(found->second);
}

// ---- making

void Containers::make(const MakeContainer& request, ReplyTo to) {
  if (auto started = start_spawn(request, to); !started) {
    hooks_.reply(to, std::unexpected(std::move(started).error()), {});
  }
}

Result<> Containers::start_spawn(const MakeContainer& request, ReplyTo to) {
  if (records_.size() + places_.stuck() >= parts_.max_containers) {
    return fail(Kind::exhausted, fmt::format("{} containers are the limit", parts_.max_containers));
  }
  TRY_ASSIGN(container::Zygote * zygote, parts_.zygotes.of(request.runtime));
  TRY_ASSIGN(auto control, kernel::seqpacket_pair());
  TRY_ASSIGN(Place place, places_.take());
  places_failed_ = false;
  auto record =
      std::make_unique<Record>(Record{.key = next_key_++, .runtime = request.runtime, .place = std::move(place)});
  auto spawn = [&]() -> Result<> {
    TRY_ASSIGN(auto output, container::log_pipe(record->place.slot.number));
    TRY_ASSIGN(record->peak_memory, record->place.cgroup.peak_memory());
    container::SpawnRequest order{.tmp_mib = container::kDefaultTmpMib, .serial = record->key};
    std::vector<int> fds = {record->place.slot.netns.get(), control.second.get(), output.write.get()};
    Fd cgroup;
    if (record->place.cgroup.version() == kernel::CgroupVersion::v2) {
      TRY_ASSIGN(cgroup, record->place.cgroup.directory());
      fds.push_back(cgroup.get());
    }
    TRY(zygote->request(order, fds));
    record->output = std::move(output.read);
    return {};
  };
  if (auto asked = spawn(); !asked) {
    if (!places_.give_back(record->place)) places_.set_aside(record->id().str(), std::move(record->place.slot));
    return asked;
  }
  record->control = std::move(control.first);
  record->waiting = to;
  record->deadline = SteadyClock::now() + kReadyDeadline;
  keys_.emplace(record->id(), record->key);
  starting_.push_back(record->key);
  records_.emplace(record->key, std::move(record));
  return {};
}

void Containers::zygote_answered(uint64_t key) {
  while (container::Zygote* zygote = parts_.zygotes.at(key)) {
    auto event = zygote->receive();
    if (!event) return zygote_ended(key, event.error());
    if (!*event) break;
    if (auto* answer = std::get_if<container::Zygote::Answer>(&**event)) spawned(std::move(*answer));
  }
  if (auto renewed = parts_.zygotes.renew_if_due(key); !renewed) log::error("{}", renewed.error().describe());
}

void Containers::zygote_ended(uint64_t key, const Error& error) { zygote_ended(parts_.zygotes.runtime_of(key), error); }

// REQUIRES of give_up without a process: the zygote is dead, so that none will be cloned for them any more. One that
// was, unseen, ends by itself: nobody holds the other end of its control socket. We are its parent all the same.
void Containers::zygote_ended(const std::string& runtime, const Error& error) {
  log::error("the zygote of {} ended: {}", runtime, error.describe());
  if (pid_t group = parts_.zygotes.drop(runtime); group != 0) groups_.push_back(group);
  std::vector<Record*> lost;
  for (auto& [key, record] : records_) {
    if (record->stage == Stage::spawning && record->runtime == runtime) lost.push_back(record.get());
  }
  for (Record* record : lost) give_up(*record, "its zygote ended: " + error.message);
}

void Containers::spawned(container::Zygote::Answer answer) {
  Record* record = find(answer.reply.serial);
  if (record == nullptr || record->stage != Stage::spawning) return;
  if (answer.reply.error != 0) {
    return give_up(*record, "clone: " + std::generic_category().message(answer.reply.error));
  }
  record->pid = answer.reply.pid;
  record->pidfd = std::move(answer.pidfd);
  record->stage = Stage::starting;
  if (auto admitted = admit(*record); !admitted) return give_up(*record, admitted.error().describe());
}

Result<> Containers::admit(Record& record) {
  TRY(parts_.poller.add(record.pidfd.get(), {Source::process, record.key}));
  TRY(parts_.poller.add(record.control.get(), {Source::control, record.key}));
  return container::admit(record.pid, record.place.slot.number, record.place.cgroup, record.control.get());
}

void Containers::control_said(Record& record) {
  for (;;) {
    auto datagram = kernel::receive_datagram(record.control.get(), kMaxControlDatagram, 0, MSG_DONTWAIT);
    if (!datagram && datagram.error().errno_value == EAGAIN) return;
    if (!datagram || datagram->bytes.empty()) {
      // Closed, or nonsense: how it ends will be told by its pidfd.
      if (auto removed = parts_.poller.remove(record.control.get()); !removed) {
        log::error("container {}: {}", record.id().str(), removed.error().describe());
      }
      record.control.reset();
      return;
    }
    bool ready = false;
    take_message(record, datagram->bytes, ready);
    if (ready && record.stage == Stage::starting) became_ready(record);
  }
}

void Containers::became_ready(Record& record) {
  if (auto ready = set_ready(record); !ready) return give_up(record, ready.error().describe());
  ReplyTo to = *std::exchange(record.waiting, std::nullopt);
  hooks_.reply(to, Reply(container_reply(record)), descriptors(record));
}

Result<> Containers::set_ready(Record& record) {
  TRY_ASSIGN(uint64_t started, kernel::start_time(record.pid));
  TRY(parts_.state_files.save_warm(
      {record.id(), record.runtime, false, record.pid, started, record.place.slot.number}));
  record.stage = Stage::warm;
  record.was_warm = true;
  return {};
}

// ---- using

void Containers::adopt(const AdoptContainer& request, ReplyTo to) {
  Record* record = find(request.container);
  if (record == nullptr || !record->was_warm || record->stage == Stage::ending) {
    return hooks_.reply(to, fail(Kind::not_found, "no container " + request.container.str()), {});
  }
  if (!record->output.valid()) {
    return hooks_.reply(to, fail(Kind::unavailable, "the container's descriptors died with a warden"), {});
  }
  hooks_.reply(to, Reply(container_reply(*record)), descriptors(*record));
}

Result<BindReply> Containers::bind(const Bind& request) {
  Record* record = find(request.container);
  if (record == nullptr || !record->was_warm) return fail(Kind::not_found, "no container " + request.container.str());
  if (record->stage != Stage::warm || record->killed) return fail(Kind::conflict, "the container is not warm");
  BindReply times;
  record->stage = Stage::bound;
  if (auto given = give_function(*record, request, times); !given) {
    // Half bound is bound: nobody else may have it.
    TRY(kill(request.container));
    return std::unexpected(std::move(given).error());
  }
  return times;
}

Result<> Containers::give_function(Record& record, const Bind& request, BindReply& times) {
  auto start = SteadyClock::now();
  TRY(parts_.state_files.mark_bound(record.id()));
  // First, so that the shim reads it while we do the rest; it runs nothing of the function's until kPlaced.
  TRY(kernel::send_datagram(record.control.get(), request.start, {}, MSG_DONTWAIT));
  times.message_ns = nanoseconds_since(start);
  start = SteadyClock::now();
  container::FunctionFiles files{request.package, request.layers, request.nameservers, request.tmp_mib};
  TRY(container::mount_function(files, parts_.packages, record.pidfd.get(), parts_.home));
  times.mount_ns = nanoseconds_since(start);
  start = SteadyClock::now();
  TRY(container::limit(record.place.cgroup, request.memory_mib, request.tmp_mib));
  times.limits_ns = nanoseconds_since(start);
  start = SteadyClock::now();
  if (!request.attachment.empty()) {
    TRY(parts_.network.bind(record.place.slot, request.attachment, request.policy));
  }
  times.network_ns = nanoseconds_since(start);
  start = SteadyClock::now();
  TRY(kernel::send_datagram(record.control.get(), container::kPlaced, {}, MSG_DONTWAIT));
  memory_guard_.watch(record, container::own_memory_limit(request.memory_mib), start);
  times.message_ns += nanoseconds_since(start);
  return {};
}

Result<> Containers::kill(const ContainerId& container) {
  Record* record = find(container);
  if (record == nullptr || !record->was_warm) return fail(Kind::not_found, "no container " + container.str());
  if (record->stage == Stage::ending) return {};
  record->killed = true;
  TRY(kernel::send_signal(record->pidfd.get(), SIGKILL));
  // On cgroup v1 what is frozen can't even die.
  if (record->frozen) TRY(record->place.cgroup.freeze(false));
  return {};
}

Result<> Containers::freeze(const Freeze& request) {
  Record* record = find(request.container);
  if (record == nullptr || !record->was_warm || record->stage == Stage::ending) {
    return fail(Kind::not_found, "no container " + request.container.str());
  }
  if (record->killed) return fail(Kind::conflict, "the container is being killed");
  TRY(record->place.cgroup.freeze(request.frozen));
  record->frozen = request.frozen;
  if (!request.frozen) memory_guard_.thawed(*record);
  return {};
}

ListContainersReply Containers::list() const {
  ListContainersReply reply;
  for (const auto& [key, record] : records_) {
    if (record->stage == Stage::ending || record->killed) continue;
    ContainerState state = record->stage == Stage::bound  ? ContainerState::bound
                           : record->stage == Stage::warm ? ContainerState::warm
                                                          : ContainerState::making;
    reply.containers.push_back({record->id(), record->runtime, state});
  }
  return reply;
}

// ---- ending

// A container that hearthd does not know yet ends with `why` as the reply.
void Containers::give_up(Record& record, std::string why) {
  if (record.failure.empty()) record.failure = std::move(why);
  record.killed = true;
  if (!record.pidfd.valid()) return start_ending(record);
  if (auto sent = kernel::send_signal(record.pidfd.get(), SIGKILL); !sent && sent.error().errno_value != ESRCH) {
    log::error("container {}: {}", record.id().str(), sent.error().describe());
  }
}

void Containers::process_ended(Record& record) {
  if (record.stage == Stage::ending) return;
  if (record.control.valid()) control_said(record);
  std::optional<kernel::Ending> init;
  if (auto ending = kernel::reap(record.pidfd.get()); ending) {
    if (!*ending) return;
    init = **ending;
  }
  auto oom_kill = record.place.cgroup.ran_out_of_memory();
  record.gone = describe_end(record, init, record.over_limit || oom_kill.value_or(false));
  start_ending(record);
}

void Containers::start_ending(Record& record) {
  for (Fd* fd : {&record.pidfd, &record.control, &record.memory_alarm}) {
    if (fd->valid()) (void)parts_.poller.remove(fd->get());  // not watched yet when admission failed
    fd->reset();
  }
  record.stage = Stage::ending;
  record.give_back_until = SteadyClock::now() + kGiveBackDeadline;
  ending_.push_back(record.key);
}

void Containers::finish(Record& record) {
  if (auto forgotten = parts_.state_files.forget(record.id()); !forgotten) {
    log::error("container {}: {}", record.id().str(), forgotten.error().describe());
  }
  if (record.waiting) {
    std::string why = record.failure.empty() ? "it ended before it was ready" : record.failure;
    hooks_.reply(*record.waiting, fail(Kind::unavailable, "the container did not start: " + why), {});
  } else if (record.gone && record.was_warm) {
    hooks_.gone(*record.gone);
  }
  keys_.erase(record.id());
  records_.erase(record.key);
}

void Containers::give_back_next() {
  uint64_t key = ending_.front();
  ending_.pop_front();
  Record* record = find(key);
  if (record == nullptr) return;
  auto given = places_.give_back(record->place);
  giving_back_waits_ = !given && SteadyClock::now() < record->give_back_until;
  if (giving_back_waits_) return ending_.push_back(key);
  if (!given) {
    log::error("container {}: {}", record->id().str(), given.error().describe());
    places_.set_aside(record->id().str(), std::move(record->place.slot));
  }
  finish(*record);
}

void Containers::reap_unseen() {
  std::erase_if(groups_, [](pid_t group) {
    auto more = kernel::reap_group(group);
    if (!more) log::error("{}", more.error().describe());
    return !more.value_or(false);
  });
}

void Containers::work(bool idle) {
  reap_unseen();
  const bool ending = !ending_.empty();
  if (ending) give_back_next();
  if (auto worked = places_.work(SteadyClock::now()); !worked) log::error("{}", worked.error().describe());
  if (ending || !idle || !wants_places()) return;
  auto made = places_.make_ahead();
  if (!made) log::error("no place could be made ahead: {}", made.error().describe());
  places_failed_ = !made.has_value();
}

int Containers::work_wait_ms() const {
  if (!ending_.empty()) return giving_back_waits_ ? 1 : 0;
  if (wants_places()) return 0;
  auto next = places_.next_work();
  if (!groups_.empty()) next = std::min(next.value_or(Places::Time::max()), SteadyClock::now() + kReapPause);
  if (!next) return -1;
  auto left = std::chrono::ceil<std::chrono::milliseconds>(*next - SteadyClock::now()).count();
  return static_cast<int>(std::max<int64_t>(left, 0));
}

Result<> Containers::stop_making() {
  stopped_ = true;
  return places_.give_back_ready();
}

bool Containers::is_starting(const Record* record) {
  return record != nullptr && !record->killed && (record->stage == Stage::spawning || record->stage == Stage::starting);
}

void Containers::expire(SteadyClock::time_point now) {
  memory_guard_.look(now);
  while (!starting_.empty()) {
    Record* record = find(starting_.front());
    if (is_starting(record) && record->deadline > now) return;
    starting_.pop_front();
    if (!is_starting(record)) continue;
    // Not even cloned: its zygote hangs, and with it all that wait there.
    if (record->stage == Stage::spawning) {
      zygote_ended(record->runtime, Error{Kind::timeout, "it does not answer", 0, {}});
    } else {
      give_up(*record, fmt::format("it was not ready after {} s", kReadyDeadline.count()));
    }
  }
}

std::optional<SteadyClock::time_point> Containers::next_deadline() const {
  auto next = memory_guard_.next_look();
  if (starting_.empty()) return next;
  auto found = records_.find(starting_.front());
  auto start = found == records_.end() ? SteadyClock::now() : found->second->deadline;
  return next ? std::min(*next, start) : start;
}

void Containers::handle(const Watch& watch) {
  if (watch.source == Source::zygote) return zygote_answered(watch.key);
  Record* record = find(watch.key);
  if (record == nullptr) return;
  if (watch.source == Source::control && record->control.valid()) control_said(*record);
  if (watch.source == Source::memory && record->memory_alarm.valid()) memory_guard_.passed(*record);
  if (watch.source == Source::process && record->pidfd.valid()) process_ended(*record);
}

void Containers::kill_all() {
  parts_.zygotes.drop_all();
  for (auto& [key, record] : records_) {
    if (record->stage == Stage::ending) continue;
    give_up(*record, "the warden ends");
    if (record->frozen) (void)record->place.cgroup.freeze(false);
  }
}

// ---- after a warden that was killed

Result<> Containers::recover() {
  TRY_ASSIGN(auto saved, parts_.state_files.load());
  for (const auto& container : saved) {
    auto taken = container.bound ? take_over(container) : fail(Kind::not_found, "it was warm");
    if (taken) continue;
    log::info("container {} is not taken over: {}", container.container.str(), taken.error().message);
    TRY(parts_.state_files.forget(container.container));
  }
  TRY_ASSIGN(auto cgroups, parts_.cgroups.list());
  for (const auto& name : cgroups) {
    // One whose processes do not end is no reason not to serve.
    if (find(ContainerId(name)) == nullptr && !parts_.cgroups.try_purge(name)) places_.set_aside(name, std::nullopt);
  }
  return {};
}

Result<> Containers::take_over(const SavedContainer& saved) {
  TRY_ASSIGN(Fd pidfd, kernel::open_pidfd(saved.pid));
  TRY_ASSIGN(uint64_t started, kernel::start_time(saved.pid));
  if (started != saved.start_time) return fail(Kind::not_found, "its process is gone");
  TRY_ASSIGN(Fd netns, kernel::open_namespace(saved.pid, "net"));
  TRY_ASSIGN(auto cgroup, parts_.cgroups.make(saved.container.str()));
  TRY(cgroup.silence_memory_alarm());
  TRY_ASSIGN(Fd peak, cgroup.peak_memory());
  TRY_ASSIGN(auto slot, parts_.network.adopt_slot(saved.slot, std::move(netns)));
  auto record =
      std::make_unique<Record>(Record{.key = next_key_++,
                                      .runtime = saved.runtime,
                                      .stage = Stage::bound,
                                      .place = Place{saved.container, std::move(slot), std::move(cgroup), {}}});
  record->pid = saved.pid;
  record->pidfd = std::move(pidfd);
  record->peak_memory = std::move(peak);
  record->was_warm = true;
  if (auto added = parts_.poller.add(record->pidfd.get(), {Source::process, record->key}); !added) {
    places_.set_aside(saved.container.str(), std::move(record->place.slot));
    return added;
  }
  keys_.emplace(record->id(), record->key);
  records_.emplace(record->key, std::move(record));
  return {};
}

}  // namespace hearth::warden
