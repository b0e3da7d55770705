// Subnets.
#include <fmt/format.h>

#include <algorithm>

#include "api/ec2/actions.h"
#include "api/ec2/select.h"

namespace hearth::api::ec2 {
namespace {

using vpc::Networks;
using vpc::Subnet;

struct Row {
  const Subnet* subnet;
  int64_t free;
  std::string zone_id;
};

const Kindred<Row>& kindred() {
  static const Kindred<Row> kin{
      .id = [](const Row& row) { return row.subnet->id.str(); },
      .tags = [](const Row& row) -> const vpc::Tags& { return row.subnet->tags; },
      .fields =
          {
              {"subnet-id", [](const Row& row) { return Values{row.subnet->id.str()}; }},
              {"vpc-id", [](const Row& row) { return Values{row.subnet->vpc.str()}; }},
              {"cidr", [](const Row& row) { return Values{row.subnet->cidr}; }},
              {"cidr-block", [](const Row& row) { return Values{row.subnet->cidr}; }},
              {"cidrBlock", [](const Row& row) { return Values{row.subnet->cidr}; }},
              {"availability-zone", [](const Row& row) { return Values{row.subnet->availability_zone}; }},
              {"availabilityZone", [](const Row& row) { return Values{row.subnet->availability_zone}; }},
              {"availability-zone-id", [](const Row& row) { return Values{row.zone_id}; }},
              {"available-ip-address-count", [](const Row& row) { return Values{std::to_string(row.free)}; }},
              {"default-for-az", [](const Row&) { return Values{"false"}; }},
              {"defaultForAz", [](const Row&) { return Values{"false"}; }},
              {"map-public-ip-on-launch",
               [](const Row& row) { return Values{row.subnet->public_addresses ? "true" : "false"}; }},
              {"owner-id", [](const Row& row) { return Values{row.subnet->account.str()}; }},
              {"state", [](const Row&) { return Values{"available"}; }},
          },
      .ids_parameter = "SubnetId",
      .prefix = "subnet-",
      .missing_code = "InvalidSubnetID.NotFound",
      .malformed_code = "InvalidSubnetID.Malformed",
      .noun = "subnet ID"};
  return kin;
}

Row row_of(const Networks& networks, const Subnet& subnet, const Request& request) {
  return {&subnet, networks.free_addresses(subnet), zone_id_of(request.region, subnet.availability_zone)};
}

void write_subnet(Xml& xml, const Row& row, const Request& request) {
  const Subnet& subnet = *row.subnet;
  xml.element("subnetId", subnet.id.str());
  xml.element("subnetArn", arn_of(request, "subnet", subnet.id.str()));
  xml.element("state", "available");
  xml.element("ownerId", subnet.account.str());
  xml.element("vpcId", subnet.vpc.str());
  xml.element("cidrBlock", subnet.cidr);
  xml.open("ipv6CidrBlockAssociationSet");
  xml.close();
  xml.element("availableIpAddressCount", row.free);
  xml.element("availabilityZone", subnet.availability_zone);
  xml.element("availabilityZoneId", row.zone_id);
  xml.element("defaultForAz", false);
  xml.element("mapPublicIpOnLaunch", subnet.public_addresses);
  xml.element("mapCustomerOwnedIpOnLaunch", false);
  xml.element("assignIpv6AddressOnCreation", false);
  xml.element("enableDns64", false);
  xml.element("ipv6Native", false);
  xml.open("privateDnsNameOptionsOnLaunch");
  xml.element("hostnameType", "ip-name");
  xml.element("enableResourceNameDnsARecord", false);
  xml.element("enableResourceNameDnsAAAARecord", false);
  xml.close();
  write_tags(xml, subnet.tags);
}

// The zone that the request names by name or id; the region's first when it names none.
Ec2Result<std::string> zone_of(const Request& request) {
  std::string name = request.params["AvailabilityZone"].text();
  std::string id = request.params["AvailabilityZoneId"].text();
  auto zones = zones_of(request.region);
  if (name.empty() && id.empty()) return zones.front().name;
  std::string all;
  for (const auto& zone : zones) {
    if ((name.empty() || zone.name == name) && (id.empty() || zone.id == id)) return zone.name;
    all += (all.empty() ? "" : ", ") + zone.name;
  }
  return refuse(Kind::invalid, "InvalidParameterValue",
                fmt::format("Value ({}) for parameter availabilityZone is invalid. Subnets can currently only be "
                            "created in the following availability zones: {}.",
                            name.empty() ? id : name, all));
}

// Attributes that a subnet has here only switched off: that may be asked for.
Ec2Result<> refuse_unsupported(const Param& params) {
  bool any = params["MapPublicIpOnLaunch"].given();
  for (auto name :
       {"AssignIpv6AddressOnCreation", "MapCustomerOwnedIpOnLaunch", "EnableDns64",
        "EnableResourceNameDnsARecordOnLaunch", "EnableResourceNameDnsAAAARecordOnLaunch", "DisableLniAtDeviceIndex"}) {
    any = any || params[name].given();
    TRY_ASSIGN(bool on, params[name]["Value"].flag(name, false));
    if (on) return refuse(Kind::invalid, "UnsupportedOperation", fmt::format("{} is not supported here", name));
  }
  for (auto [name, only] : {std::pair{"CustomerOwnedIpv4Pool", ""}, std::pair{"EnableLniAtDeviceIndex", ""},
                            std::pair{"PrivateDnsHostnameTypeOnLaunch", "ip-name"}}) {
    any = any || params[name].given();
    bool usual = params[name].text(only) == only;
    if (!usual) return refuse(Kind::invalid, "UnsupportedOperation", fmt::format("{} is not supported here", name));
  }
  if (any) return {};
  return refuse(Kind::invalid, "MissingParameter", "The request must contain an attribute to change");
}

}  // namespace

Answer create_subnet(Networks* networks, Request request) {
  Networks::SubnetRequest wanted;
  CO_TRY_ASSIGN(std::string id, request.params["VpcId"].required("vpcId"));
  wanted.vpc = VpcId(std::move(id));
  CO_TRY_ASSIGN(wanted.cidr, request.params["CidrBlock"].required("cidrBlock"));
  if (!request.params["Ipv6CidrBlock"].text().empty())
    co_return refuse(Kind::invalid, "UnsupportedOperation", "Ipv6CidrBlock is not supported here");
  CO_TRY_ASSIGN(wanted.availability_zone, zone_of(request));
  CO_TRY_ASSIGN(wanted.tags, read_tag_specifications(request.params, "subnet"));
  CO_TRY_ASSIGN(Subnet made, co_await networks->create_subnet(request.account, std::move(wanted)));
  Xml xml;
  xml.open("subnet");
  write_subnet(xml, row_of(*networks, made, request), request);
  xml.close();
  co_return xml.take();
}

Answer describe_subnets(Networks* networks, Request request) {
  std::vector<Row> rows;
  for (const Subnet* subnet : networks->subnets(request.account)) rows.push_back(row_of(*networks, *subnet, request));
  CO_TRY_ASSIGN(auto selection, select(request.params, std::move(rows), kindred()));
  Xml xml;
  xml.open("subnetSet");
  for (const Row& row : selection.rows) {
    xml.open("item");
    write_subnet(xml, row, request);
    xml.close();
  }
  xml.close();
  if (!selection.next_token.empty()) xml.element("nextToken", selection.next_token);
  co_return xml.take();
}

Answer delete_subnet(Networks* networks, Request request) {
  CO_TRY_ASSIGN(std::string id, request.params["SubnetId"].required("subnetId"));
  CO_TRY(co_await networks->delete_subnet(request.account, SubnetId(std::move(id))));
  co_return return_true();
}

Answer modify_subnet_attribute(Networks* networks, Request request) {
  CO_TRY_ASSIGN(std::string id, request.params["SubnetId"].required("subnetId"));
  CO_TRY(refuse_unsupported(request.params));
  const Param& wanted = request.params["MapPublicIpOnLaunch"]["Value"];
  const Subnet* found = networks->find_subnet(request.account, SubnetId(id));
  CO_TRY_ASSIGN(bool on, wanted.flag("MapPublicIpOnLaunch", found && found->public_addresses));
  CO_TRY(co_await networks->modify_subnet(request.account, SubnetId(std::move(id)), on));
  co_return return_true();
}

}  // namespace hearth::api::ec2
