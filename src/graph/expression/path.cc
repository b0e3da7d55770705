#include "graph/expression/path.h"

#include <algorithm>

#include "graph/expression/json_text.h"
#include "graph/expression/path_tree.h"

namespace hearth::expression {
namespace {

bool names_one_place(const PathToken& token) {
  return (token.kind == PathToken::Kind::names && token.names.size() == 1) ||
         (token.kind == PathToken::Kind::indexes && token.indexes.size() == 1 && token.indexes[0] >= 0);
}

Failure conflict(const PathToken& token, const Value& document) {
  std::string step = token.kind == PathToken::Kind::names ? token.names[0] : std::to_string(token.indexes[0]);
  std::string message = "Unable to apply step ";
  append_json_string(message, step);
  message += " to input " + to_json(document);
  return fail(Kind::conflict, std::move(message));
}

Result<Value> write_at(const std::vector<PathToken>& tokens, size_t at, const Value& node, const Value& value,
                       const Value& document) {
  if (at == tokens.size()) return value;
  const PathToken& token = tokens[at];
  if (token.kind == PathToken::Kind::indexes) {
    auto index = static_cast<size_t>(token.indexes[0]);
    if (!node.is_array() || index >= node.size()) return conflict(token, document);
    TRY_ASSIGN(Value item, write_at(tokens, at + 1, node.items()[index], value, document));
    return node.with_item(index, std::move(item));
  }
  if (!node.is_object() && !node.is_undefined()) return conflict(token, document);
  const Value* member = node.find(token.names[0]);
  TRY_ASSIGN(Value inner, write_at(tokens, at + 1, member == nullptr ? Value() : *member, value, document));
  if (node.is_undefined()) return Value::object({{Value::string(token.names[0]), std::move(inner)}});
  return node.with_member(token.names[0], std::move(inner));
}

}  // namespace

Result<Path> Path::compile(std::string_view text) {
  TRY_ASSIGN(std::shared_ptr<const PathTree> tree, parse_path(text));
  return Path(std::move(tree));
}

Result<Value> Path::read(const PathScope& scope, PastEnd past_end) const {
  PathReader reader(scope);
  auto value = reader.read(*tree_, nullptr);
  bool lenient =
      !value && past_end == PastEnd::is_null && reader.missed_past_end() && value.error().kind == Kind::not_found;
  if (lenient) return Value::null();
  return value;
}

const std::string& Path::text() const { return tree_->text; }
PathRoot Path::root() const { return tree_->root; }
const std::string& Path::variable() const { return tree_->variable; }
bool Path::is_definite() const { return tree_->definite; }
bool Path::is_reference() const { return std::ranges::all_of(tree_->tokens, names_one_place); }

Result<ReferencePath> ReferencePath::compile(std::string_view text) {
  TRY_ASSIGN(Path path, Path::compile(text));
  if (!path.is_reference()) return fail(Kind::invalid, "Value is not a Reference Path: " + path.text());
  if (path.root() != PathRoot::input) return fail(Kind::invalid, "only the input can be written: " + path.text());
  return ReferencePath(std::move(path));
}

Result<Value> ReferencePath::write(const Value& document, const Value& value) const {
  return write_at(path_.tree_->tokens, 0, document, value, document);
}

}  // namespace hearth::expression
