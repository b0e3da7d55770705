// Zygotes: one running zygote a runtime, started when first asked for and again after it ended.
//
// All containers of a zygote have its address space's layout and the interpreter's secrets (Python's of hashing), so
// that one function could learn what helps against another. After `spawns_each` containers, or kMaxAge, the next ones
// get a new zygote; its containers go on.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "container/runtimes.h"
#include "container/zygote.h"
#include "kernel/namespaces.h"
#include "warden/poller.h"

namespace hearth::warden {

constexpr std::chrono::hours kMaxAge{1};

class Zygotes {
 public:
  // `run_dir`: roots are built below it. The others outlive the object.
  static Result<Zygotes> open(std::vector<container::RuntimeSpec> runtimes, std::string run_dir, Poller& poller,
                              const kernel::HomeNamespaces& home, size_t spawns_each);

  std::vector<std::string> runtimes() const;
  // The zygote of `runtime` and its key in Watch; started if needed. Kind::invalid for a runtime that is not here.
  Result<container::Zygote*> of(const std::string& runtime);
  // Starts the zygote of that key anew when it has done enough and owes no answer.
  Result<> renew_if_due(uint64_t key);
  // nullptr when the zygote of that key is gone.
  container::Zygote* at(uint64_t key);
  // The runtime of a key, "" for none.
  std::string runtime_of(uint64_t key) const;
  // Ends it; its process group, 0 when there is none.
  pid_t drop(const std::string& runtime);
  void drop_all();

 private:
  struct Entry {
    container::RuntimeSpec spec;
    std::unique_ptr<container::Zygote> zygote;
  };
  Zygotes(std::vector<container::RuntimeSpec> runtimes, std::string run_dir, Fd filter, Poller& poller,
          const kernel::HomeNamespaces& home, size_t spawns_each);
  Result<> start(uint64_t key);

  std::vector<Entry> entries_;  // the key is the index
  std::string run_dir_;
  Fd filter_;
  Poller* poller_;
  const kernel::HomeNamespaces* home_;
  size_t spawns_each_;
};

}  // namespace hearth::warden
