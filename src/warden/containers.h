// Containers: the table of all containers and what can be done with them.
//
// A container is made asynchronously (zygote, admission, ready), ends asynchronously (its pidfd), and what it had is
// given back by work(), one container a call, so that a mass ending does not hold up requests. Its end is told once: by
// the failed reply to its MakeContainer, or by `gone` when hearthd knew it; a process that does not end (in state D)
// can hold that up for kGiveBackDeadline, and is then left to Places.
//
// Thread: the warden's only one. Refuses: more than `max_containers` records, binding what is not warm.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <span>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "warden/memory_guard.h"
#include "warden/places.h"
#include "warden/poller.h"
#include "warden/protocol.h"
#include "warden/record.h"
#include "warden/state_files.h"
#include "warden/zygotes.h"

namespace hearth::warden {

constexpr std::chrono::seconds kReadyDeadline{10};
constexpr std::chrono::seconds kGiveBackDeadline{10};

class Containers {
 public:
  struct Parts {  // all outlive the object
    gateway::FunctionNetwork& network;
    const kernel::CgroupHost& cgroups;
    const kernel::HomeNamespaces& home;
    const StateFiles& state_files;
    Poller& poller;
    Zygotes& zygotes;
    int packages = -1;  // directory of packages
    size_t max_containers = 0;
  };
  struct Hooks {
    std::function<void(ReplyTo, Result<Reply>, std::span<const int> fds)> reply;
    std::function<void(const ContainerGone&)> gone;
  };
  Containers(Parts parts, Hooks hooks);

  void make(const MakeContainer& request, ReplyTo to);
  void adopt(const AdoptContainer& request, ReplyTo to);
  Result<BindReply> bind(const Bind& request);
  Result<> kill(const ContainerId& container);
  Result<> freeze(const Freeze& request);
  ListContainersReply list() const;

  // Takes over bound containers of a warden that was killed and removes what else it left.
  Result<> recover();
  void handle(const Watch& watch);
  void expire(std::chrono::steady_clock::time_point now);
  // A piece of the work that nobody waits for. `idle`: making places ahead is welcome.
  void work(bool idle);
  // How long the loop may sleep for the sake of work(): 0, a moment when the kernel still needs one, -1 for ever.
  int work_wait_ms() const;
  // When expire() has something to do at the earliest.
  std::optional<std::chrono::steady_clock::time_point> next_deadline() const;

  void kill_all();
  // Gives back the places that were made ahead. No more are made.
  Result<> stop_making();
  // Nothing is left of any container or place.
  bool empty() const { return records_.empty() && !places_.next_work(); }

 private:
  Result<> start_spawn(const MakeContainer& request, ReplyTo to);
  void zygote_answered(uint64_t key);
  void zygote_ended(uint64_t key, const Error& error);
  void zygote_ended(const std::string& runtime, const Error& error);
  void spawned(container::Zygote::Answer answer);
  Result<> admit(Record& record);
  void control_said(Record& record);
  void became_ready(Record& record);
  Result<> set_ready(Record& record);
  void process_ended(Record& record);
  void start_ending(Record& record);
  bool wants_places() const {
    return !places_failed_ && !stopped_ && places_.wants_more() && records_.size() < parts_.max_containers;
  }
  static bool is_starting(const Record* record);
  void give_back_next();
  void reap_unseen();
  Result<> give_function(Record& record, const Bind& request, BindReply& times);
  void give_up(Record& record, std::string why);
  void finish(Record& record);
  Result<> take_over(const SavedContainer& saved);
  Record* find(const ContainerId& container);
  Record* find(uint64_t key);

  Parts parts_;
  Hooks hooks_;
  Places places_;
  MemoryGuard memory_guard_;
  bool places_failed_ = false;  // until one is made on demand
  bool stopped_ = false;
  uint64_t next_key_ = 1;
  std::unordered_map<uint64_t, std::unique_ptr<Record>> records_;
  std::unordered_map<ContainerId, uint64_t> keys_;
  std::deque<uint64_t> starting_;  // by deadline; those that are warm or gone by now are dropped when seen
  std::deque<uint64_t> ending_;
  bool giving_back_waits_ = false;
  std::vector<pid_t> groups_;  // of zygotes that ended: may hold containers that nobody was told of
};

}  // namespace hearth::warden
