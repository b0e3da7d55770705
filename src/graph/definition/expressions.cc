#include "graph/definition/expressions.h"

#include <algorithm>

#include "graph/definition/definition.h"
#include "graph/expression/json_text.h"
#include "graph/expression/utf8.h"

namespace hearth::definition {

using expression::Member;
using expression::Value;

namespace {

bool is_name_start(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (c & 0x80) != 0; }

bool is_variable_name(std::string_view name) {
  if (name.empty() || expression::count_code_points(name) > kMaxNameCharacters || !is_name_start(name[0])) return false;
  return std::ranges::all_of(name, [](char c) { return is_name_start(c) || (c >= '0' && c <= '9'); });
}

bool looks_like_path(std::string_view text) {
  return text.starts_with("$.") || text.starts_with("$$.") || text.starts_with("$[") ||
         (expression::Intrinsic::is_call(text) && text.ends_with(")"));
}

// Templates of either language; the compiled parts of a value that holds expressions.
class TemplateReader {
 public:
  TemplateReader(Findings& findings, Language language) : findings_(findings), language_(language) {}

  Template read(const Value& value, const std::string& location, const std::string& field) {
    if (value.is_object()) return read_object(value, location, field);
    if (value.is_array()) return read_array(value, location, field);
    if (language_ == Language::jsonata && value.is_string() && is_jsonata_text(value.as_string())) {
      return expression(compile_jsonata(field, value.as_string()), location);
    }
    return Template{.constant = value};
  }

 private:
  static bool is_dynamic(const std::vector<Template>& parts) {
    return std::ranges::any_of(parts, [](const Template& part) { return part.kind != Template::Kind::constant; });
  }

  Template expression(Result<Expression> compiled, const std::string& location) {
    if (!compiled) {
      findings_.error(kSchema, location, compiled.error().message);
      return {};
    }
    return Template{.kind = Template::Kind::expression, .expression = *std::move(compiled)};
  }

  Template read_array(const Value& value, const std::string& location, const std::string& field) {
    Template made{.kind = Template::Kind::array};
    for (size_t i = 0; i < value.size(); ++i)
      made.parts.push_back(read(value.items()[i], at_index(location, i), at_index(field, i)));
    if (is_dynamic(made.parts)) return made;
    return Template{.constant = value};
  }

  Template read_object(const Value& value, const std::string& location, const std::string& field) {
    Template made{.kind = Template::Kind::object};
    for (const Member& member : value.members()) {
      std::string name(member.name());
      std::string where = location + "/" + name;
      if (language_ == Language::jsonpath && name.ends_with(".$")) {
        made.keys.push_back(Value::string(name.substr(0, name.size() - 2)));
        made.parts.push_back(read_dollar(member.value, where, name));
        continue;
      }
      if (language_ == Language::jsonpath && member.value.is_string() && looks_like_path(member.value.as_string())) {
        findings_.warning(
            kNoDollar, where,
            "Field '" + name + "' looks like a JSONPath or an intrinsic function but its name does not end with '.$'");
      }
      made.keys.push_back(member.key);
      made.parts.push_back(read(member.value, where, field.empty() ? name : field + "/" + name));
    }
    if (is_dynamic(made.parts)) return made;
    return Template{.constant = value};
  }

  Template read_dollar(const Value& value, const std::string& location, const std::string& name) {
    Template refused{.kind = Template::Kind::expression};
    if (value.is_string()) {
      auto compiled = compile_path_or_intrinsic(name, value.as_string());
      if (compiled) return expression(std::move(compiled), location);
    }
    findings_.error(
        kSchema, location,
        "The value for the field '" + name + "' must be a valid JSONPath or a valid intrinsic function call");
    return refused;
  }

  Findings& findings_;
  Language language_;
};

std::optional<Expression> read_twin(const Fields& fields, const std::string& name, bool intrinsics) {
  auto text = fields.text(name);
  if (!text) return std::nullopt;
  auto compiled = compile_path_or_intrinsic(name, *text);
  bool is_path = compiled && std::holds_alternative<expression::Path>(compiled->form);
  if (compiled && (is_path || intrinsics)) return *std::move(compiled);
  fields.error(name, "Value is not a Reference Path: " + std::string(*text));
  return std::nullopt;
}

}  // namespace

std::optional<Template> read_template(const Fields& fields, std::string_view name, Language language) {
  const Value* value = fields.find(name);
  if (value == nullptr) return std::nullopt;
  // A location of JSONata begins with the field; JSONPath's messages name the member alone.
  std::string field = language == Language::jsonata ? std::string(name) : std::string();
  return TemplateReader(fields.findings(), language).read(*value, fields.at(name), field);
}

std::optional<Template> read_assign(const Fields& fields, Language language) {
  const Value* value = fields.object("Assign");
  if (value == nullptr) return std::nullopt;
  for (const Member& member : value->members()) {
    std::string_view name = member.name();
    if (language == Language::jsonpath && name.ends_with(".$")) name.remove_suffix(2);
    if (name == "states" || !is_variable_name(name))
      fields.error("Assign", "Invalid variable name: '" + std::string(name) + "'");
  }
  return read_template(fields, "Assign", language);
}

std::optional<expression::Path> read_path(const Fields& fields, std::string_view name) {
  auto text = fields.text(name);
  if (!text) return std::nullopt;
  auto path = expression::Path::compile(*text);
  if (path) return *std::move(path);
  fields.error(name, "Value is not a valid JSONPath: " + std::string(*text));
  return std::nullopt;
}

FlowPath read_flow_path(const Fields& fields, std::string_view name) {
  const Value* value = fields.find(name);
  if (value == nullptr) return {};
  if (value->is(expression::Type::null)) return {.discards = true};
  return {.path = read_path(fields, name)};
}

ResultPath read_result_path(const Fields& fields) {
  const Value* value = fields.find("ResultPath");
  if (value == nullptr) return {};
  if (value->is(expression::Type::null)) return {.discards = true};
  auto text = fields.text("ResultPath");
  if (!text) return {};
  auto path = expression::ReferencePath::compile(*text);
  if (path) return {.path = *std::move(path)};
  fields.error("ResultPath", "Value is not a Reference Path: " + std::string(*text));
  return {};
}

std::optional<Expression> read_scalar(const Fields& fields, std::string_view name, Language language, Scalar scalar,
                                      Range range) {
  std::string twin = std::string(name) + "Path";
  fields.at_most_one({name, twin});
  const Value* value = fields.find(name);
  if (value == nullptr) return fields.has(twin) ? read_twin(fields, twin, scalar == Scalar::text) : std::nullopt;
  if (language == Language::jsonata && value->is_string() && is_jsonata_text(value->as_string())) {
    auto compiled = compile_jsonata(std::string(name), value->as_string());
    if (compiled) return *std::move(compiled);
    fields.error(name, compiled.error().message);
    return std::nullopt;
  }
  bool fits =
      scalar == Scalar::text ? fields.text(name).has_value()
      : scalar == Scalar::whole
          ? fields.integer(name, static_cast<int64_t>(range.least), static_cast<int64_t>(range.most)).has_value()
          : fields.number(name, range.least, range.most).has_value();
  if (!fits) return std::nullopt;
  return Expression{std::string(name), expression::to_json(*value), *value};
}

}  // namespace hearth::definition
