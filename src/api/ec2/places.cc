// Regions, availability zones and what an account may have.
#include <fmt/format.h>

#include "api/ec2/actions.h"
#include "api/ec2/select.h"

namespace hearth::api::ec2 {
namespace {

using vpc::Networks;

struct ZoneRow {
  Zone zone;
  std::string region;
};

const Kindred<ZoneRow>& zone_kindred() {
  static const Kindred<ZoneRow> kin{
      .id = [](const ZoneRow& row) { return row.zone.name; },
      .tags = nullptr,
      .fields = {{"zone-name", [](const ZoneRow& row) { return Values{row.zone.name}; }},
                 {"zone-id", [](const ZoneRow& row) { return Values{row.zone.id}; }},
                 {"region-name", [](const ZoneRow& row) { return Values{row.region}; }},
                 {"group-name", [](const ZoneRow& row) { return Values{row.region + "-zg-1"}; }},
                 {"zone-type", [](const ZoneRow&) { return Values{"availability-zone"}; }},
                 {"opt-in-status", [](const ZoneRow&) { return Values{"opt-in-not-required"}; }},
                 {"state", [](const ZoneRow&) { return Values{"available"}; }}},
      .ids_parameter = "ZoneName",
      .prefix = "",
      .missing_code = "InvalidParameterValue",
      .malformed_code = "InvalidParameterValue",
      .noun = "availability zone"};
  return kin;
}

void write_zone(Xml& xml, const ZoneRow& row) {
  xml.element("zoneName", row.zone.name);
  xml.element("zoneId", row.zone.id);
  xml.element("zoneState", "available");
  xml.element("regionName", row.region);
  xml.element("groupName", row.region + "-zg-1");
  xml.element("networkBorderGroup", row.region);
  xml.element("zoneType", "availability-zone");
  xml.element("optInStatus", "opt-in-not-required");
  xml.open("messageSet");
  xml.close();
}

using RegionRow = std::string;

const Kindred<RegionRow>& region_kindred() {
  static const Kindred<RegionRow> kin{
      .id = [](const RegionRow& row) { return row; },
      .tags = nullptr,
      .fields = {{"region-name", [](const RegionRow& row) { return Values{row}; }},
                 {"endpoint", [](const RegionRow& row) { return Values{fmt::format("ec2.{}.amazonaws.com", row)}; }},
                 {"opt-in-status", [](const RegionRow&) { return Values{"opt-in-not-required"}; }}},
      .ids_parameter = "RegionName",
      .prefix = "",
      .missing_code = "InvalidParameterValue",
      .malformed_code = "InvalidParameterValue",
      .noun = "region"};
  return kin;
}

// "us-east-1" → "use1", "ap-southeast-2" → "apse2".
std::string short_region(std::string_view region) {
  auto first = region.find('-');
  auto last = region.rfind('-');
  if (first == std::string_view::npos || first == last) return std::string(region);
  std::string out(region.substr(0, first));
  auto direction = region.substr(first + 1, last - first - 1);
  out += direction.substr(0, 1);
  for (std::string_view second : {"east", "west"})
    if (direction.size() > second.size() && direction.ends_with(second)) out += second.substr(0, 1);
  out += region.substr(last + 1);
  return out;
}

}  // namespace

std::vector<Zone> zones_of(std::string_view region) {
  std::vector<Zone> zones;
  for (int i = 0; i < 3; ++i)
    zones.push_back(
        {fmt::format("{}{}", region, static_cast<char>('a' + i)), fmt::format("{}-az{}", short_region(region), i + 1)});
  return zones;
}

std::string zone_id_of(std::string_view region, std::string_view zone_name) {
  for (auto& zone : zones_of(region))
    if (zone.name == zone_name) return zone.id;
  return "";
}

std::string arn_of(const Request& request, std::string_view type, std::string_view id) {
  return fmt::format("arn:aws:ec2:{}:{}:{}/{}", request.region, request.account.str(), type, id);
}

Answer describe_availability_zones(Networks*, Request request) {
  std::vector<ZoneRow> rows;
  Values ids = request.params["ZoneId"].texts();
  for (auto& zone : zones_of(request.region))
    if (ids.empty() || std::ranges::find(ids, zone.id) != ids.end()) rows.push_back({zone, request.region});
  CO_TRY_ASSIGN(auto selection, select(request.params, std::move(rows), zone_kindred()));
  Xml xml;
  xml.open("availabilityZoneInfo");
  for (const auto& row : selection.rows) {
    xml.open("item");
    write_zone(xml, row);
    xml.close();
  }
  xml.close();
  co_return xml.take();
}

Answer describe_regions(Networks*, Request request) {
  std::vector<RegionRow> rows{request.region};
  CO_TRY_ASSIGN(auto selection, select(request.params, std::move(rows), region_kindred()));
  Xml xml;
  xml.open("regionInfo");
  for (const auto& row : selection.rows) {
    xml.open("item");
    xml.element("regionName", row);
    xml.element("regionEndpoint", fmt::format("ec2.{}.amazonaws.com", row));
    xml.element("optInStatus", "opt-in-not-required");
    xml.close();
  }
  xml.close();
  co_return xml.take();
}

Answer describe_account_attributes(Networks*, Request request) {
  const std::pair<std::string_view, std::string> attributes[] = {
      {"supported-platforms", "VPC"},
      {"default-vpc", "none"},
      {"vpc-max-security-groups-per-interface", std::to_string(Networks::kMaxFunctionGroups)}};
  Values wanted = request.params["AttributeName"].texts();
  Xml xml;
  xml.open("accountAttributeSet");
  for (const auto& [name, value] : attributes) {
    if (!wanted.empty() && std::ranges::find(wanted, name) == wanted.end()) continue;
    xml.open("item");
    xml.element("attributeName", name);
    xml.open("attributeValueSet");
    xml.open("item");
    xml.element("attributeValue", value);
    xml.close();
    xml.close();
    xml.close();
  }
  xml.close();
  co_return xml.take();
}

}  // namespace hearth::api::ec2
