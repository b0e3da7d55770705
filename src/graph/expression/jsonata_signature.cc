#include "graph/expression/jsonata_signature.h"

#include <algorithm>

namespace hearth::expression {
namespace {

constexpr uint32_t bit(char letter) { return 1U << (letter - 'a'); }

constexpr uint32_t bits(std::string_view letters) {
  uint32_t mask = 0;
  for (char letter : letters) {
    if (letter >= 'a' && letter <= 'z') mask |= bit(letter);
  }
  return mask;
}

char type_letter(const Value& value) {
  switch (value.type()) {
    case Type::function:
      return 'f';
    case Type::string:
      return 's';
    case Type::number:
      return 'n';
    case Type::boolean:
      return 'b';
    case Type::null:
      return 'l';
    case Type::array:
      return 'a';
    case Type::object:
      return 'o';
    case Type::undefined:
      break;
  }
  return 'm';  // missing: fits everywhere but a function
}

size_t closing(std::string_view text, size_t from, char open, char close) {
  int depth = 1;
  size_t at = from;
  while (++at < text.size()) {
    if (text[at] == close && --depth == 0) break;
    if (text[at] == open) ++depth;
  }
  return at;
}

std::string_view plural(char letter) {
  switch (letter) {
    case 'a':
      return "arrays";
    case 'b':
      return "booleans";
    case 'f':
      return "functions";
    case 'n':
      return "numbers";
    case 'o':
      return "objects";
    case 's':
      return "strings";
    default:
      return "values";
  }
}

}  // namespace

Eval<Signature> Signature::parse(std::string_view text) {
  Signature signature;
  auto& params = signature.params_;
  auto add = [&](std::string_view accepts, char type) {
    params.push_back({bits(accepts), type, Count::one, false, {}});
  };
  for (size_t at = 1; at < text.size() && text[at] != ':'; ++at) {
    char letter = text[at];
    if (std::string_view("snblo").find(letter) != std::string_view::npos) {
      const char accepts[] = {letter, 'm'};
      add({accepts, 2}, letter);
    } else if (letter == 'a' || letter == 'x') {
      add("asnblfom", letter);
    } else if (letter == 'f') {
      add("f", letter);
    } else if (letter == 'j') {
      add("asnblom", letter);
    } else if (letter == '(') {
      size_t end = closing(text, at, '(', ')');
      std::string_view choice = text.substr(at + 1, end - at - 1);
      if (choice.find('<') != std::string_view::npos) return fault("S0402", Value::string(choice));
      add(std::string(choice) + "m", '(');
      at = end;
    } else if (params.empty()) {
      if (letter == '<') return fault("S0401");
      continue;
    } else if (letter == '-') {
      params.back().from_context = true;
      params.back().count = Count::optional;
    } else if (letter == '?') {
      params.back().count = Count::optional;
    } else if (letter == '+') {
      params.back().count = Count::many;
    } else if (letter == '<') {
      char type = params.back().type;
      if (type != 'a' && type != 'f') return fault("S0401", Value::string(std::string_view(&type, 1)));
      size_t end = closing(text, at, '<', '>');
      params.back().item_type = text.substr(at + 1, end - at - 1);
      at = end;
    }
  }
  return signature;
}

// Greedy with backtracking, as the reference's regular expression over the letters of the argument types.
bool Signature::match(std::string_view types, size_t param, size_t at, bool to_end, std::vector<size_t>& lengths,
                      size_t params) const {
  if (param == params) return !to_end || at == types.size();
  const Param& wanted = params_[param];
  auto fits = [&](size_t i) { return i < types.size() && (wanted.accepts & bit(types[i])) != 0; };
  size_t most = 0;
  size_t limit = wanted.count == Count::many ? types.size() : 1;
  while (most < limit && fits(at + most)) ++most;
  size_t least = wanted.count == Count::optional ? 0 : 1;
  for (size_t take = most + 1; take-- > least;) {
    lengths[param] = take;
    if (match(types, param + 1, at + take, to_end, lengths, params)) return true;
  }
  return false;
}

std::unexpected<FaultPtr> Signature::refuse(std::string_view types, const std::vector<Value>& arguments) const {
  size_t good = 0;
  std::vector<size_t> lengths(params_.size());
  for (size_t count = 1; count <= params_.size(); ++count) {
    if (!match(types, 0, 0, false, lengths, count)) break;
    good = 0;
    for (size_t i = 0; i < count; ++i) good += lengths[i];
  }
  auto refused = fault("T0410", good < arguments.size() ? arguments[good] : Value());
  refused.error()->index = static_cast<int>(good) + 1;
  return refused;
}

Eval<Value> Signature::fit_array(const Param& param, char type, std::string_view matched, Value argument,
                                 size_t index) {
  if (type == 'm') return Value();
  bool fits = true;
  if (!param.item_type.empty()) {
    if (type != 'a') {
      fits = matched == param.item_type;
    } else if (argument.size() > 0) {
      char first = type_letter(argument.items()[0]);
      fits = first == param.item_type[0] &&
             std::ranges::all_of(argument.items(), [&](const Value& item) { return type_letter(item) == first; });
    }
  }
  if (!fits) {
    auto refused = fault("T0412", argument);
    refused.error()->index = static_cast<int>(index) + 1;
    refused.error()->text = plural(param.item_type[0]);
    return refused;
  }
  if (type != 'a') {
    std::vector<Value> lone;
    lone.push_back(std::move(argument));
    return Value::array(std::move(lone));
  }
  return argument;
}

Eval<std::vector<Value>> Signature::validate(std::vector<Value> arguments, const Value& context) const {
  std::string types;
  for (const Value& argument : arguments) types.push_back(type_letter(argument));
  std::vector<size_t> lengths(params_.size());
  if (!match(types, 0, 0, true, lengths, params_.size())) return refuse(types, arguments);
  std::vector<Value> validated;
  validated.reserve(std::max(arguments.size(), params_.size()));
  size_t at = 0;
  for (size_t i = 0; i < params_.size(); ++i) {
    const Param& param = params_[i];
    if (lengths[i] == 0) {
      if (!param.from_context) {
        validated.push_back(at < arguments.size() ? arguments[at] : Value());
        ++at;
        continue;
      }
      if ((param.accepts & bit(type_letter(context))) == 0) {
        auto refused = fault("T0411", context);
        refused.error()->index = static_cast<int>(at) + 1;
        return refused;
      }
      validated.push_back(context);
      continue;
    }
    std::string_view matched = std::string_view(types).substr(at, lengths[i]);
    for (size_t taken = 0; taken < matched.size(); ++taken, ++at) {
      if (param.type == 'a') {
        TRY_ASSIGN(Value fitted, fit_array(param, matched[taken], matched, arguments[at], at));
        validated.push_back(std::move(fitted));
      } else {
        validated.push_back(arguments[at]);
      }
    }
  }
  return validated;
}

}  // namespace hearth::expression
