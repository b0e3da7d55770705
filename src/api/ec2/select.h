// Select: which resources a Describe… call asked for: ids, filters, pages.
//
// A filter's values are alternatives, filters are all to hold. '*' stands for any text, '?' for one character, '\'
// takes the next one as it is. Rows must come in id order: a page's token is the id it ended with.
#pragma once

#include <algorithm>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "api/ec2/params.h"
#include "api/ec2/xml.h"

namespace hearth::api::ec2 {

using Values = std::vector<std::string>;

struct Filter {
  std::string name;
  Values values;
};

constexpr size_t kMaxFilters = 50;
constexpr size_t kMaxFilterValues = 200;
constexpr int64_t kMinPage = 5;
constexpr int64_t kMaxPage = 1000;

Ec2Result<std::vector<Filter>> read_filters(const Param& params);
bool matches(std::string_view pattern, std::string_view text);
bool matches_any(const Filter& filter, const Values& values);
// What "tag:KEY", "tag-key" and "tag-value" see of these tags; nullopt: it is no filter about tags.
std::optional<Values> tag_values(std::string_view filter, const vpc::Tags& tags);

struct Page {
  int64_t limit = kMaxPage;
  std::string after;  // an id
};
// `has_ids`: ids are given, which EC2 does not let stand beside MaxResults.
Ec2Result<Page> read_page(const Param& params, bool has_ids);
// Fit for XML and for a query, whatever the id holds.
std::string page_token(std::string_view last_id);

// What a kind of resource (a row of type T) can be asked about.
template <typename T>
struct Kindred {
  std::string (*id)(const T&);
  const vpc::Tags& (*tags)(const T&);                       // nullptr: it has none
  std::map<std::string_view, Values (*)(const T&)> fields;  // by filter name
  std::string_view ids_parameter;                           // "VpcId"
  std::string_view prefix;                                  // "vpc-"
  std::string_view missing_code;                            // "InvalidVpcID.NotFound"
  std::string_view malformed_code;                          // "InvalidVpcID.Malformed"
  std::string_view noun;                                    // "vpc ID"
};

template <typename T>
struct Selection {
  std::vector<T> rows;
  std::string next_token;  // "" = that was all
};

template <typename T>
Ec2Result<> keep_ids(std::vector<T>& rows, const Values& ids, const Kindred<T>& kin) {
  std::set<std::string> wanted(ids.begin(), ids.end());
  for (const auto& id : wanted)
    if (!id.starts_with(kin.prefix))
      return refuse(Kind::invalid, std::string(kin.malformed_code),
                    "Invalid id: \"" + id + "\" (expecting \"" + std::string(kin.prefix) + "...\")");
  std::erase_if(rows, [&](const T& row) { return !wanted.contains(kin.id(row)); });
  for (const T& row : rows) wanted.erase(kin.id(row));
  if (wanted.empty()) return {};
  return refuse(Kind::not_found, std::string(kin.missing_code),
                "The " + std::string(kin.noun) + " '" + *wanted.begin() + "' does not exist");
}

template <typename T>
Ec2Result<> keep_filtered(std::vector<T>& rows, const std::vector<Filter>& filters, const Kindred<T>& kin) {
  const vpc::Tags none;
  for (const auto& filter : filters) {
    auto field = kin.fields.find(filter.name);
    bool about_tags = kin.tags != nullptr && tag_values(filter.name, none).has_value();
    if (field == kin.fields.end() && !about_tags)
      return refuse(Kind::invalid, "InvalidParameterValue", "The filter '" + filter.name + "' is invalid");
    std::erase_if(rows, [&](const T& row) {
      return !matches_any(filter, about_tags ? *tag_values(filter.name, kin.tags(row)) : field->second(row));
    });
  }
  return {};
}

template <typename T>
Ec2Result<Selection<T>> select(const Param& params, std::vector<T> rows, const Kindred<T>& kin) {
  Values ids = params[kin.ids_parameter].texts();
  TRY_ASSIGN(Page page, read_page(params, !ids.empty()));
  if (!ids.empty()) TRY(keep_ids(rows, ids, kin));
  TRY_ASSIGN(auto filters, read_filters(params));
  TRY(keep_filtered(rows, filters, kin));
  std::erase_if(rows, [&](const T& row) { return kin.id(row) <= page.after; });
  Selection<T> selection{std::move(rows), ""};
  if (selection.rows.size() > static_cast<size_t>(page.limit)) {
    selection.rows.erase(selection.rows.begin() + page.limit, selection.rows.end());
    selection.next_token = page_token(kin.id(selection.rows.back()));
  }
  return selection;
}

}  // namespace hearth::api::ec2
