// The table of configuration keys: one row a key, from which loading, `items` and the documentation come.
//
// Internal to base/config.cc; nothing else includes it.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/config.h"
#include "base/result.h"

namespace hearth::config {

using Texts = std::vector<std::string>;
using Map = std::map<std::string, std::string>;
// A value as it was written, before it is checked against its row.
using Value = std::variant<std::string, int64_t, bool, Texts, Map>;

// Whether a text is allowed, and how a person is told what is.
struct Rule {
  bool (*accepts)(std::string_view text);
  std::string_view words;
};

struct TextKey {
  std::string Config::* member;
  Rule rule;
};
struct IntegerKey {
  int64_t Config::* member;
  int64_t min;
  int64_t max;
};
struct PortKey {
  uint16_t Config::* member;
};
struct FlagKey {
  bool Config::* member;
};
struct ListKey {
  Texts Config::* member;
  Rule rule;  // of each entry
};
struct MapKey {
  Map Config::* member;
  Rule names;
  Rule values;
};

struct Key {
  std::string_view name;  // "gateway.driver"
  std::variant<TextKey, IntegerKey, PortKey, FlagKey, ListKey, MapKey> field;
  std::string_view meaning;
};

// In the order in which people are shown them.
std::span<const Key> keys();
// nullptr when there is none of that name.
const Key* find_key(std::string_view name);
// "gateway.driver" → "HEARTH_GATEWAY_DRIVER".
std::string environment_name(std::string_view key);
// Letters to insert, drop or replace to make `b` of `a`.
size_t edit_distance(std::string_view a, std::string_view b);
// The known key that is spelt most like `name`.
std::string_view nearest_key(std::string_view name);

// Checks `value` and puts it into `config`. The error tells the value and what is accepted, not the key.
Result<> assign(Config& config, const Key& key, const Value& value);
// The environment's text for `key` as a Value of the row's type.
Result<Value> from_text(const Key& key, const std::string& text);
std::string print(const Config& config, const Key& key);
std::string accepts(const Key& key);

// The leaves of the TOML file at `path` as (dotted name, value); a table that is itself a key is one Map.
using Values = std::vector<std::pair<std::string, Value>>;
Result<Values> read_file(const std::string& path);

bool is_loopback(std::string_view address);

}  // namespace hearth::config
