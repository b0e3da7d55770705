// What drivers share: where a gateway's namespace and log are, starting its process so that it outlives the warden, and
// finding it again.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "gateway/driver.h"
#include "kernel/netns.h"

namespace hearth::gateway {

class HostedDriver : public Driver {
 public:
  Result<Fd> port_netns(const GatewayPlace& place) final { return kernel::open_netns(names_.gateway_netns(place.id)); }
  std::string log_path(const GatewayPlace& place) final { return names_.gateway_log(place.id); }

 protected:
  explicit HostedDriver(Names names) : names_(std::move(names)) {}
  Names names_;
};

// Who holds the POSIX lock on the file, which the living process of a gateway does; nobody when there is no file.
Result<std::optional<pid_t>> lock_holder(const std::string& path);

// Connects to a Unix socket of `type`. A process that has just started holds its lock before it listens, so a socket
// that is not there yet is waited for, a second at most.
Result<Fd> connect_to(const std::string& path, int type);

struct Launch {
  std::vector<std::string> words;          // the program first
  std::vector<std::pair<int, int>> files;  // descriptor here, descriptor there (3…)
  std::string log;                         // opened as its standard output and error
  int netns = -1;                          // where it starts; -1: where we are
};
// Starts it in a session of its own with nothing else of ours open. A pidfd.
Result<Fd> launch(Launch launch);

}  // namespace hearth::gateway
