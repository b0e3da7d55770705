#include "graph/definition/choice_parser.h"

#include <array>
#include <utility>

#include "graph/definition/definition.h"
#include "graph/definition/expressions.h"
#include "graph/definition/timestamp.h"

namespace hearth::definition {

using expression::Type;
using expression::Value;

namespace {

struct Comparison {
  std::string_view name;
  Operator operation;
  Relation relation;
  Type operand;
  bool has_twin;  // name + "Path"
};

constexpr auto kComparisons = std::to_array<Comparison>({
    {"StringEquals", Operator::string, Relation::equals, Type::string, true},
    {"StringLessThan", Operator::string, Relation::less, Type::string, true},
    {"StringGreaterThan", Operator::string, Relation::greater, Type::string, true},
    {"StringLessThanEquals", Operator::string, Relation::less_equals, Type::string, true},
    {"StringGreaterThanEquals", Operator::string, Relation::greater_equals, Type::string, true},
    {"NumericEquals", Operator::numeric, Relation::equals, Type::number, true},
    {"NumericLessThan", Operator::numeric, Relation::less, Type::number, true},
    {"NumericGreaterThan", Operator::numeric, Relation::greater, Type::number, true},
    {"NumericLessThanEquals", Operator::numeric, Relation::less_equals, Type::number, true},
    {"NumericGreaterThanEquals", Operator::numeric, Relation::greater_equals, Type::number, true},
    {"TimestampEquals", Operator::timestamp, Relation::equals, Type::string, true},
    {"TimestampLessThan", Operator::timestamp, Relation::less, Type::string, true},
    {"TimestampGreaterThan", Operator::timestamp, Relation::greater, Type::string, true},
    {"TimestampLessThanEquals", Operator::timestamp, Relation::less_equals, Type::string, true},
    {"TimestampGreaterThanEquals", Operator::timestamp, Relation::greater_equals, Type::string, true},
    {"BooleanEquals", Operator::boolean_equals, Relation::equals, Type::boolean, true},
    {"StringMatches", Operator::string_matches, Relation::equals, Type::string, false},
    {"IsNull", Operator::is_null, Relation::equals, Type::boolean, false},
    {"IsPresent", Operator::is_present, Relation::equals, Type::boolean, false},
    {"IsNumeric", Operator::is_numeric, Relation::equals, Type::boolean, false},
    {"IsString", Operator::is_string, Relation::equals, Type::boolean, false},
    {"IsBoolean", Operator::is_boolean, Relation::equals, Type::boolean, false},
    {"IsTimestamp", Operator::is_timestamp, Relation::equals, Type::boolean, false},
});

constexpr std::string_view kTwin = "Path";

const Comparison* comparison_named(std::string_view name) {
  for (const Comparison& comparison : kComparisons) {
    if (name == comparison.name) return &comparison;
    bool twin = comparison.has_twin && name.size() == comparison.name.size() + kTwin.size() &&
                name.starts_with(comparison.name) && name.ends_with(kTwin);
    if (twin) return &comparison;
  }
  return nullptr;
}

std::string_view type_word(Type type) {
  return type == Type::string ? "String" : type == Type::number ? "Number" : "Boolean";
}

void read_operand(const Fields& fields, std::string_view name, const Comparison& comparison, Condition& made) {
  if (name != comparison.name) {
    made.operand_path = read_path(fields, name);
    return;
  }
  const Value& operand = *fields.find(name);
  if (!operand.is(comparison.operand)) {
    fields.error(name, "Expected value of type " + std::string(type_word(comparison.operand)));
  } else if (comparison.operation == Operator::timestamp && !parse_timestamp(operand.as_string())) {
    fields.error(name, "String does not match RFC3339 timestamp");
  }
  made.operand = operand;
}

bool is_rule_field(std::string_view name, bool top) {
  return name == "Variable" || name == "Comment" || (top && (name == "Next" || name == "Assign"));
}

Condition parse_comparison(const Fields& fields, bool top) {
  Condition made;
  if (fields.require("Variable") != nullptr) made.variable = read_path(fields, "Variable");
  size_t operators = 0;
  for (const expression::Member& member : fields.object().members()) {
    std::string_view name = member.name();
    if (is_rule_field(name, top)) continue;
    const Comparison* comparison = comparison_named(name);
    if (comparison == nullptr) {
      fields.error({}, "Field '" + std::string(name) + "' is not supported");
      continue;
    }
    ++operators;
    made.operation = comparison->operation;
    made.relation = comparison->relation;
    read_operand(fields, name, *comparison, made);
  }
  if (operators != 1) fields.error({}, "A choice rule must have exactly one comparison operator");
  return made;
}

void parse_parts(const Fields& fields, std::string_view name, size_t depth, Condition& made) {
  const Value* parts = fields.array(name);
  if (parts == nullptr) return;
  if (parts->size() == 0) fields.error(name, "Value cannot be empty");
  for (size_t i = 0; i < parts->size(); ++i) {
    std::string where = at_index(fields.at(name), i);
    const Value& part = parts->items()[i];
    if (!part.is_object()) {
      fields.findings().error(kSchema, where, "Expected value of type Object");
      continue;
    }
    made.parts.push_back(parse_condition(Fields(fields.findings(), part, where), false, depth + 1));
  }
}

}  // namespace

Condition parse_condition(const Fields& fields, bool top, size_t depth) {
  if (depth > kMaxConditionDepth) {
    fields.findings().error(kTooDeeplyNested, fields.location(), "Choice rules are too deeply nested");
    return {};
  }
  fields.at_most_one({"And", "Or", "Not", "Variable"});
  Condition made;
  std::string_view name = fields.has("And") ? "And" : fields.has("Or") ? "Or" : fields.has("Not") ? "Not" : "";
  if (name.empty()) return parse_comparison(fields, top);
  if (top) {
    fields.allow_only({name, "Next", "Assign", "Comment"});
  } else {
    fields.allow_only({name, "Comment"});
  }
  made.kind = name == "And" ? Condition::Kind::all : name == "Or" ? Condition::Kind::any : Condition::Kind::negation;
  if (name != "Not") {
    parse_parts(fields, name, depth, made);
  } else if (const Value* inner = fields.object(name)) {
    made.parts.push_back(parse_condition(Fields(fields.findings(), *inner, fields.at(name)), false, depth + 1));
  }
  return made;
}

Expression parse_jsonata_condition(const Fields& fields) {
  fields.allow_only({"Condition", "Next", "Assign", "Output", "Comment"});
  Expression made{.field = "Condition"};
  const Value* condition = fields.require("Condition");
  if (condition == nullptr) return made;
  if (condition->is(Type::boolean)) {
    made.form = *condition;
  } else if (condition->is_string() && is_jsonata_text(condition->as_string())) {
    auto compiled = compile_jsonata("Condition", condition->as_string());
    if (compiled) return *std::move(compiled);
    fields.error("Condition", compiled.error().message);
  } else {
    fields.error("Condition", "Value must be a boolean or a JSONata expression");
  }
  return made;
}

}  // namespace hearth::definition
