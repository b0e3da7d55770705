#include "runtime/admission.h"

#include <algorithm>

namespace hearth::runtime {

std::optional<Admission::Refusal> Admission::admit(const Function& function, int64_t running, MonotonicTime now) {
  if (function.reserved_concurrency) {
    if (running >= *function.reserved_concurrency) return Refusal{kReserved};
    return std::nullopt;
  }
  auto& account = accounts_[function.key.account];
  // Reservations always leave the minimum, so below it the sum does not matter.
  if (account.unreserved < std::min(options_.unreserved_minimum, options_.concurrency)) return std::nullopt;
  if (now - account.summed_at > kSumAge) {
    account.reserved_sum = options_.reserved_sum(function.key.account);
    account.summed_at = now;
  }
  if (account.unreserved >= options_.concurrency - account.reserved_sum) return Refusal{kAccount};
  return std::nullopt;
}

void Admission::enter(const AccountId& account, Share share) {
  auto& entry = accounts_[account];
  ++entry.running;
  if (share == Share::unreserved) ++entry.unreserved;
}

void Admission::leave(const AccountId& account, Share share) {
  auto& entry = accounts_[account];
  --entry.running;
  if (share == Share::unreserved) --entry.unreserved;
}

int64_t Admission::running(const AccountId& account) const {
  const auto at = accounts_.find(account);
  return at == accounts_.end() ? 0 : at->second.running;
}

}  // namespace hearth::runtime
