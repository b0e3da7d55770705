#include "api/lambda/function_ref.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <span>
#include <vector>

#include "base/utf8.h"

namespace hearth::api::lambda {
namespace {

constexpr std::string_view kPattern =
    "(arn:(aws[a-zA-Z-]*)?:lambda:)?([a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\\d{1}:)?(\\d{12}:)?(function:)?"
    "([a-zA-Z0-9-_]+)(:(\\$LATEST|[a-zA-Z0-9-_]+))?";

bool is_word(std::string_view text, std::string_view also = "") {
  return !text.empty() && std::ranges::all_of(text, [&](unsigned char c) {
    return std::isalnum(c) != 0 || c == '-' || c == '_' || also.find(static_cast<char>(c)) != also.npos;
  });
}

bool is_region(std::string_view text) {
  return std::ranges::count(text, '-') >= 2 && !text.empty() && std::isdigit(static_cast<unsigned char>(text.back()));
}

std::vector<std::string_view> split(std::string_view text) {
  std::vector<std::string_view> parts;
  for (size_t at = 0; at <= text.size() && parts.size() < 10;) {
    size_t end = std::min(text.find(':', at), text.size());
    parts.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return parts;
}

std::unexpected<Refusal> violation(std::string_view text, std::string_view constraint) {
  return refuse(
      "ValidationException",
      fmt::format("1 validation error detected: Value '{}' at 'functionName' failed to satisfy constraint: {}",
                  utf8_prefix(text, 1024), constraint));
}

std::unexpected<Refusal> no_match(std::string_view text) {
  return violation(text, fmt::format("Member must satisfy regular expression pattern: {}", kPattern));
}

}  // namespace

std::string function_arn(const FunctionRef& ref, const AccountId& account, const std::string& region) {
  return fmt::format("arn:aws:lambda:{}:{}:function:{}{}{}", region, account.str(), ref.name,
                     ref.qualifier.empty() ? "" : ":", ref.qualifier);
}

std::unexpected<Refusal> function_not_found(const FunctionRef& ref, const AccountId& account,
                                            const std::string& region) {
  return refuse("ResourceNotFoundException", "Function not found: " + function_arn(ref, account, region));
}

Outcome<FunctionRef> parse_function_ref(std::string_view text, const AccountId& account, const std::string& region) {
  auto parts = split(text);
  std::span<const std::string_view> rest = parts;
  std::string_view its_region, its_account;
  if (parts[0] == "arn") {
    bool whole = parts.size() >= 7 && parts[1].starts_with("aws") && parts[2] == "lambda" && is_region(parts[3]) &&
                 is_account(parts[4]) && parts[5] == "function";
    if (!whole) return no_match(text);
    its_region = parts[3];
    its_account = parts[4];
    rest = rest.subspan(6);
  } else {
    if (rest.size() > 1 && is_region(rest[0]) && is_account(rest[1])) {
      its_region = rest[0];
      rest = rest.subspan(1);
    }
    if (rest.size() > 1 && is_account(rest[0])) {
      its_account = rest[0];
      rest = rest.subspan(1);
    }
    if (rest.size() > 1 && rest[0] == "function") rest = rest.subspan(1);
  }
  bool fits = (rest.size() == 1 || (rest.size() == 2 && is_word(rest[1], "$"))) && is_word(rest[0]);
  if (!fits) return no_match(text);
  if (rest[0].size() > FunctionRef::kMaxName) {
    return violation(text, fmt::format("Member must have length less than or equal to {}", FunctionRef::kMaxName));
  }
  FunctionRef ref{std::string(rest[0]), rest.size() == 2 ? std::string(rest[1]) : ""};
  if (!its_region.empty() && its_region != region) {
    return refuse("ResourceNotFoundException",
                  fmt::format("Functions from '{}' are not reachable in this region ('{}')", its_region, region));
  }
  if (!its_account.empty() && its_account != account.str()) {
    return function_not_found(ref, AccountId(std::string(its_account)), region);
  }
  return ref;
}

Outcome<FunctionRef> with_qualifier(FunctionRef ref, std::string_view qualifier) {
  if (qualifier.empty() || qualifier == ref.qualifier) return ref;
  if (!ref.qualifier.empty()) {
    return invalid_parameter("The derived qualifier from the function name does not match the specified qualifier.");
  }
  ref.qualifier = qualifier;
  return ref;
}

}  // namespace hearth::api::lambda
