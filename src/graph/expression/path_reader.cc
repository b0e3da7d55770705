#include <algorithm>
#include <cmath>

#include "graph/expression/json_text.h"
#include "graph/expression/path_tree.h"

namespace hearth::expression {
namespace {

std::string_view java_class(const Value& value) {
  switch (value.type()) {
    case Type::string:
      return "java.lang.String";
    case Type::boolean:
      return "java.lang.Boolean";
    case Type::number:
      return value.is_integer() ? "java.lang.Integer" : "java.lang.Double";
    case Type::array:
      return "java.util.ArrayList";
    case Type::object:
      return "java.util.LinkedHashMap";
    default:
      return "null";
  }
}

Failure missing(const std::string& text) { return fail(Kind::not_found, text); }

}  // namespace

Result<> PathReader::step() {
  if (++steps_ > kMaxPathSteps) return fail(Kind::exhausted, "the path visits too many nodes");
  return {};
}

Result<Value> PathReader::read(const PathTree& tree, const Value* current) {
  const Value* start = &scope_.input;
  if (tree.relative) {
    start = current;
  } else if (tree.root == PathRoot::context) {
    start = &scope_.context;
  } else if (tree.root == PathRoot::variable) {
    start = scope_.variable ? scope_.variable(tree.variable) : nullptr;
    if (start == nullptr) return missing("the variable '$" + tree.variable + "' is not assigned");
  }
  if (tree.tokens.empty()) return *start;
  std::vector<Value> found;
  // A function that ends a deep scan takes all that the scan finds.
  bool aggregates = tree.definite && std::ranges::any_of(tree.tokens, [](const PathToken& token) {
                      return token.kind == PathToken::Kind::scan;
                    });
  if (aggregates) {
    PathTree scanned = tree;
    scanned.tokens.pop_back();
    TRY(walk(scanned, 0, *start, false, found));
    return call(tree.tokens.back(), Value::array(std::move(found)));
  }
  auto walked = walk(tree, 0, *start, true, found);
  if (!walked && (tree.definite || walked.error().kind != Kind::not_found))
    return std::unexpected(std::move(walked).error());
  if (!tree.definite) return Value::array(walked ? std::move(found) : std::vector<Value>());
  if (found.empty()) return missing("No results for path: " + tree.location(tree.tokens.size()));
  return std::move(found.back());
}

// Applies token `token` to `model`. `definite`: nothing before it can have branched, so a miss is an error.
Result<> PathReader::walk(const PathTree& tree, size_t token, const Value& model, bool definite,
                          std::vector<Value>& found) {
  TRY(step());
  if (token == tree.tokens.size()) {
    found.push_back(model);
    return {};
  }
  const PathToken& next = tree.tokens[token];
  switch (next.kind) {
    case PathToken::Kind::names:
      return walk_names(tree, token, model, definite, found);
    case PathToken::Kind::indexes:
    case PathToken::Kind::slice:
      return walk_items(tree, token, model, definite, found);
    case PathToken::Kind::wildcard:
      return walk_wildcard(tree, token, model, found);
    case PathToken::Kind::filter:
      return walk_filter(tree, token, model, found);
    case PathToken::Kind::scan:
      return scan(tree, token, model, found);
    case PathToken::Kind::function:
      break;
  }
  TRY_ASSIGN(Value result, call(next, model));
  return walk(tree, token + 1, result, definite, found);
}

Result<> PathReader::walk_names(const PathTree& tree, size_t token, const Value& model, bool definite,
                                std::vector<Value>& found) {
  const PathToken& next = tree.tokens[token];
  bool last = token + 1 == tree.tokens.size();
  if (!model.is_object()) {
    if (!definite) return {};
    return missing("Expected to find an object with property " + next.fragment() + " in path " + tree.location(token) +
                   " but found '" + std::string(java_class(model)) +
                   "'. This is not a json object according to the JsonProvider: "
                   "'com.jayway.jsonpath.spi.json.JacksonJsonProvider'.");
  }
  if (next.names.size() > 1 && last) {
    std::vector<Member> merged;
    for (const std::string& name : next.names) {
      if (const Value* value = model.find(name)) merged.push_back({Value::string(name), *value});
    }
    found.push_back(Value::object(std::move(merged)));
    return {};
  }
  for (const std::string& name : next.names) {
    const Value* value = model.find(name);
    if (value != nullptr) {
      TRY(walk(tree, token + 1, *value, definite && next.is_definite(last), found));
    } else if (definite && !last && next.names.size() == 1) {
      return missing("Missing property in path " + tree.location(token + 1));
    }
  }
  return {};
}

Result<> PathReader::walk_index(const PathTree& tree, size_t token, const Value& model, int64_t index, bool definite,
                                std::vector<Value>& found) {
  auto size = static_cast<int64_t>(model.size());
  int64_t place = index < 0 ? size + index : index;
  if (place >= 0 && place < size)
    return walk(tree, token + 1, model.items()[static_cast<size_t>(place)], definite, found);
  if (definite && token + 1 == tree.tokens.size()) missed_past_end_ = true;
  return {};
}

Result<> PathReader::walk_items(const PathTree& tree, size_t token, const Value& model, bool definite,
                                std::vector<Value>& found) {
  const PathToken& next = tree.tokens[token];
  if (!model.is_array()) {
    if (!definite) return {};
    if (model.is(Type::null)) return missing("The path " + tree.location(token) + " is null");
    return missing("Filter: " + next.fragment() +
                   " can only be applied to arrays. Current context is: " + to_java_text(model));
  }
  if (next.kind == PathToken::Kind::indexes) {
    bool single = next.indexes.size() == 1;
    for (int64_t index : next.indexes) TRY(walk_index(tree, token, model, index, definite && single, found));
    return {};
  }
  auto size = static_cast<int64_t>(model.size());
  int64_t from = next.from.value_or(0);
  int64_t to = std::min(size, next.to.value_or(size));
  // Jayway counts a lone negative bound from the end; of two bounds it compares them as they stand.
  if (!next.to && from < 0) from = std::max<int64_t>(0, size + from);
  if (!next.from && to < 0) to = size + to;
  from = std::max(from, -size);
  for (int64_t i = from; i < to; ++i) TRY(walk_index(tree, token, model, i, false, found));
  return {};
}

Result<> PathReader::walk_wildcard(const PathTree& tree, size_t token, const Value& model, std::vector<Value>& found) {
  for (const Member& member : model.members()) TRY(walk(tree, token + 1, member.value, false, found));
  for (const Value& item : model.items()) TRY(walk(tree, token + 1, item, false, found));
  return {};
}

Result<> PathReader::walk_filter(const PathTree& tree, size_t token, const Value& model, std::vector<Value>& found) {
  const FilterNode& filter = *tree.tokens[token].filter;
  if (model.is_object()) {
    TRY_ASSIGN(bool accepted, accepts(filter, model));
    return accepted ? walk(tree, token + 1, model, false, found) : Result<>();
  }
  for (const Value& item : model.items()) {
    TRY_ASSIGN(bool accepted, accepts(filter, item));
    if (accepted) TRY(walk(tree, token + 1, item, false, found));
  }
  return {};
}

// Whether a deep scan applies the token that follows `..` to this node.
Result<bool> PathReader::scan_matches(const PathToken& token, bool last, const Value& model) {
  switch (token.kind) {
    case PathToken::Kind::names:
      if (!model.is_object()) return false;
      if (!token.is_definite(last)) return true;
      return std::ranges::all_of(token.names, [&](const std::string& name) { return model.find(name) != nullptr; });
    case PathToken::Kind::indexes:
    case PathToken::Kind::slice:
      return model.is_array();
    case PathToken::Kind::filter:
      return accepts(*token.filter, model);
    default:
      return true;
  }
}

Result<> PathReader::scan(const PathTree& tree, size_t token, const Value& model, std::vector<Value>& found) {
  TRY(step());
  if (!model.is_object() && !model.is_array()) return {};
  TRY_ASSIGN(bool matches, scan_matches(tree.tokens[token + 1], token + 2 == tree.tokens.size(), model));
  if (matches) TRY(walk(tree, token + 1, model, false, found));
  for (const Member& member : model.members()) TRY(scan(tree, token, member.value, found));
  for (const Value& item : model.items()) TRY(scan(tree, token, item, found));
  return {};
}

namespace {

// The numbers a function works on: those of an array, then those of its arguments.
std::vector<double> numbers_of(const Value& model, std::span<const Value> arguments) {
  std::vector<double> numbers;
  auto take = [&](const Value& value) {
    if (value.is_number()) numbers.push_back(value.as_double());
  };
  for (const Value& item : model.items()) take(item);
  for (const Value& argument : arguments) {
    take(argument);
    for (const Value& item : argument.items()) take(item);
  }
  return numbers;
}

Result<Value> aggregate(std::string_view name, const std::vector<double>& numbers) {
  if (numbers.empty())
    return fail(Kind::invalid, "Aggregation function attempted to calculate value using empty array");
  auto count = static_cast<double>(numbers.size());
  double sum = 0;
  double squares = 0;
  for (double number : numbers) {
    sum += number;
    squares += number * number;
  }
  if (name == "sum") return Value::number(sum);
  if (name == "avg") return Value::number(sum / count);
  if (name == "min") return Value::number(*std::ranges::min_element(numbers));
  if (name == "max") return Value::number(*std::ranges::max_element(numbers));
  return Value::number(std::sqrt(squares / count - sum * sum / count / count));
}

std::string text_of(const Value& value) { return value.is_string() ? std::string(value.as_string()) : to_json(value); }

Value concat(const Value& model, std::span<const Value> arguments) {
  std::string text;
  for (const Value& item : model.items()) {
    if (item.is_string()) text += item.as_string();
  }
  for (const Value& argument : arguments) {
    if (!argument.is_array()) text += text_of(argument);
    for (const Value& item : argument.items()) text += text_of(item);
  }
  return Value::string(text);
}

Value keys_of(const Value& model) {
  std::vector<Value> keys;
  for (const Member& member : model.members()) keys.push_back(member.key);
  return Value::array(std::move(keys));
}

}  // namespace

Result<Value> PathReader::call(const PathToken& function, const Value& model) {
  std::vector<Value> arguments;
  for (const PathArgument& argument : function.arguments) {
    if (argument.path == nullptr) {
      arguments.push_back(argument.literal);
      continue;
    }
    TRY_ASSIGN(Value value, read(*argument.path, &model));
    arguments.push_back(std::move(value));
  }
  std::string_view name = function.names[0];
  if (name == "length" || name == "size") {
    const Value& counted = arguments.empty() ? model : arguments[0];
    bool has_length = counted.is_array() || counted.is_object();
    return has_length ? Value::integer(static_cast<int64_t>(counted.size())) : Value::null();
  }
  if (name == "keys") return model.is_object() ? keys_of(model) : Value::null();
  if (name == "concat") return concat(model, arguments);
  if (name == "append") {
    if (!model.is_array()) return model;
    Value extended = model;
    for (Value& argument : arguments) extended.push_back(std::move(argument));
    return extended;
  }
  if (name == "first" || name == "last" || name == "index") {
    auto size = static_cast<int64_t>(model.size());
    int64_t place = name == "last" ? -1 : 0;
    if (name == "index" && !arguments.empty()) place = arguments[0].as_integer().value_or(size);
    if (place < 0) place += size;
    if (!model.is_array() || place < 0 || place >= size)
      return fail(Kind::not_found, "No results for path: " + function.fragment());
    return model.items()[static_cast<size_t>(place)];
  }
  return aggregate(name, numbers_of(model, arguments));
}

}  // namespace hearth::expression
