// Tags of VPCs, subnets, security groups and their rules.
#include <fmt/format.h>

#include <algorithm>

#include "api/ec2/actions.h"
#include "api/ec2/select.h"

namespace hearth::api::ec2 {
namespace {

using vpc::Networks;
using vpc::Tags;

constexpr size_t kMaxTagKey = 128;  // characters, not bytes
constexpr size_t kMaxTagValue = 256;
constexpr size_t kMaxResources = 1000;  // of one call

size_t characters(const std::string& text) {
  return static_cast<size_t>(std::ranges::count_if(text, [](char c) { return (c & 0xc0) != 0x80; }));
}

Ec2Result<> check_tag(const std::string& key, const std::string& value) {
  if (key.empty() || characters(key) > kMaxTagKey)
    return refuse(Kind::invalid, "InvalidParameterValue",
                  fmt::format("Tag key must have 1 to {} characters: '{}'", kMaxTagKey, key));
  if (key.starts_with("aws:"))
    return refuse(Kind::invalid, "InvalidParameterValue",
                  fmt::format("Tag keys starting with 'aws:' are reserved for internal use: '{}'", key));
  if (characters(value) > kMaxTagValue)
    return refuse(Kind::invalid, "InvalidParameterValue",
                  fmt::format("Tag value exceeds the maximum length of {} characters", kMaxTagValue));
  return {};
}

Ec2Result<> read_tags(const Param& list, Tags& tags) {
  for (const Param* item : list.items()) {
    std::string key = (*item)["Key"].text();
    std::string value = (*item)["Value"].text();
    TRY(check_tag(key, value));
    if (!tags.emplace(key, std::move(value)).second)
      return refuse(Kind::invalid, "InvalidParameterValue", fmt::format("Duplicate tag key '{}' specified.", key));
  }
  if (tags.size() > Networks::kMaxTags)
    return refuse(Kind::exhausted, "TagLimitExceeded", "The maximum number of Tags for a resource has been reached.");
  return {};
}

Ec2Result<Values> read_resources(const Param& params) {
  Values ids = params["ResourceId"].texts();
  if (ids.empty())
    return refuse(Kind::invalid, "MissingParameter", "The request must contain the parameter resourceIdSet");
  if (ids.size() > kMaxResources)
    return refuse(Kind::invalid, "InvalidParameterValue",
                  fmt::format("A request names at most {} resources", kMaxResources));
  std::ranges::sort(ids);
  auto repeated = std::ranges::unique(ids);
  ids.erase(repeated.begin(), repeated.end());
  return ids;
}

struct Row {
  std::string resource;
  std::string type;
  std::string key;
  Tags tag;  // this one alone
};

const Kindred<Row>& kindred() {
  static const Kindred<Row> kin{// A separator below all that an id or a key holds keeps the order of pages.
                                .id = [](const Row& row) { return row.resource + "\x01" + row.key; },
                                .tags = [](const Row& row) -> const Tags& { return row.tag; },
                                .fields = {{"key", [](const Row& row) { return Values{row.key}; }},
                                           {"value", [](const Row& row) { return Values{row.tag.at(row.key)}; }},
                                           {"resource-id", [](const Row& row) { return Values{row.resource}; }},
                                           {"resource-type", [](const Row& row) { return Values{row.type}; }}},
                                .ids_parameter = "",
                                .prefix = "",
                                .missing_code = "InvalidID",
                                .malformed_code = "InvalidID",
                                .noun = "resource"};
  return kin;
}

void add_rows(std::vector<Row>& rows, const std::string& id, std::string_view type, const Tags& tags) {
  for (const auto& [key, value] : tags) rows.push_back({id, std::string(type), key, {{key, value}}});
}

std::vector<Row> all_tags(const Networks& networks, const AccountId& account) {
  std::vector<Row> rows;
  for (const auto* item : networks.vpcs(account)) add_rows(rows, item->id.str(), "vpc", item->tags);
  for (const auto* item : networks.subnets(account)) add_rows(rows, item->id.str(), "subnet", item->tags);
  for (const auto* item : networks.groups(account)) {
    add_rows(rows, item->id.str(), "security-group", item->tags);
    for (const auto& rule : item->rules) add_rows(rows, rule.id, "security-group-rule", rule.tags);
  }
  std::ranges::sort(rows, {}, kindred().id);
  return rows;
}

}  // namespace

Ec2Result<Tags> read_tag_specifications(const Param& params, std::string_view resource_type) {
  Tags tags;
  for (const Param* item : params["TagSpecification"].items()) {
    TRY_ASSIGN(std::string type, (*item)["ResourceType"].required("ResourceType"));
    if (type != resource_type)
      return refuse(Kind::invalid, "InvalidParameterValue",
                    fmt::format("'{}' is not a valid taggable resource type for this operation.", type));
    TRY(read_tags((*item)["Tag"], tags));
  }
  return tags;
}

void write_tags(Xml& xml, const Tags& tags) {
  if (tags.empty()) return;
  xml.open("tagSet");
  for (const auto& [key, value] : tags) {
    xml.open("item");
    xml.element("key", key);
    xml.element("value", value);
    xml.close();
  }
  xml.close();
}

Answer create_tags(Networks* networks, Request request) {
  CO_TRY_ASSIGN(Values ids, read_resources(request.params));
  Tags tags;
  CO_TRY(read_tags(request.params["Tag"], tags));
  if (tags.empty())
    co_return refuse(Kind::invalid, "MissingParameter", "The request must contain the parameter tagSet");
  std::function<void(Tags&)> change = [tags](Tags& there) {
    for (const auto& [key, value] : tags) there[key] = value;
  };
  CO_TRY(co_await networks->change_tags(request.account, std::move(ids), std::move(change)));
  co_return return_true();
}

Answer delete_tags(Networks* networks, Request request) {
  CO_TRY_ASSIGN(Values ids, read_resources(request.params));
  // A tag with a value goes only when it has that value; without tags all go.
  std::vector<std::pair<std::string, std::optional<std::string>>> wanted;
  for (const Param* item : request.params["Tag"].items()) {
    CO_TRY_ASSIGN(std::string key, (*item)["Key"].required("Tag.N.Key"));
    const Param& value = (*item)["Value"];
    wanted.emplace_back(std::move(key), value.given() ? std::optional(value.text()) : std::nullopt);
  }
  std::function<void(Tags&)> change = [wanted](Tags& there) {
    if (wanted.empty()) there.clear();
    for (const auto& [key, value] : wanted) {
      auto found = there.find(key);
      if (found != there.end() && (!value || *value == found->second)) there.erase(found);
    }
  };
  CO_TRY(co_await networks->change_tags(request.account, std::move(ids), std::move(change)));
  co_return return_true();
}

Answer describe_tags(Networks* networks, Request request) {
  CO_TRY_ASSIGN(auto selection, select(request.params, all_tags(*networks, request.account), kindred()));
  Xml xml;
  xml.open("tagSet");
  for (const Row& row : selection.rows) {
    xml.open("item");
    xml.element("resourceId", row.resource);
    xml.element("resourceType", row.type);
    xml.element("key", row.key);
    xml.element("value", row.tag.at(row.key));
    xml.close();
  }
  xml.close();
  if (!selection.next_token.empty()) xml.element("nextToken", selection.next_token);
  co_return xml.take();
}

}  // namespace hearth::api::ec2
