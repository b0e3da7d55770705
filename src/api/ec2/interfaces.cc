// Network interfaces: the gateway's, in the subnets that functions use.
#include "api/ec2/actions.h"
#include "api/ec2/select.h"

namespace hearth::api::ec2 {
namespace {

using vpc::Networks;

// As the interfaces that Lambda makes are marked on EC2, so that clients leave them alone.
constexpr std::string_view kRequester = "hearth:lambda";

struct Row {
  vpc::NetworkInterface interface;
  std::vector<std::string> group_names;
  std::string owner;
};

Values group_ids(const Row& row) {
  Values out;
  for (const auto& id : row.interface.groups) out.push_back(id.str());
  return out;
}

const Kindred<Row>& kindred() {
  static const Kindred<Row> kin{
      .id = [](const Row& row) { return row.interface.id; },
      .tags = [](const Row&) -> const vpc::Tags& {
        static const vpc::Tags kNone;
        return kNone;
      },
      .fields =
          {
              {"network-interface-id", [](const Row& row) { return Values{row.interface.id}; }},
              {"vpc-id", [](const Row& row) { return Values{row.interface.vpc.str()}; }},
              {"subnet-id", [](const Row& row) { return Values{row.interface.subnet.str()}; }},
              {"availability-zone", [](const Row& row) { return Values{row.interface.availability_zone}; }},
              {"description", [](const Row& row) { return Values{row.interface.description}; }},
              {"group-id", group_ids},
              {"group-name", [](const Row& row) { return row.group_names; }},
              {"mac-address", [](const Row& row) { return Values{row.interface.mac}; }},
              {"private-ip-address", [](const Row& row) { return Values{row.interface.address}; }},
              {"addresses.private-ip-address", [](const Row& row) { return Values{row.interface.address}; }},
              {"addresses.primary", [](const Row&) { return Values{"true"}; }},
              {"attachment.instance-id", [](const Row&) { return Values{}; }},
              {"attachment.instance-owner-id", [](const Row&) { return Values{std::string(kRequester)}; }},
              {"attachment.status", [](const Row&) { return Values{"attached"}; }},
              {"interface-type", [](const Row&) { return Values{"lambda"}; }},
              {"owner-id", [](const Row& row) { return Values{row.owner}; }},
              {"requester-id", [](const Row&) { return Values{std::string(kRequester)}; }},
              {"requester-managed", [](const Row&) { return Values{"true"}; }},
              {"source-dest-check", [](const Row&) { return Values{"true"}; }},
              {"status", [](const Row&) { return Values{"in-use"}; }},
          },
      .ids_parameter = "NetworkInterfaceId",
      .prefix = "eni-",
      .missing_code = "InvalidNetworkInterfaceID.NotFound",
      .malformed_code = "InvalidNetworkInterfaceId.Malformed",
      .noun = "network interface"};
  return kin;
}

void write_groups(Xml& xml, const Row& row) {
  xml.open("groupSet");
  for (size_t i = 0; i < row.interface.groups.size(); ++i) {
    xml.open("item");
    xml.element("groupId", row.interface.groups[i].str());
    xml.element("groupName", row.group_names[i]);
    xml.close();
  }
  xml.close();
}

void write_interface(Xml& xml, const Row& row, const Request& request) {
  const auto& interface = row.interface;
  xml.element("networkInterfaceId", interface.id);
  xml.element("subnetId", interface.subnet.str());
  xml.element("vpcId", interface.vpc.str());
  xml.element("availabilityZone", interface.availability_zone);
  xml.element("availabilityZoneId", zone_id_of(request.region, interface.availability_zone));
  xml.element("description", interface.description);
  xml.element("ownerId", row.owner);
  xml.element("requesterId", kRequester);
  xml.element("requesterManaged", true);
  xml.element("status", "in-use");
  xml.element("macAddress", interface.mac);
  xml.element("privateIpAddress", interface.address);
  xml.element("sourceDestCheck", true);
  write_groups(xml, row);
  xml.open("attachment");
  xml.element("attachmentId", "ela-attach-" + interface.id.substr(4));
  xml.element("instanceOwnerId", kRequester);
  xml.element("deviceIndex", int64_t{1});
  xml.element("status", "attached");
  xml.element("deleteOnTermination", false);
  xml.close();
  xml.open("tagSet");
  xml.close();
  xml.open("privateIpAddressesSet");
  xml.open("item");
  xml.element("privateIpAddress", interface.address);
  xml.element("primary", true);
  xml.close();
  xml.close();
  xml.open("ipv6AddressesSet");
  xml.close();
  xml.element("interfaceType", "lambda");
}

}  // namespace

Answer describe_network_interfaces(Networks* networks, Request request) {
  std::vector<Row> rows;
  for (auto& interface : networks->interfaces(request.account)) {
    Row row{std::move(interface), {}, request.account.str()};
    for (const auto& id : row.interface.groups) {
      const vpc::Group* group = networks->find_group(request.account, id);
      row.group_names.push_back(group ? group->name : "");
    }
    rows.push_back(std::move(row));
  }
  CO_TRY_ASSIGN(auto selection, select(request.params, std::move(rows), kindred()));
  Xml xml;
  xml.open("networkInterfaceSet");
  for (const Row& row : selection.rows) {
    xml.open("item");
    write_interface(xml, row, request);
    xml.close();
  }
  xml.close();
  if (!selection.next_token.empty()) xml.element("nextToken", selection.next_token);
  co_return xml.take();
}

}  // namespace hearth::api::ec2
