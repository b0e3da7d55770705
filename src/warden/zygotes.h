// Zygotes: one running zygote a runtime, started when first asked for and again after it ended.
#pragma once

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

class Zygotes {
 public:
  // `run_dir`: roots are built below it. The others outlive the object.
  static Result<Zygotes> open(std::vector<container::RuntimeSpec> runtimes, std::string run_dir, Poller& poller,
                              const kernel::HomeNamespaces& home);

  std::vector<std::string> runtimes() const;
  // The zygote of `runtime` and its key in Watch; started if needed. Kind::invalid for a runtime that is not here.
  Result<container::Zygote*> of(const std::string& runtime);
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
          const kernel::HomeNamespaces& home);

  std::vector<Entry> entries_;  // the key is the index
  std::string run_dir_;
  Fd filter_;
  Poller* poller_;
  const kernel::HomeNamespaces* home_;
};

}  // namespace hearth::warden
