#include "api/lambda/model.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <utility>

#include "base/sigv4.h"
#include "base/utf8.h"

namespace hearth::api::lambda {
namespace {

#include "api/lambda/model_data.inc"

constexpr size_t kMaxMatched = 16 * 1024;  // no member of the API that has a pattern is longer

std::string text_of(const json::value& value) {
  const auto& text = value.get_string();
  return {text.data(), text.size()};
}

std::string member_text(const json::object& object, json::string_view name) {
  const json::value* found = object.if_contains(name);
  return found == nullptr ? "" : text_of(*found);
}

std::optional<double> member_number(const json::object& object, json::string_view name) {
  const json::value* found = object.if_contains(name);
  if (found == nullptr) return std::nullopt;
  return found->to_number<double>();
}

// The model's patterns are Java's, where a '-' behind a range ("[0-9-_]") is itself.
std::string portable(std::string_view pattern) {
  std::string made;
  bool in_class = false;
  int since_range = 9;  // characters since a range's '-'
  for (size_t i = 0; i < pattern.size(); ++i) {
    char c = pattern[i];
    if (c == '\\' && i + 1 < pattern.size()) {
      made.append({c, pattern[++i]});
      ++since_range;
      continue;
    }
    bool begins = c == '[' && !in_class;
    if (begins) in_class = true, since_range = 9;
    if (c == ']') in_class = false;
    bool between = in_class && c == '-' && pattern[i - 1] != '[' && i + 1 < pattern.size() && pattern[i + 1] != ']';
    if (between && since_range == 1) {
      made.append("\\-");
      since_range = 9;
      continue;
    }
    since_range = between ? 0 : since_range + 1;
    made.push_back(c);
  }
  return made;
}

// 'MemorySize' → 'memorySize', as validation messages have it.
std::string camel(std::string_view name) {
  std::string text(name);
  if (!text.empty() && text[0] >= 'A' && text[0] <= 'Z') text[0] = static_cast<char>(text[0] + ('a' - 'A'));
  return text;
}

std::string below(const std::string& path, std::string_view name) {
  return path.empty() ? camel(name) : path + "." + camel(name);
}

std::string number_text(double number) {
  return number == std::floor(number) ? fmt::format("{:.0f}", number) : fmt::format("{}", number);
}

std::vector<std::string_view> segments(std::string_view path) {
  std::vector<std::string_view> parts;
  for (size_t at = path.starts_with('/') ? 1 : 0; at < path.size();) {
    size_t end = std::min(path.find('/', at), path.size());
    parts.push_back(path.substr(at, end - at));
    at = end + 1;
  }
  return parts;
}

bool matches(const std::vector<std::string_view>& pattern, const std::vector<std::string_view>& path) {
  if (pattern.size() != path.size()) return false;
  for (size_t i = 0; i < path.size(); ++i) {
    bool label = pattern[i].starts_with('{');
    if (label ? path[i].empty() : pattern[i] != path[i]) return false;
  }
  return true;
}

bool has_query(const NameValues& query, std::string_view wanted) {
  size_t equals = wanted.find('=');
  return std::ranges::any_of(query, [&](const auto& item) {
    return item.first == wanted.substr(0, equals) && item.second == wanted.substr(equals + 1);
  });
}

// Invoke is the hot path: no look at the table.
const Operation& invoke_operation() {
  static const Operation& found = *std::ranges::find(kOperations, std::string_view("Invoke"), &Operation::name);
  return found;
}

}  // namespace

std::span<const Operation> operations() { return kOperations; }
std::span<const ErrorShape> error_shapes() { return kErrors; }

const ErrorShape* error_shape(std::string_view code) {
  auto found = std::ranges::find(kErrors, code, &ErrorShape::code);
  return found == std::end(kErrors) ? nullptr : found;
}

Routed route(std::string_view method, std::string_view path, const NameValues& query) {
  constexpr std::string_view kFunctions = "/2015-03-31/functions/", kInvocations = "/invocations";
  if (method == "POST" && path.starts_with(kFunctions) && path.ends_with(kInvocations) &&
      path.size() > kFunctions.size() + kInvocations.size()) {
    auto label = path.substr(kFunctions.size(), path.size() - kFunctions.size() - kInvocations.size());
    if (label.find('/') == label.npos) return {&invoke_operation(), sigv4::uri_decode(label)};
  }
  auto parts = segments(path);
  Routed routed;
  for (const Operation& operation : kOperations) {
    if (operation.method != method) continue;
    auto pattern = segments(operation.path);
    if (!matches(pattern, parts)) continue;
    if (!operation.query.empty() && !has_query(query, operation.query)) continue;
    if (routed.operation != nullptr && operation.query.empty()) continue;  // the one that a query told apart stays
    routed.operation = &operation;
    auto label = std::ranges::find_if(pattern, [](std::string_view part) { return part.starts_with('{'); });
    if (label != pattern.end()) {
      routed.label = sigv4::uri_decode(parts[static_cast<size_t>(label - pattern.begin())]);
    }
  }
  return routed;
}

struct Model::Shape {
  struct Member {
    std::string name;
    std::string shape;
    std::string location;  // "" = body
    std::string wire_name;
    bool required = false;
  };
  std::string type;
  std::optional<double> min;
  std::optional<double> max;
  std::string pattern;
  std::optional<boost::regex> regex;
  std::vector<std::string> words;  // enum
  bool sensitive = false;
  std::vector<Member> members;
  std::string element, key, value;
};

struct Model::Findings {
  std::vector<std::string> violations;
  std::string wrong_type;

