// StateFiles: what a new warden must know of the containers of one that was killed.
//
// One small file a container in `<run_dir>/containers`: "<id>.warm", renamed to "<id>.bound" before function code can
// run in it. Written when the container is ready, deleted when nothing of it is left.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "base/fd.h"
#include "base/ids.h"
#include "base/result.h"

namespace hearth::warden {

struct SavedContainer {
  ContainerId container;
  std::string runtime;
  bool bound = false;
  pid_t pid = 0;
  uint64_t start_time = 0;  // with the pid: which process
  int64_t slot = 0;
};

class StateFiles {
 public:
  static Result<StateFiles> open(const std::string& directory);

  Result<> save_warm(const SavedContainer& container) const;
  Result<> mark_bound(const ContainerId& container) const;
  Result<> forget(const ContainerId& container) const;
  // What is there; files that can't be read are deleted.
  Result<std::vector<SavedContainer>> load() const;

 private:
  explicit StateFiles(Fd directory) : directory_(std::move(directory)) {}
  Fd directory_;
};

}  // namespace hearth::warden
