#include "graph/expression/object_data.h"

#include <algorithm>
#include <numeric>

namespace hearth::expression {

std::vector<uint32_t>::const_iterator ObjectData::lower_bound(std::string_view key) const {
  return std::lower_bound(by_key_.begin(), by_key_.end(), key,
                          [this](uint32_t index, std::string_view wanted) { return members[index].name() < wanted; });
}

size_t ObjectData::position(std::string_view key) const {
  if (members.size() <= kScanned) {
    for (size_t i = 0; i < members.size(); ++i) {
      if (members[i].name() == key) return i;
    }
    return members.size();
  }
  auto place = lower_bound(key);
  if (place == by_key_.end() || members[*place].name() != key) return members.size();
  return *place;
}

const Value* ObjectData::find(std::string_view key) const {
  size_t at = position(key);
  return at < members.size() ? &members[at].value : nullptr;
}

void ObjectData::set(const Value& key, Value value) {
  size_t at = position(key.as_string());
  if (at < members.size()) {
    members[at].value = std::move(value);
    return;
  }
  members.push_back({key, std::move(value)});
  if (members.size() == kScanned + 1) {
    build_index();
  } else if (members.size() > kScanned) {
    by_key_.insert(lower_bound(key.as_string()), static_cast<uint32_t>(members.size() - 1));
  }
}

void ObjectData::erase(std::string_view key) {
  size_t at = position(key);
  if (at == members.size()) return;
  members.erase(members.begin() + static_cast<std::ptrdiff_t>(at));
  build_index();
}

void ObjectData::build_index() {
  by_key_.clear();
  if (members.size() <= kScanned) return;
  by_key_.resize(members.size());
  std::iota(by_key_.begin(), by_key_.end(), 0U);
  std::sort(by_key_.begin(), by_key_.end(), [this](uint32_t a, uint32_t b) {
    int order = members[a].name().compare(members[b].name());
    return order != 0 ? order < 0 : a < b;
  });
}

void ObjectData::assign(std::vector<Member> taken) {
  if (taken.size() <= kScanned) {
    bool repeats = false;
    for (size_t i = 1; i < taken.size() && !repeats; ++i) {
      auto same = [&](const Member& other) { return other.name() == taken[i].name(); };
      repeats = std::any_of(taken.begin(), taken.begin() + static_cast<std::ptrdiff_t>(i), same);
    }
    if (!repeats) {
      members = std::move(taken);
      return;
    }
    for (Member& member : taken) set(member.key, std::move(member.value));
    return;
  }
  members = std::move(taken);
  build_index();
  std::vector<bool> repeated;
  for (size_t i = 1; i < by_key_.size(); ++i) {
    uint32_t first = by_key_[i - 1];
    uint32_t again = by_key_[i];
    if (members[first].name() != members[again].name()) continue;
    repeated.resize(members.size());
    members[first].value = std::move(members[again].value);
    repeated[again] = true;
    by_key_[i] = first;  // a third one meets the first again
  }
  if (repeated.empty()) return;
  size_t kept = 0;
  for (size_t i = 0; i < members.size(); ++i) {
    if (repeated[i]) continue;
    if (kept != i) members[kept] = std::move(members[i]);
    ++kept;
  }
  members.erase(members.begin() + static_cast<std::ptrdiff_t>(kept), members.end());
  build_index();
}

}  // namespace hearth::expression
