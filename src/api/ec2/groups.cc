// Security groups.
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "api/ec2/actions.h"
#include "api/ec2/select.h"

namespace hearth::api::ec2 {
namespace {

using vpc::Group;
using vpc::GroupRule;
using vpc::Networks;

using Row = const Group*;

bool is_ipv6(const std::string& cidr) { return cidr.find(':') != std::string::npos; }

// One value of every rule of a direction, for the filters ip-permission.* and egress.ip-permission.*.
template <bool egress>
Values of_rules(const Group& group, std::string (*value)(const GroupRule&)) {
  Values out;
  for (const auto& rule : group.rules)
    if (rule.egress == egress) out.push_back(value(rule));
  return out;
}

std::string protocol_of(const GroupRule& rule) { return rule.protocol; }
std::string from_of(const GroupRule& rule) { return std::to_string(rule.from_port); }
std::string to_of(const GroupRule& rule) { return std::to_string(rule.to_port); }
std::string cidr_of(const GroupRule& rule) { return is_ipv6(rule.cidr) ? "" : rule.cidr; }
std::string cidr6_of(const GroupRule& rule) { return is_ipv6(rule.cidr) ? rule.cidr : ""; }
std::string peer_of(const GroupRule& rule) { return rule.referenced_group.str(); }

template <bool egress>
void add_rule_fields(std::map<std::string_view, Values (*)(const Row&)>& fields,
                     const std::array<std::string_view, 6>& names) {
  fields[names[0]] = [](const Row& row) { return of_rules<egress>(*row, protocol_of); };
  fields[names[1]] = [](const Row& row) { return of_rules<egress>(*row, from_of); };
  fields[names[2]] = [](const Row& row) { return of_rules<egress>(*row, to_of); };
  fields[names[3]] = [](const Row& row) { return of_rules<egress>(*row, cidr_of); };
  fields[names[4]] = [](const Row& row) { return of_rules<egress>(*row, cidr6_of); };
  fields[names[5]] = [](const Row& row) { return of_rules<egress>(*row, peer_of); };
}

Kindred<Row> make_kindred() {
  Kindred<Row> kin{.id = [](const Row& row) { return row->id.str(); },
                   .tags = [](const Row& row) -> const vpc::Tags& { return row->tags; },
                   .fields = {{"group-id", [](const Row& row) { return Values{row->id.str()}; }},
                              {"group-name", [](const Row& row) { return Values{row->name}; }},
                              {"description", [](const Row& row) { return Values{row->description}; }},
                              {"owner-id", [](const Row& row) { return Values{row->account.str()}; }},
                              {"vpc-id", [](const Row& row) { return Values{row->vpc.str()}; }}},
                   .ids_parameter = "GroupId",
                   .prefix = "sg-",
                   .missing_code = "InvalidGroup.NotFound",
                   .malformed_code = "InvalidGroupId.Malformed",
                   .noun = "security group"};
  add_rule_fields<false>(kin.fields, {"ip-permission.protocol", "ip-permission.from-port", "ip-permission.to-port",
                                      "ip-permission.cidr", "ip-permission.ipv6-cidr", "ip-permission.group-id"});
  add_rule_fields<true>(
      kin.fields, {"egress.ip-permission.protocol", "egress.ip-permission.from-port", "egress.ip-permission.to-port",
                   "egress.ip-permission.cidr", "egress.ip-permission.ipv6-cidr", "egress.ip-permission.group-id"});
  return kin;
}

const Kindred<Row>& kindred() {
  static const Kindred<Row> kin = make_kindred();
  return kin;
}

void write_group(Xml& xml, const Group& group, const Request& request) {
  xml.element("ownerId", group.account.str());
  xml.element("groupId", group.id.str());
  xml.element("groupName", group.name);
  xml.element("groupDescription", group.description);
  xml.element("vpcId", group.vpc.str());
  xml.element("securityGroupArn", arn_of(request, "security-group", group.id.str()));
  xml.open("ipPermissions");
  write_permissions(xml, group, false);
  xml.close();
  xml.open("ipPermissionsEgress");
  write_permissions(xml, group, true);
  xml.close();
  write_tags(xml, group.tags);
}

void write_described(Xml& xml, std::string_view element, std::string_view value, const std::string& description) {
  xml.open("item");
  xml.element(element, value);
  if (!description.empty()) xml.element("description", description);
  xml.close();
}

// Rules of one protocol and port range, which EC2 shows as one permission.
void write_permission(Xml& xml, const Group& group, const std::vector<const GroupRule*>& rules) {
  const GroupRule& first = *rules.front();
  xml.open("item");
  xml.element("ipProtocol", first.protocol);
  bool ports = first.protocol == "tcp" || first.protocol == "udp" || first.protocol.starts_with("icmp");
  if (ports) {
    xml.element("fromPort", first.from_port);
    xml.element("toPort", first.to_port);
  }
  xml.open("groups");
  for (const GroupRule* rule : rules) {
    if (rule->referenced_group.empty()) continue;
    xml.open("item");
    xml.element("userId", group.account.str());
    xml.element("groupId", rule->referenced_group.str());
    if (!rule->description.empty()) xml.element("description", rule->description);
    xml.close();
  }
  xml.close();
  xml.open("ipRanges");
  for (const GroupRule* rule : rules)
    if (!rule->cidr.empty() && !is_ipv6(rule->cidr)) write_described(xml, "cidrIp", rule->cidr, rule->description);
  xml.close();
  xml.open("ipv6Ranges");
  for (const GroupRule* rule : rules)
    if (is_ipv6(rule->cidr)) write_described(xml, "cidrIpv6", rule->cidr, rule->description);
  xml.close();
  xml.open("prefixListIds");
  xml.close();
  xml.close();
}

}  // namespace

void write_permissions(Xml& xml, const Group& group, bool egress) {
  using Key = std::tuple<std::string, int64_t, int64_t>;
  std::vector<std::pair<Key, std::vector<const GroupRule*>>> permissions;  // in the order of their first rule
  for (const auto& rule : group.rules) {
    if (rule.egress != egress) continue;
    Key key{rule.protocol, rule.from_port, rule.to_port};
    auto found = std::ranges::find(permissions, key, [](const auto& entry) { return entry.first; });
    if (found == permissions.end()) found = permissions.insert(permissions.end(), {key, {}});
    found->second.push_back(&rule);
  }
  for (const auto& [key, rules] : permissions) write_permission(xml, group, rules);
}

Ec2Result<const Group*> find_group(const Networks& networks, const Request& request) {
  std::string id = request.params["GroupId"].text();
  std::string name = request.params["GroupName"].text();
  if (id.empty() && name.empty())
    return refuse(Kind::invalid, "MissingParameter", "The request must contain the parameter groupName or groupId");
  if (!id.empty()) {
    if (!id.starts_with("sg-"))
      return refuse(Kind::invalid, "InvalidGroupId.Malformed",
                    fmt::format("Invalid id: \"{}\" (expecting \"sg-...\")", id));
    if (const Group* group = networks.find_group(request.account, GroupId(id))) return group;
    return refuse(Kind::not_found, "InvalidGroup.NotFound", fmt::format("The security group '{}' does not exist", id));
  }
  // By name a group is found in the default VPC only, which no account here has.
  return refuse(Kind::not_found, "InvalidGroup.NotFound",
                fmt::format("The security group '{}' does not exist in default VPC 'none'", name));
}

Answer create_security_group(Networks* networks, Request request) {
  Networks::GroupRequest wanted;
  CO_TRY_ASSIGN(wanted.name, request.params["GroupName"].required("GroupName"));
  CO_TRY_ASSIGN(wanted.description, request.params["GroupDescription"].required("GroupDescription"));
  if (!request.params["VpcId"].given())
    co_return refuse(Kind::invalid, "VPCIdNotSpecified", "No default VPC for this user");
  wanted.vpc = VpcId(request.params["VpcId"].text());
  CO_TRY_ASSIGN(wanted.tags, read_tag_specifications(request.params, "security-group"));
  CO_TRY_ASSIGN(Group made, co_await networks->create_group(request.account, std::move(wanted)));
  Xml xml;
  xml.element("groupId", made.id.str());
  write_tags(xml, made.tags);
  xml.element("securityGroupArn", arn_of(request, "security-group", made.id.str()));
  co_return xml.take();
}

Answer describe_security_groups(Networks* networks, Request request) {
  auto rows = networks->groups(request.account);
  Values names = request.params["GroupName"].texts();
  if (!names.empty()) std::erase_if(rows, [&](Row row) { return std::ranges::find(names, row->name) == names.end(); });
  for (const auto& name : names)
    if (std::ranges::none_of(rows, [&](Row row) { return row->name == name; }))
      co_return refuse(Kind::not_found, "InvalidGroup.NotFound",
                       fmt::format("The security group '{}' does not exist", name));
  CO_TRY_ASSIGN(auto selection, select(request.params, std::move(rows), kindred()));
  Xml xml;
  xml.open("securityGroupInfo");
  for (const Group* group : selection.rows) {
    xml.open("item");
    write_group(xml, *group, request);
    xml.close();
  }
  xml.close();
  if (!selection.next_token.empty()) xml.element("nextToken", selection.next_token);
  co_return xml.take();
}

Answer delete_security_group(Networks* networks, Request request) {
  CO_TRY_ASSIGN(const Group* found, find_group(*networks, request));
  GroupId id = found->id;
  CO_TRY(co_await networks->delete_group(request.account, id));
  Xml xml;
  xml.element("return", true);
  xml.element("groupId", id.str());
  co_return xml.take();
}

}  // namespace hearth::api::ec2
