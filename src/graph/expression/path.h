// Path: a JSONPath of the Amazon States Language, compiled once. Jayway's dialect, not RFC 9535:
//  * `$` is the input, `$$` the context object, `$name` a variable.
//  * A path of names and single indexes is definite: it gives its one value, a miss is an error (Kind::not_found, in
//    Jayway's words: "No results for path: $['a']").
//  * Anything with wildcards, slices, several indexes, filters or `..` gives an array; what is missing on the way gives
//    none, even a missing name in front.
//  * Filters, functions (`length()`, `sum()` …) and several names (`['a','b']`) as Jayway knows them.
// Immutable and cheap to copy; any thread. Refuses longer or deeper text than its limits; an evaluation that visits
// more than kMaxPathSteps nodes is Kind::exhausted. Support table: docs/expressions.md.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "graph/expression/value.h"

namespace hearth::expression {

inline constexpr size_t kMaxPathBytes = 16 << 10;
inline constexpr size_t kMaxPathTokens = 256;
inline constexpr size_t kMaxFilterDepth = 32;
inline constexpr uint64_t kMaxPathSteps = 2'000'000;

// What a path may look at. REQUIRES: everything outlives the call.
struct PathScope {
  const Value& input;
  const Value& context;
  std::function<const Value*(std::string_view name)> variable;  // nullptr: there is none of that name
};

enum class PathRoot : uint8_t { input, context, variable };

// What an index past the end of an array (as the last step) is: an error, or null as in the `.$` fields of a payload
// template, where Step Functions is lenient.
enum class PastEnd : uint8_t { is_error, is_null };

struct PathTree;

class Path {
 public:
  // Kind::invalid with the position and what is wrong there.
  static Result<Path> compile(std::string_view text);

  Result<Value> read(const PathScope& scope, PastEnd past_end = PastEnd::is_error) const;

  const std::string& text() const;
  PathRoot root() const;
  const std::string& variable() const;  // of PathRoot::variable
  bool is_definite() const;
  bool is_reference() const;  // only names and single indexes, as ResultPath and Variable want it

 private:
  explicit Path(std::shared_ptr<const PathTree> tree) : tree_(std::move(tree)) {}
  friend class ReferencePath;

  std::shared_ptr<const PathTree> tree_;
};

// A Path that names one place, to be written: ResultPath.
class ReferencePath {
 public:
  // Refuses what is no reference path; `$$` and variables too, since neither can be written.
  static Result<ReferencePath> compile(std::string_view text);

  // `document` with `value` at the path; objects that are missing on the way are made, an index must exist.
  // Kind::conflict in Step Functions' words ("Unable to apply step "a" to input …") when something else is in the way.
  Result<Value> write(const Value& document, const Value& value) const;

  const Path& path() const { return path_; }

 private:
  explicit ReferencePath(Path path) : path_(std::move(path)) {}

  Path path_;
};

}  // namespace hearth::expression
