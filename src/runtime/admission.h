// Admission: who may run now, by reserved and account-wide concurrency.
//
// A function with a reservation runs at most that many at once, out of its own share; all others of the account share
// what is not reserved. Over a limit an invocation is refused at once with AWS's reason, never queued.
//
// Used on the loop's thread.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/clock.h"
#include "runtime/function.h"

namespace hearth::runtime {

class Admission {
 public:
  static constexpr std::string_view kReserved = "ReservedFunctionConcurrentInvocationLimitExceeded";
  static constexpr std::string_view kAccount = "ConcurrentInvocationLimitExceeded";
  // For how long a sum of reservations is good; it is asked for only near the limit.
  static constexpr std::chrono::milliseconds kSumAge{100};

  struct Options {
    int64_t concurrency = 1000;
    int64_t unreserved_minimum = 100;
    std::function<int64_t(const AccountId&)> reserved_sum;
  };

  explicit Admission(Options options) : options_(std::move(options)) {}

  // What of the account's share an admitted invocation takes.
  enum class Share { reserved, unreserved };
  struct Refusal {
    std::string_view reason;
  };
  // `running`: invocations of the function under way.
  std::optional<Refusal> admit(const Function& function, int64_t running, MonotonicTime now);
  static Share share_of(const Function& function) {
    return function.reserved_concurrency ? Share::reserved : Share::unreserved;
  }
  void enter(const AccountId& account, Share share);
  void leave(const AccountId& account, Share share);
  int64_t running(const AccountId& account) const;

 private:
  struct Account {
    int64_t running = 0;
    int64_t unreserved = 0;
    int64_t reserved_sum = 0;
    MonotonicTime summed_at{};
  };
  Options options_;
  std::unordered_map<AccountId, Account> accounts_;
};

}  // namespace hearth::runtime
