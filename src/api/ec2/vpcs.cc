// VPCs and their attributes.
#include <fmt/format.h>

#include "api/ec2/actions.h"
#include "api/ec2/select.h"

namespace hearth::api::ec2 {
namespace {

using vpc::Networks;
using vpc::Vpc;

constexpr std::string_view kDhcpOptions = "default";  // EC2's word for a VPC without a set of its own

using Row = const Vpc*;

std::string association_of(const Vpc& item) { return "vpc-cidr-assoc-" + item.id.str().substr(4); }

const Kindred<Row>& kindred() {
  static const Kindred<Row> kin{
      .id = [](const Row& row) { return row->id.str(); },
      .tags = [](const Row& row) -> const vpc::Tags& { return row->tags; },
      .fields =
          {
              {"vpc-id", [](const Row& row) { return Values{row->id.str()}; }},
              {"cidr", [](const Row& row) { return Values{row->cidr}; }},
              {"cidr-block", [](const Row& row) { return Values{row->cidr}; }},
              {"cidrBlock", [](const Row& row) { return Values{row->cidr}; }},
              {"cidr-block-association.cidr-block", [](const Row& row) { return Values{row->cidr}; }},
              {"cidr-block-association.association-id", [](const Row& row) { return Values{association_of(*row)}; }},
              {"cidr-block-association.state", [](const Row&) { return Values{"associated"}; }},
              {"dhcp-options-id", [](const Row&) { return Values{std::string(kDhcpOptions)}; }},
              {"is-default", [](const Row&) { return Values{"false"}; }},
              {"isDefault", [](const Row&) { return Values{"false"}; }},
              {"owner-id", [](const Row& row) { return Values{row->account.str()}; }},
              {"state", [](const Row&) { return Values{"available"}; }},
          },
      .ids_parameter = "VpcId",
      .prefix = "vpc-",
      .missing_code = "InvalidVpcID.NotFound",
      .malformed_code = "InvalidVpcID.Malformed",
      .noun = "vpc ID"};
  return kin;
}

void write_vpc(Xml& xml, const Vpc& item) {
  xml.element("vpcId", item.id.str());
  xml.element("ownerId", item.account.str());
  xml.element("state", "available");
  xml.element("cidrBlock", item.cidr);
  xml.open("cidrBlockAssociationSet");
  xml.open("item");
  xml.element("cidrBlock", item.cidr);
  xml.element("associationId", association_of(item));
  xml.open("cidrBlockState");
  xml.element("state", "associated");
  xml.close();
  xml.close();
  xml.close();
  xml.element("dhcpOptionsId", kDhcpOptions);
  xml.element("instanceTenancy", "default");
  xml.element("isDefault", false);
  write_tags(xml, item.tags);
}

Ec2Result<std::optional<bool>> attribute(const Param& params, std::string_view name) {
  const Param& value = params[name]["Value"];
  if (!value.given()) return std::nullopt;
  TRY_ASSIGN(bool on, value.flag(name, false));
  return on;
}

}  // namespace

Answer create_vpc(Networks* networks, Request request) {
  CO_TRY_ASSIGN(std::string cidr, request.params["CidrBlock"].required("cidrBlock"));
  for (auto unknown : {"AmazonProvidedIpv6CidrBlock", "Ipv6CidrBlock", "Ipv4IpamPoolId", "Ipv6IpamPoolId"}) {
    auto text = request.params[unknown].text();
    if (!text.empty() && text != "false")
      co_return refuse(Kind::invalid, "UnsupportedOperation", fmt::format("{} is not supported here", unknown));
  }
  auto tenancy = request.params["InstanceTenancy"].text("default");
  if (tenancy != "default")
    co_return refuse(
        Kind::invalid, "InvalidParameterValue",
        fmt::format("Value ({}) for parameter instanceTenancy is invalid. Only default is known here.", tenancy));
  CO_TRY_ASSIGN(vpc::Tags tags, read_tag_specifications(request.params, "vpc"));
  CO_TRY_ASSIGN(Vpc made, co_await networks->create_vpc(request.account, std::move(cidr), std::move(tags)));
  Xml xml;
  xml.open("vpc");
  write_vpc(xml, made);
  xml.close();
  co_return xml.take();
}

Answer describe_vpcs(Networks* networks, Request request) {
  CO_TRY_ASSIGN(auto selection, select(request.params, networks->vpcs(request.account), kindred()));
  Xml xml;
  xml.open("vpcSet");
  for (const Vpc* item : selection.rows) {
    xml.open("item");
    write_vpc(xml, *item);
    xml.close();
  }
  xml.close();
  if (!selection.next_token.empty()) xml.element("nextToken", selection.next_token);
  co_return xml.take();
}

Answer delete_vpc(Networks* networks, Request request) {
  CO_TRY_ASSIGN(std::string id, request.params["VpcId"].required("vpcId"));
  CO_TRY(co_await networks->delete_vpc(request.account, VpcId(std::move(id))));
  co_return return_true();
}

Answer modify_vpc_attribute(Networks* networks, Request request) {
  CO_TRY_ASSIGN(std::string id, request.params["VpcId"].required("vpcId"));
  Networks::VpcChange change;
  CO_TRY_ASSIGN(change.dns_support, attribute(request.params, "EnableDnsSupport"));
  CO_TRY_ASSIGN(change.dns_hostnames, attribute(request.params, "EnableDnsHostnames"));
  if (change.dns_support.has_value() == change.dns_hostnames.has_value())
    co_return refuse(Kind::invalid, "InvalidParameterCombination",
                     "Exactly one of enableDnsSupport and enableDnsHostnames must be given");
  CO_TRY(co_await networks->modify_vpc(request.account, VpcId(std::move(id)), std::move(change)));
  co_return return_true();
}

Answer describe_vpc_attribute(Networks* networks, Request request) {
  CO_TRY_ASSIGN(std::string id, request.params["VpcId"].required("vpcId"));
  CO_TRY_ASSIGN(std::string name, request.params["Attribute"].required("attribute"));
  const Vpc* found = networks->find_vpc(request.account, VpcId(id));
  if (!found)
    co_return refuse(Kind::not_found, "InvalidVpcID.NotFound", fmt::format("The vpc ID '{}' does not exist", id));
  Xml xml;
  xml.element("vpcId", id);
  auto write = [&xml](std::string_view element, bool value) {
    xml.open(element);
    xml.element("value", value);
    xml.close();
  };
  if (name == "enableDnsSupport")
    write("enableDnsSupport", found->dns_support);
  else if (name == "enableDnsHostnames")
    write("enableDnsHostnames", found->dns_hostnames);
  else if (name == "enableNetworkAddressUsageMetrics")
    write("enableNetworkAddressUsageMetrics", false);
  else
    co_return refuse(Kind::invalid, "InvalidParameterValue",
                     fmt::format("Value ({}) for parameter attribute is invalid. Unknown attribute.", name));
  co_return xml.take();
}

}  // namespace hearth::api::ec2
