// A seccomp filter made of a list of allowed system calls, compiled to the kernel's BPF.
//
// What no rule names fails with ENOSYS, as on a kernel that lacks it, so that libraries take their older way. Rules of
// one call are alternatives; of a call with conditions, what none of them allows fails the same way. The program is
// data: it can be handed to another process and installed there without libseccomp.
#pragma once

#include <linux/filter.h>

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"

namespace hearth::kernel {

struct Comparison {
  unsigned argument = 0;
  enum class Test { masked_equal, equal } test = Test::equal;
  uint64_t mask = 0;  // masked_equal only
  uint64_t value = 0;
};

struct SyscallRule {
  std::string name;                    // a name that this kernel's headers do not know is skipped
  std::vector<Comparison> conditions;  // all must hold; none: always
  int refusal = 0;                     // 0: allow; otherwise fail with this errno
};

Result<std::vector<sock_filter>> compile_filter(std::span<const SyscallRule> rules);

}  // namespace hearth::kernel
