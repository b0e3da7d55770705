#include "api/service.h"

namespace hearth::api {
namespace {

std::optional<std::string_view> first(const NameValues& pairs, std::string_view wanted) {
  for (const auto& [name, value] : pairs) {
    if (name == wanted) return value;
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::string_view> Call::header(std::string_view name) const { return first(headers, name); }
std::optional<std::string_view> Call::query_value(std::string_view name) const { return first(query, name); }

}  // namespace hearth::api
