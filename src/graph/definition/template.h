// Template: the value of a field that may hold expressions, compiled once.
//
// JSONPath: an object of which members named "x.$" are paths (`$.a`, `$$.b`, `$name`) or intrinsic calls. JSONata: any
// JSON of which strings "{% … %}" are expressions. What holds none is one constant, so a large literal costs nothing.
// Immutable; any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.h"
#include "graph/expression/intrinsic.h"
#include "graph/expression/jsonata.h"
#include "graph/expression/path.h"
#include "graph/expression/value.h"

namespace hearth::definition {

enum class Language : uint8_t { jsonpath, jsonata };

struct Expression {
  std::string field;   // for messages: "value.$" (JSONPath), "Output/result" (JSONata), "SecondsPath"
  std::string text{};  // without {% and %}
  std::variant<expression::Value, expression::Path, expression::Intrinsic, expression::Jsonata> form{};

  bool is_constant() const { return std::holds_alternative<expression::Value>(form); }
  bool is_jsonata() const { return std::holds_alternative<expression::Jsonata>(form); }
};

struct Template {
  enum class Kind : uint8_t { constant, expression, array, object };
  Kind kind = Kind::constant;
  expression::Value constant{};
  Expression expression{};
  std::vector<expression::Value> keys{};  // of an object, one a part
  std::vector<Template> parts{};
};

// Whether `text` is a JSONata expression: "{% … %}" with nothing around it.
bool is_jsonata_text(std::string_view text);
// The expression inside, without spaces around it. REQUIRES: is_jsonata_text(text).
std::string_view jsonata_inside(std::string_view text);

// An expression that stands where a path or an intrinsic call is wanted.
Result<Expression> compile_path_or_intrinsic(std::string field, std::string_view text);
Result<Expression> compile_jsonata(std::string field, std::string_view text);

}  // namespace hearth::definition
