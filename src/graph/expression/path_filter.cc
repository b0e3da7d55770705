// Filters of paths: `[?(@.a == 1 && @.b)]`, parsed and applied, as Jayway's Filter and Criteria do.
#include <algorithm>
#include <array>
#include <cmath>

#include "graph/expression/number_text.h"
#include "graph/expression/path_tree.h"
#include "graph/expression/utf8.h"

namespace hearth::expression {
namespace {

constexpr uint32_t kFilterRegexSteps = 100'000;

// Longer spellings first.
constexpr auto kRelations = std::to_array<std::pair<std::string_view, FilterOp>>({
    {"===", FilterOp::same_type_equal},
    {"!==", FilterOp::not_same_type_equal},
    {"==", FilterOp::equal},
    {"!=", FilterOp::not_equal},
    {"<=", FilterOp::less_equal},
    {">=", FilterOp::greater_equal},
    {"=~", FilterOp::matches},
    {"<", FilterOp::less},
    {">", FilterOp::greater},
    {"nin", FilterOp::not_in},
    {"in", FilterOp::in},
    {"subsetof", FilterOp::subset_of},
    {"anyof", FilterOp::any_of},
    {"noneof", FilterOp::none_of},
    {"contains", FilterOp::contains},
    {"all", FilterOp::all},
    {"size", FilterOp::size},
    {"empty", FilterOp::empty},
});

using FilterPtr = std::shared_ptr<const FilterNode>;

class FilterParser {
 public:
  FilterParser(PathCursor& cursor, size_t depth) : cursor_(cursor), depth_(depth) {}

  Result<FilterPtr> disjunction() { return chain(FilterOp::logical_or, "||"); }

 private:
  Result<FilterPtr> chain(FilterOp op, std::string_view spelling) {
    auto made = std::make_shared<FilterNode>();
    made->op = op;
    do {
      auto part = op == FilterOp::logical_or ? chain(FilterOp::logical_and, "&&") : negation();
      if (!part) return part;
      made->parts.push_back(*std::move(part));
      cursor_.skip_blanks();
    } while (cursor_.take(spelling));
    if (made->parts.size() == 1) return made->parts[0];
    return made;
  }

  Result<FilterPtr> negation() {
    if (++depth_ > kMaxFilterDepth) return fail(Kind::exhausted, "a filter nested too deeply");
    cursor_.skip_blanks();
    Result<FilterPtr> made;
    if (cursor_.peek() == '!' && cursor_.peek(1) != '=') {
      cursor_.advance();
      TRY_ASSIGN(FilterPtr part, negation());
      auto negated = std::make_shared<FilterNode>();
      negated->op = FilterOp::logical_not;
      negated->parts.push_back(std::move(part));
      made = negated;
    } else if (cursor_.take('(')) {
      made = disjunction();
      cursor_.skip_blanks();
      if (made && !cursor_.take(')')) return cursor_.refuse("expected ')'");
    } else {
      made = relation();
    }
    --depth_;
    return made;
  }

  Result<FilterPtr> relation() {
    auto made = std::make_shared<FilterNode>();
    TRY_ASSIGN(made->left, operand());
    cursor_.skip_blanks();
    std::string rest = to_lower(cursor_.rest().substr(0, 9));
    for (const auto& [spelling, op] : kRelations) {
      if (!rest.starts_with(spelling)) continue;
      cursor_.advance(spelling.size());
      made->op = op;
      cursor_.skip_blanks();
      TRY_ASSIGN(made->right, operand());
      return made;
    }
    if (made->left.path == nullptr) return cursor_.refuse("expected an operator");
    return made;
  }

  Result<FilterOperand> operand() {
    FilterOperand made;
    cursor_.skip_blanks();
    if (cursor_.peek() == '@' || cursor_.peek() == '$') {
      if (depth_ >= kMaxFilterDepth) return fail(Kind::exhausted, "a filter nested too deeply");
      TRY_ASSIGN(made.path, parse_path_at(cursor_, true, depth_ + 1));
    } else if (cursor_.peek() == '/') {
      TRY_ASSIGN(made.regex, regex());
    } else {
      TRY_ASSIGN(made.literal, parse_path_literal(cursor_));
    }
    return made;
  }

  Result<Regex> regex() {
    cursor_.advance();
    size_t from = cursor_.position();
    while (!cursor_.done() && cursor_.peek() != '/') cursor_.advance(cursor_.peek() == '\\' ? 2 : 1);
    std::string pattern(cursor_.since(from));
    if (!cursor_.take('/')) return cursor_.refuse("a regular expression that is not closed");
    Regex::Flags flags;
    while (cursor_.peek() >= 'a' && cursor_.peek() <= 'z') {
      flags.ignore_case = flags.ignore_case || cursor_.peek() == 'i';
      cursor_.advance();
    }
    // Java's Matcher.matches(): the whole text.
    auto compiled = Regex::compile("^(?:" + pattern + ")$", flags);
    if (!compiled) return cursor_.refuse("regular expression: " + compiled.error().message);
    return *std::move(compiled);
  }

