#include "base/byte_budget.h"

#include <algorithm>

namespace hearth {

ByteBudget::ByteBudget(size_t all, size_t one) : all_(all), one_(one) {}

ByteBudget::Held ByteBudget::take(const std::string& owner, size_t bytes) {
  const auto found = taken_->of.find(owner);
  const size_t has = found == taken_->of.end() ? 0 : found->second;
  const bool room = bytes <= all_ - taken_->all && bytes <= one_ - std::min(one_, has);
  if (!room) return nullptr;
  taken_->all += bytes;
  const auto at = taken_->of.try_emplace(owner, 0).first;
  at->second += bytes;
  auto give_back = [taken = taken_, at, bytes](void*) {
    taken->all -= bytes;
    at->second -= bytes;
    if (at->second == 0) taken->of.erase(at);
  };
  return Held(&at->second, std::move(give_back));
}

}  // namespace hearth
