// Record: one container as the warden keeps it, from the request for it until nothing of it is left.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "base/fd.h"
#include "base/ids.h"
#include "warden/places.h"
#include "warden/protocol.h"

namespace hearth::warden {

// Whom a reply goes to: hearthd's connection may have been replaced meanwhile.
struct ReplyTo {
  uint64_t connection = 0;
  int64_t id = 0;
};

// Stages only go forward.
enum class Stage {
  spawning,  // asked of the zygote
  starting,  // its PID 1 exists; the shim is not ready
  warm,
  bound,
  ending,  // its processes have ended; what it had is being given back
};

struct Record {
  uint64_t key = 0;
  std::string runtime{};
  Stage stage = Stage::spawning;
  Place place;
  pid_t pid = 0;
  Fd pidfd{};
  Fd control{};  // invalid after a restart of the warden
  Fd output{};   // read end of the log pipe; invalid after a restart
  Fd peak_memory{};
  Fd memory_alarm{};      // from a while after the bind until it has told
  int64_t own_limit = 0;  // bytes that the function's processes may use; 0 after a restart: not known
  bool over_limit = false;
  bool look_failed = false;                           // at its memory, the last time
  std::chrono::steady_clock::time_point next_look{};  // at its memory, once the alarm has told
  bool was_warm = false;                              // hearthd knows its id
  bool killed = false;
  bool frozen = false;
  std::optional<int> wait_status{};                         // of the shim, as PID 1 reported it
  std::string failure{};                                    // why it could not start
  std::optional<ReplyTo> waiting{};                         // the MakeContainer that is not answered yet
  std::chrono::steady_clock::time_point deadline{};         // of spawning and starting
  std::optional<ContainerGone> gone{};                      // filled when ending
  std::chrono::steady_clock::time_point give_back_until{};  // when giving back stops being tried again

  const ContainerId& id() const { return place.container; }
};

}  // namespace hearth::warden