  void add(const std::string& value, const std::string& path, const std::string& constraint) {
    if (violations.size() == kMaxReported) return;
    violations.push_back(fmt::format("Value{} at '{}' failed to satisfy constraint: {}", value, path, constraint));
  }
};

json::object Model::shapes() { return json::parse(json::string_view(kShapes.data(), kShapes.size())).as_object(); }

Model::Model() {
  for (const auto& [name, shape] : shapes()) read(std::string(name.data(), name.size()), shape.as_object());
}

Model::~Model() = default;

void Model::read(const std::string& name, const json::object& from) {
  auto shape = std::make_unique<Shape>();
  shape->type = member_text(from, "type");
  shape->min = member_number(from, "min");
  shape->max = member_number(from, "max");
  shape->pattern = member_text(from, "pattern");
  if (!shape->pattern.empty()) shape->regex.emplace(portable(shape->pattern));
  shape->sensitive = from.contains("sensitive");
  if (const auto* words = from.if_contains("enum")) {
    for (const auto& word : words->as_array()) shape->words.push_back(text_of(word));
  }
  if (const auto* members = from.if_contains("members")) {
    for (const auto& [member, ref] : members->as_object()) {
      const auto& object = ref.as_object();
      shape->members.push_back({std::string(member.data(), member.size()), member_text(object, "shape"),
                                member_text(object, "location"), member_text(object, "locationName")});
    }
  }
  if (const auto* required = from.if_contains("required")) {
    for (const auto& member : required->as_array()) {
      std::ranges::find(shape->members, text_of(member), &Shape::Member::name)->required = true;
    }
  }
  shape->element = member_text(from, "member");
  shape->key = member_text(from, "key");
  shape->value = member_text(from, "value");
  if (name == "Runtime") runtimes_ = std::exchange(shape->words, {});
  shapes_.emplace(name, std::move(shape));
}

Outcome<> Model::check(const Operation& operation, const Call& call, std::string_view label, json::object& body) const {
  const Shape& shape = *shapes_.find(operation.input)->second;
  Findings findings;
  check_elsewhere(shape, call, label, findings);
  check_structure(shape, body, "", findings);
  if (!findings.wrong_type.empty()) return refuse("SerializationException", findings.wrong_type);
  if (findings.violations.empty()) return {};
  size_t count = findings.violations.size();
  return refuse("ValidationException", fmt::format("{} validation error{} detected: {}", count, count == 1 ? "" : "s",
                                                   fmt::join(findings.violations, "; ")));
}

void Model::check_structure(const Shape& shape, json::object& object, const std::string& path,
                            Findings& findings) const {
  auto known = [&](json::string_view name) {
    return std::ranges::any_of(shape.members, [&](const Shape::Member& member) {
      return member.location.empty() && json::string_view(member.name) == name;
    });
  };
  for (auto at = object.begin(); at != object.end();) at = known(at->key()) ? at + 1 : object.erase(at);
  for (const Shape::Member& member : shape.members) {
    if (!member.location.empty()) continue;
    auto found = object.find(json::string_view(member.name));
    if (found != object.end() && found->value().is_null()) {
      object.erase(found);
      found = object.end();
    }
    if (found != object.end()) {
      check_value(*shapes_.find(member.shape)->second, found->value(), below(path, member.name), findings);
    } else if (member.required) {
      findings.add(" null", below(path, member.name), "Member must not be null");
    }
  }
}

void Model::check_elsewhere(const Shape& shape, const Call& call, std::string_view label, Findings& findings) const {
  for (const Shape::Member& member : shape.members) {
    if (member.location.empty()) continue;
    std::optional<std::string_view> text;
    if (member.location == "uri") text = label;
    if (member.location == "querystring") text = call.query_value(member.wire_name);
    if (member.location == "header") {
      std::string lower = member.wire_name;
      std::ranges::transform(lower, lower.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
      text = call.header(lower);
    }
    const Shape& of = *shapes_.find(member.shape)->second;
    std::string path = camel(member.name);
    if (!text) {
      if (member.required) findings.add(" null", path, "Member must not be null");
    } else if (of.type == "integer") {
      int64_t number = 0;
      auto parsed = std::from_chars(text->data(), text->data() + text->size(), number);
      bool whole = parsed.ec == std::errc() && parsed.ptr == text->data() + text->size();
      if (!whole) findings.wrong_type = fmt::format("'{}' must be an integer", path);
      if (whole) check_number(of, json::value(number), path, findings);
    } else if (of.type == "string") {
      check_text(of, *text, path, findings);
    }
  }
}

void Model::check_value(const Shape& shape, json::value& value, const std::string& path, Findings& findings) const {
  auto wrong = [&](std::string_view wanted) {
    if (findings.wrong_type.empty()) findings.wrong_type = fmt::format("'{}' must be {}", path, wanted);
  };
  auto check_size = [&](size_t size) {
    auto tell = [&](std::string_view relation, double limit) {
      findings.add("", path, fmt::format("Member must have length {} than or equal to {}", relation, limit));
    };
    if (shape.min && static_cast<double>(size) < *shape.min) tell("greater", *shape.min);
    if (shape.max && static_cast<double>(size) > *shape.max) tell("less", *shape.max);
  };
  if (shape.type == "structure") {
    if (!value.is_object()) return wrong("an object");
    check_structure(shape, value.get_object(), path, findings);
  } else if (shape.type == "string") {
    if (!value.is_string()) return wrong("a string");
    check_text(shape, {value.get_string().data(), value.get_string().size()}, path, findings);
  } else if (shape.type == "blob") {
    if (!value.is_string()) return wrong("a string of base64");
  } else if (shape.type == "boolean") {
    if (!value.is_bool()) return wrong("true or false");
  } else if (shape.type == "list") {
    if (!value.is_array()) return wrong("a list");
    check_size(value.get_array().size());
    size_t at = 0;
    for (json::value& item : value.get_array()) {
      check_value(*shapes_.find(shape.element)->second, item, fmt::format("{}.{}.member", path, ++at), findings);
    }
  } else if (shape.type == "map") {
    if (!value.is_object()) return wrong("an object");
    for (auto& entry : value.get_object()) {
      std::string_view key(entry.key().data(), entry.key().size());
      check_text(*shapes_.find(shape.key)->second, key, fmt::format("{}.{}.key", path, key), findings);
      check_value(*shapes_.find(shape.value)->second, entry.value(), fmt::format("{}.{}.member", path, key), findings);
    }
  } else {
    bool whole = shape.type == "integer" || shape.type == "long";
    bool fits = whole ? value.is_int64() : value.is_number();  // a uint64 is over what an int64 holds
    if (!fits) return wrong(whole ? "an integer" : "a number");
    check_number(shape, value, path, findings);
  }
}

void Model::check_text(const Shape& shape, std::string_view text, const std::string& path, Findings& findings) const {
  std::string shown = shape.sensitive ? "" : fmt::format(" '{}'", utf8_prefix(text, 1024));
  auto length = static_cast<double>(utf16_length(text));
  if (shape.max && length > *shape.max) {
    findings.add(shown, path, fmt::format("Member must have length less than or equal to {}", *shape.max));
  }
  if (shape.min && length < *shape.min) {
    findings.add(shown, path, fmt::format("Member must have length greater than or equal to {}", *shape.min));
  }
  if (!shape.words.empty() && std::ranges::find(shape.words, text) == shape.words.end()) {
    findings.add(shown, path, fmt::format("Member must satisfy enum value set: [{}]", fmt::join(shape.words, ", ")));
  }
  // An optional text that is empty is as good as none ("Handler": "", which has a pattern and a minimum of 0).
  bool judged = shape.regex && !(text.empty() && shape.min == 0.0);
  if (!judged) return;
  bool fits = text.size() <= kMaxMatched && boost::regex_match(text.begin(), text.end(), *shape.regex);
  if (!fits) {
    findings.add(shown, path, fmt::format("Member must satisfy regular expression pattern: {}", shape.pattern));
  }
}

void Model::check_number(const Shape& shape, const json::value& value, const std::string& path,
                         Findings& findings) const {
  auto number = value.to_number<double>();
  std::string shown = fmt::format(" '{}'", number_text(number));
  if (shape.max && number > *shape.max) {
    findings.add(shown, path, fmt::format("Member must have value less than or equal to {}", number_text(*shape.max)));
  }
  if (shape.min && number < *shape.min) {
    findings.add(shown, path,
                 fmt::format("Member must have value greater than or equal to {}", number_text(*shape.min)));
  }
}

}  // namespace hearth::api::lambda
