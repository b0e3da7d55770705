// Poller: an epoll instance whose events carry what they mean, not where to jump.
#pragma once

#include <cstdint>
#include <vector>

#include "base/fd.h"
#include "base/result.h"

namespace hearth::warden {

enum class Source : uint8_t { listener, connection, zygote, control, process, memory };

struct Watch {
  Source source = Source::listener;
  uint64_t key = 0;  // below 2^56: which connection, zygote or container
};

class Poller {
 public:
  static Result<Poller> make();

  Result<> add(int fd, Watch watch, bool writing = false);
  // For a descriptor whose news is urgent (EPOLLPRI) and not that it can be read.
  Result<> add_urgent(int fd, Watch watch);
  Result<> change(int fd, Watch watch, bool writing);
  // REQUIRES: `fd` was added and is still open.
  Result<> remove(int fd);

  struct Event {
    Watch watch;
    bool readable = false;  // or at its end
    bool writable = false;
  };
  // What is ready now, without waiting; at most 64.
  Result<std::vector<Event>> ready();
  // Readable when ready() has something.
  int fd() const { return epoll_.get(); }

 private:
  explicit Poller(Fd epoll) : epoll_(std::move(epoll)) {}
  Result<> control(int operation, int fd, Watch watch, uint32_t events);
  Fd epoll_;
};

}  // namespace hearth::warden
