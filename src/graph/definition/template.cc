#include "graph/definition/template.h"

namespace hearth::definition {

using expression::Intrinsic;
using expression::Jsonata;
using expression::Path;

bool is_jsonata_text(std::string_view text) {
  return text.size() >= 4 && text.starts_with("{%") && text.ends_with("%}");
}

std::string_view jsonata_inside(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n";
  text = text.substr(2, text.size() - 4);
  size_t from = text.find_first_not_of(kSpace);
  if (from == std::string_view::npos) return {};
  return text.substr(from, text.find_last_not_of(kSpace) + 1 - from);
}

Result<Expression> compile_path_or_intrinsic(std::string field, std::string_view text) {
  if (Intrinsic::is_call(text)) {
    TRY_ASSIGN(Intrinsic intrinsic, Intrinsic::compile(text));
    return Expression{std::move(field), std::string(text), std::move(intrinsic)};
  }
  TRY_ASSIGN(Path path, Path::compile(text));
  return Expression{std::move(field), std::string(text), std::move(path)};
}

Result<Expression> compile_jsonata(std::string field, std::string_view text) {
  std::string inside(jsonata_inside(text));
  TRY_ASSIGN(Jsonata jsonata, Jsonata::compile(inside));
  return Expression{std::move(field), std::move(inside), std::move(jsonata)};
}

}  // namespace hearth::definition
