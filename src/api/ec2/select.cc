#include "api/ec2/select.h"

#include <fmt/format.h>

#include "base/base64.h"

namespace hearth::api::ec2 {
namespace {

constexpr std::string_view kTokenPrefix = "hearth-after-";

}  // namespace

Ec2Result<std::vector<Filter>> read_filters(const Param& params) {
  std::vector<Filter> out;
  for (const Param* item : params["Filter"].items()) {
    TRY_ASSIGN(std::string name, (*item)["Name"].required("Filter.N.Name"));
    Filter filter{std::move(name), (*item)["Value"].texts()};
    if (filter.values.empty())
      return refuse(Kind::invalid, "InvalidParameterValue",
                    fmt::format("The filter '{}' must have a value", filter.name));
    if (out.size() == kMaxFilters || filter.values.size() > kMaxFilterValues)
      return refuse(Kind::invalid, "FilterLimitExceeded",
                    fmt::format("At most {} filters with {} values each", kMaxFilters, kMaxFilterValues));
    out.push_back(std::move(filter));
  }
  return out;
}

bool matches(std::string_view pattern, std::string_view text) {
  size_t p = 0;
  size_t t = 0;
  size_t star = std::string_view::npos;  // where to go on after a mismatch: one more character for the last '*'
  size_t star_text = 0;
  while (t < text.size()) {
    bool escaped = p + 1 < pattern.size() && pattern[p] == '\\';
    if (p < pattern.size() && pattern[p] == '*') {
      star = ++p;
      star_text = t;
    } else if (p < pattern.size() &&
               (escaped ? pattern[p + 1] == text[t] : pattern[p] == '?' || pattern[p] == text[t])) {
      p += escaped ? 2 : 1;
      ++t;
    } else if (star != std::string_view::npos) {
      p = star;
      t = ++star_text;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

bool matches_any(const Filter& filter, const Values& values) {
  for (const auto& pattern : filter.values)
    for (const auto& value : values)
      if (matches(pattern, value)) return true;
  return false;
}

std::optional<Values> tag_values(std::string_view filter, const vpc::Tags& tags) {
  Values out;
  if (filter == "tag-key") {
    for (const auto& [key, value] : tags) out.push_back(key);
  } else if (filter == "tag-value") {
    for (const auto& [key, value] : tags) out.push_back(value);
  } else if (filter.starts_with("tag:")) {
    auto found = tags.find(std::string(filter.substr(4)));
    if (found != tags.end()) out.push_back(found->second);
  } else {
    return std::nullopt;
  }
  return out;
}

Ec2Result<Page> read_page(const Param& params, bool has_ids) {
  Page page;
  const Param& limit = params["MaxResults"];
  if (limit.given() && has_ids)
    return refuse(Kind::invalid, "InvalidParameterCombination",
                  "The parameter MaxResults may not be used together with a list of IDs");
  // Without MaxResults a call answers all at once, as EC2 does.
  TRY_ASSIGN(page.limit, limit.integer("MaxResults", kMinPage, kMaxPage, INT32_MAX));
  std::string token = params["NextToken"].text();
  if (token.empty()) return page;
  if (!token.starts_with(kTokenPrefix))
    return refuse(Kind::invalid, "InvalidNextToken", "The token given as NextToken is not one of a reply");
  auto after = base64_decode(std::string_view(token).substr(kTokenPrefix.size()));
  if (!after) return refuse(Kind::invalid, "InvalidNextToken", "The token given as NextToken is not one of a reply");
  page.after = std::move(*after);
  return page;
}

std::string page_token(std::string_view last_id) { return fmt::format("{}{}", kTokenPrefix, base64_encode(last_id)); }

}  // namespace hearth::api::ec2
