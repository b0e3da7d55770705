// The members of an object: in written order, with an index by key once there are more than a few.
//
// The index is sorted, not hashed: no choice of keys in a payload makes it slow.
#pragma once

#include <string_view>
#include <vector>

#include "graph/expression/value.h"

namespace hearth::expression {

struct ObjectData {
  static constexpr size_t kScanned = 12;  // up to this many members are scanned, not indexed

  std::vector<Member> members;

  size_t position(std::string_view key) const;  // members.size() when it is not there
  const Value* find(std::string_view key) const;
  void set(const Value& key, Value value);
  void erase(std::string_view key);
  // Takes members with repeated keys: the first place and the last value stay. Builds the index.
  void assign(std::vector<Member> taken);

 private:
  void build_index();
  std::vector<uint32_t>::const_iterator lower_bound(std::string_view key) const;

  std::vector<uint32_t> by_key_;  // positions sorted by key; empty while scanned
};

}  // namespace hearth::expression
