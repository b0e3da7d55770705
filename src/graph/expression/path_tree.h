// What a compiled path consists of. Internal to Path.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "graph/expression/path.h"
#include "graph/expression/regex.h"

namespace hearth::expression {

struct FilterNode;

// An argument of a path function: a path, or a literal.
struct PathArgument {
  std::shared_ptr<const PathTree> path;
  Value literal;
};

struct PathToken {
  enum class Kind : uint8_t { names, indexes, slice, wildcard, scan, filter, function };
  Kind kind = Kind::names;
  std::vector<std::string> names;  // one for `.a`; the name of a function
  std::vector<int64_t> indexes;
  std::optional<int64_t> from, to;
  std::shared_ptr<const FilterNode> filter;
  std::vector<PathArgument> arguments;

  // As Jayway prints it in messages: ['a'], [0], [*], [?].
  std::string fragment() const;
  bool is_definite(bool last) const;
};

struct PathTree {
  std::string text;
  PathRoot root = PathRoot::input;
  bool relative = false;  // begins with `@`: only within filters
  std::string variable;
  std::vector<PathToken> tokens;
  bool definite = true;

  // The path up to and including token `count - 1`: $['a'][0].
  std::string location(size_t count) const;
};

enum class FilterOp : uint8_t {
  exists,
  equal,
  not_equal,
  same_type_equal,
  not_same_type_equal,
  less,
  less_equal,
  greater,
  greater_equal,
  matches,
  in,
  not_in,
  subset_of,
  any_of,
  none_of,
  contains,
  all,
  size,
  empty,
  // of expressions
  logical_and,
  logical_or,
  logical_not,
};

struct FilterOperand {
  std::shared_ptr<const PathTree> path;
  Value literal;
  std::optional<Regex> regex;
};

struct FilterNode {
  FilterOp op = FilterOp::exists;
  FilterOperand left, right;
  std::vector<std::shared_ptr<const FilterNode>> parts;  // of logical operators
};

Result<std::shared_ptr<const PathTree>> parse_path(std::string_view text);

// A cursor over the text of a path, shared by the parsers of paths and filters.
class PathCursor {
 public:
  explicit PathCursor(std::string_view text) : text_(text) {}

  bool done() const { return at_ >= text_.size(); }
  char peek(size_t ahead = 0) const { return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0'; }
  bool take(char c);
  bool take(std::string_view word);
  void skip_blanks();
  size_t position() const { return at_; }
  void advance(size_t count = 1) { at_ += count; }
  std::string_view since(size_t position) const { return text_.substr(position, at_ - position); }
  std::string_view rest() const { return text_.substr(std::min(at_, text_.size())); }
  Failure refuse(std::string_view what) const;
  // A quoted name or text; the backslash before the quote itself is dropped, any other is kept.
  Result<std::string> quoted();
  Result<int64_t> integer();

 private:
  std::string_view text_;
  size_t at_ = 0;
};

// `$…` or `@…` at the cursor, as far as it reaches. `depth` counts nested filters.
Result<std::shared_ptr<const PathTree>> parse_path_at(PathCursor& cursor, bool nested, size_t depth);
// What stands between `?(` and `)`.
Result<std::shared_ptr<const FilterNode>> parse_filter(PathCursor& cursor, size_t depth);
// A JSON value, or text in single quotes, at the cursor.
Result<Value> parse_path_literal(PathCursor& cursor);

// One evaluation: counts its steps.
class PathReader {
 public:
  explicit PathReader(const PathScope& scope) : scope_(scope) {}

  // The value of a definite path, the array of an indefinite one; Kind::not_found for a definite miss.
  Result<Value> read(const PathTree& tree, const Value* current);
  // Whether `current` passes the filter. A path that finds nothing is no error here.
  Result<bool> accepts(const FilterNode& filter, const Value& current);
  bool missed_past_end() const { return missed_past_end_; }

 private:
  Result<> walk(const PathTree& tree, size_t token, const Value& model, bool definite, std::vector<Value>& found);
  Result<> walk_names(const PathTree& tree, size_t token, const Value& model, bool definite, std::vector<Value>& found);
  Result<> walk_items(const PathTree& tree, size_t token, const Value& model, bool definite, std::vector<Value>& found);
  Result<> walk_index(const PathTree& tree, size_t token, const Value& model, int64_t index, bool definite,
                      std::vector<Value>& found);
  Result<> walk_wildcard(const PathTree& tree, size_t token, const Value& model, std::vector<Value>& found);
  Result<> walk_filter(const PathTree& tree, size_t token, const Value& model, std::vector<Value>& found);
  Result<> scan(const PathTree& tree, size_t token, const Value& model, std::vector<Value>& found);
  Result<bool> scan_matches(const PathToken& token, bool last, const Value& model);
  Result<> step();
  Result<Value> call(const PathToken& function, const Value& model);
  Result<Value> operand(const FilterOperand& operand, const Value& current);
  Result<bool> relation(const FilterNode& filter, const Value& current);

  const PathScope& scope_;
  uint64_t steps_ = 0;
  bool missed_past_end_ = false;
};

}  // namespace hearth::expression
