#include "graph/expression/jsonata_builtins.h"

#include <algorithm>
#include <map>

#include "graph/expression/jsonata_signature.h"

namespace hearth::expression {
namespace {

struct Entry {
  const Builtin* builtin;
  Signature signature;
};

const std::map<std::string_view, Entry>& table() {
  static const std::map<std::string_view, Entry> kTable = [] {
    std::map<std::string_view, Entry> made;
    for (auto part : {aggregate_builtins(), array_builtins(), higher_order_builtins(), number_builtins(),
                      object_builtins(), pattern_builtins(), states_builtins(), string_builtins(), time_builtins()}) {
      for (const Builtin& builtin : part)
        made.emplace(builtin.name, Entry{&builtin, *Signature::parse(builtin.signature)});
    }
    return made;
  }();
  return kTable;
}

}  // namespace

const Builtin* find_builtin(std::string_view name) {
  auto found = table().find(name);
  return found == table().end() ? nullptr : found->second.builtin;
}

const Signature& signature_of(const Builtin& builtin) { return table().find(builtin.name)->second.signature; }

}  // namespace hearth::expression