  PathCursor& cursor_;
  size_t depth_;
};

std::optional<double> number_of(const Value& value) {
  if (value.is_number()) return value.as_double();
  if (!value.is_string() || number_form(value.as_string()) == NumberForm::none) return std::nullopt;
  return read_decimal(value.as_string());
}

// A number equals text that spells it, in either direction.
bool loosely_equal(const Value& left, const Value& right) {
  if (left.is_undefined() || right.is_undefined()) return left.type() == right.type();
  if (left.is_number() != right.is_number() && (left.is_string() || right.is_string())) {
    auto a = number_of(left);
    auto b = number_of(right);
    return a && b && *a == *b;
  }
  return deep_equal(left, right);
}

// None when the two have no order.
std::optional<int> order_of(const Value& left, const Value& right) {
  if (left.is_number() && right.is_number()) {
    double a = left.as_double();
    double b = right.as_double();
    return a < b ? -1 : a > b ? 1 : 0;
  }
  if (left.is_string() && right.is_string()) return compare_utf16(left.as_string(), right.as_string());
  return std::nullopt;
}

bool has(std::span<const Value> items, const Value& wanted) {
  return std::ranges::any_of(items, [&](const Value& item) { return loosely_equal(item, wanted); });
}

bool compare_sets(FilterOp op, const Value& left, const Value& right) {
  if (!right.is_array()) return false;
  if (op == FilterOp::in) return has(right.items(), left);
  if (op == FilterOp::not_in) return !has(right.items(), left);
  if (!left.is_array()) return false;
  auto known = [&](const Value& item) { return has(right.items(), item); };
  switch (op) {
    case FilterOp::subset_of:
      return std::ranges::all_of(left.items(), known);
    case FilterOp::any_of:
      return std::ranges::any_of(left.items(), known);
    case FilterOp::none_of:
      return std::ranges::none_of(left.items(), known);
    default:
      return std::ranges::all_of(right.items(), [&](const Value& item) { return has(left.items(), item); });
  }
}

bool contains(const Value& left, const Value& right) {
  if (left.is_array()) return has(left.items(), right);
  if (!left.is_string() || !right.is_string()) return false;
  return left.as_string().find(right.as_string()) != std::string_view::npos;
}

bool compare(FilterOp op, const Value& left, const Value& right) {
  std::optional<int> order = order_of(left, right);
  switch (op) {
    case FilterOp::equal:
      return loosely_equal(left, right);
    case FilterOp::not_equal:
      return !loosely_equal(left, right);
    case FilterOp::same_type_equal:
      return left.type() == right.type() && deep_equal(left, right);
    case FilterOp::not_same_type_equal:
      return left.type() != right.type() || !deep_equal(left, right);
    case FilterOp::less:
      return order && *order < 0;
    case FilterOp::less_equal:
      return order && *order <= 0;
    case FilterOp::greater:
      return order && *order > 0;
    case FilterOp::greater_equal:
      return order && *order >= 0;
    case FilterOp::contains:
      return contains(left, right);
    case FilterOp::size:
      return (left.is_array() || left.is_string()) && right.is_number() &&
             right.as_double() ==
                 static_cast<double>(left.is_array() ? left.size() : count_utf16_units(left.as_string()));
    case FilterOp::empty:
      return (left.is_array() || left.is_string() || left.is_object()) && (left.size() == 0) == right.is_true();
    default:
      return compare_sets(op, left, right);
  }
}

}  // namespace

Result<std::shared_ptr<const FilterNode>> parse_filter(PathCursor& cursor, size_t depth) {
  return FilterParser(cursor, depth).disjunction();
}

Result<Value> PathReader::operand(const FilterOperand& operand, const Value& current) {
  if (operand.path == nullptr) return operand.literal;
  auto value = read(*operand.path, &current);
  if (!value && value.error().kind == Kind::not_found) return Value();
  return value;
}

Result<bool> PathReader::relation(const FilterNode& filter, const Value& current) {
  TRY_ASSIGN(Value left, operand(filter.left, current));
  if (filter.op == FilterOp::exists) return !left.is_undefined();
  if (filter.op == FilterOp::matches) {
    const auto& regex = filter.right.regex ? filter.right.regex : filter.left.regex;
    if (!regex) return false;
    if (!filter.right.regex) {
      TRY_ASSIGN(left, operand(filter.right, current));
    }
    if (!left.is_string() && !left.is_number()) return false;
    std::string text = left.is_string() ? std::string(left.as_string()) : left.number_text();
    TRY_ASSIGN(auto match, regex->find(text, 0, kFilterRegexSteps));
    return match.has_value();
  }
  TRY_ASSIGN(Value right, operand(filter.right, current));
  return compare(filter.op, left, right);
}

Result<bool> PathReader::accepts(const FilterNode& filter, const Value& current) {
  TRY(step());
  switch (filter.op) {
    case FilterOp::logical_and:
    case FilterOp::logical_or:
      for (const auto& part : filter.parts) {
        TRY_ASSIGN(bool holds, accepts(*part, current));
        if (holds == (filter.op == FilterOp::logical_or)) return holds;
      }
      return filter.op == FilterOp::logical_and;
    case FilterOp::logical_not: {
      TRY_ASSIGN(bool holds, accepts(*filter.parts[0], current));
      return !holds;
    }
    default:
      return relation(filter, current);
  }
}

}  // namespace hearth::expression
