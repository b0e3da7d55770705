// Rules of security groups: authorize, revoke, describe.
#include "vpc/rules.h"

#include <fmt/format.h>

#include <algorithm>

#include "api/ec2/actions.h"
#include "api/ec2/select.h"

namespace hearth::api::ec2 {
namespace {

using vpc::Group;
using vpc::GroupRule;
using vpc::Networks;

constexpr size_t kMaxRulesOfCall = 1000;

struct Row {
  const GroupRule* rule;
  const Group* group;
};

const Kindred<Row>& kindred() {
  static const Kindred<Row> kin{
      .id = [](const Row& row) { return row.rule->id; },
      .tags = [](const Row& row) -> const vpc::Tags& { return row.rule->tags; },
      .fields = {{"group-id", [](const Row& row) { return Values{row.group->id.str()}; }},
                 {"security-group-rule-id", [](const Row& row) { return Values{row.rule->id}; }}},
      .ids_parameter = "SecurityGroupRuleId",
      .prefix = "sgr-",
      .missing_code = "InvalidSecurityGroupRuleId.NotFound",
      .malformed_code = "InvalidSecurityGroupRuleId.Malformed",
      .noun = "security group rule ID"};
  return kin;
}

void write_source(Xml& xml, const GroupRule& rule) {
  if (rule.cidr.empty()) return;
  xml.element(rule.cidr.find(':') == std::string::npos ? "cidrIpv4" : "cidrIpv6", rule.cidr);
}

void write_core(Xml& xml, const GroupRule& rule, const Group& group) {
  xml.element("securityGroupRuleId", rule.id);
  xml.element("groupId", group.id.str());
  xml.element("isEgress", rule.egress);
  xml.element("ipProtocol", rule.protocol);
  xml.element("fromPort", rule.from_port);
  xml.element("toPort", rule.to_port);
  write_source(xml, rule);
  if (!rule.description.empty()) xml.element("description", rule.description);
}

void write_rule(Xml& xml, const GroupRule& rule, const Group& group, const Request& request) {
  write_core(xml, rule, group);
  xml.element("groupOwnerId", group.account.str());
  if (!rule.referenced_group.empty()) {
    xml.open("referencedGroupInfo");
    xml.element("groupId", rule.referenced_group.str());
    xml.element("userId", group.account.str());
    xml.element("vpcId", group.vpc.str());
    xml.close();
  }
  xml.element("securityGroupRuleArn", arn_of(request, "security-group-rule", rule.id));
  write_tags(xml, rule.tags);
}

// ---- reading rules

struct Reading {
  const Networks& networks;
  const Request& request;
  const Group& group;
  bool egress;
  std::vector<GroupRule> rules;
};

Ec2Result<> add(Reading& reading, GroupRule rule, const Param& source) {
  if (reading.rules.size() == kMaxRulesOfCall)
    return refuse(Kind::exhausted, "RulesPerSecurityGroupLimitExceeded",
                  fmt::format("A request names at most {} rules", kMaxRulesOfCall));
  rule.description = source["Description"].text();
  reading.rules.push_back(std::move(rule));
  return {};
}

// A UserIdGroupPair: by id, or by name in the same VPC.
Ec2Result<GroupId> peer_of(const Reading& reading, const Param& pair) {
  std::string owner = pair["UserId"].text();
  std::string id = pair["GroupId"].text();
  std::string name = pair["GroupName"].text();
  if (!owner.empty() && owner != reading.request.account.str())
    return refuse(Kind::invalid, "InvalidGroup.NotFound",
                  fmt::format("The security group '{}' does not exist in account {}", id.empty() ? name : id, owner));
  if (!id.empty()) return GroupId(id);
  for (const Group* group : reading.networks.groups(reading.request.account))
    if (group->vpc == reading.group.vpc && group->name == name) return group->id;
  return refuse(Kind::not_found, "InvalidGroup.NotFound", fmt::format("The security group '{}' does not exist", name));
}

Ec2Result<GroupRule> read_protocol(const Param& permission, bool egress) {
  GroupRule rule;
  rule.egress = egress;
  TRY_ASSIGN(rule.protocol, permission["IpProtocol"].required("ipProtocol"));
  TRY_ASSIGN(rule.from_port, permission["FromPort"].integer("fromPort", -1, 65535, -1));
  TRY_ASSIGN(rule.to_port, permission["ToPort"].integer("toPort", -1, 65535, -1));
  // Left out is not "all ports".
  const bool has_ports = permission["FromPort"].given() && permission["ToPort"].given();
  if (!has_ports && vpc::has_ports(rule.protocol))
    return refuse(Kind::invalid, "InvalidParameterValue",
                  "Invalid value 'Must specify both from and to ports with TCP/UDP.' for portRange.");
  return rule;
}

Ec2Result<> read_permission(Reading& reading, const Param& permission) {
  TRY_ASSIGN(GroupRule rule, read_protocol(permission, reading.egress));
  size_t before = reading.rules.size();
  for (const Param* range : permission["IpRanges"].items()) {
    GroupRule one = rule;
    TRY_ASSIGN(one.cidr, (*range)["CidrIp"].required("cidrIp"));
    TRY(add(reading, std::move(one), *range));
  }
  for (const Param* range : permission["Ipv6Ranges"].items()) {
    GroupRule one = rule;
    TRY_ASSIGN(one.cidr, (*range)["CidrIpv6"].required("cidrIpv6"));
    TRY(add(reading, std::move(one), *range));
  }
  for (const Param* pair : permission["Groups"].items()) {
    GroupRule one = rule;
    TRY_ASSIGN(one.referenced_group, peer_of(reading, *pair));
    TRY(add(reading, std::move(one), *pair));
  }
  for (const Param* list : permission["PrefixListIds"].items())
    return refuse(Kind::not_found, "InvalidPrefixListID.NotFound",
                  fmt::format("The prefix list ID '{}' does not exist", (*list)["PrefixListId"].text()));
  if (reading.rules.size() == before)
    return refuse(Kind::invalid, "InvalidParameterValue",
                  "Each permission must have one or more of ipRanges, ipv6Ranges and groups");
  return {};
}

// The older form, with one rule in the request itself.
Ec2Result<> read_flat(Reading& reading) {
  const Param& params = reading.request.params;
  TRY_ASSIGN(GroupRule rule, read_protocol(params, reading.egress));
  rule.cidr = params["CidrIp"].text();
  std::string name = params["SourceSecurityGroupName"].text();
  if (!name.empty()) {
    for (const Group* group : reading.networks.groups(reading.request.account))
      if (group->vpc == reading.group.vpc && group->name == name) rule.referenced_group = group->id;
    if (rule.referenced_group.empty())
      return refuse(Kind::not_found, "InvalidGroup.NotFound",
                    fmt::format("The security group '{}' does not exist", name));
  }
  return add(reading, std::move(rule), Param());
}

Ec2Result<std::vector<GroupRule>> read_rules(const Networks& networks, const Request& request, const Group& group,
                                             bool egress) {
  Reading reading{networks, request, group, egress, {}};
  auto permissions = request.params["IpPermissions"].items();
  for (const Param* permission : permissions) TRY(read_permission(reading, *permission));
  if (permissions.empty() && request.params["IpProtocol"].given()) TRY(read_flat(reading));
  if (reading.rules.empty())
    return refuse(Kind::invalid, "MissingParameter", "The request must contain the parameter ipPermissions");
  return reading.rules;
}

// The rules of `group` that let the same through as `wanted`.
Ec2Result<std::vector<const GroupRule*>> find_rules(const Group& group, std::vector<GroupRule> wanted) {
  std::vector<const GroupRule*> out;
  for (auto& rule : wanted) {
    TRY(vpc::normalize(rule));
    auto found =
        std::ranges::find_if(group.rules, [&](const GroupRule& there) { return vpc::same_permission(there, rule); });
    if (found == group.rules.end())
      return refuse(Kind::not_found, "InvalidPermission.NotFound",
                    "The specified rule does not exist in this security group.");
    out.push_back(&*found);
  }
  return out;
}

Ec2Result<std::vector<const GroupRule*>> rules_by_id(const Group& group, const Values& ids, bool egress) {
  std::vector<const GroupRule*> out;
  for (const auto& id : ids) {
    auto found = std::ranges::find(group.rules, id, &GroupRule::id);
    if (found == group.rules.end() || found->egress != egress)
      return refuse(Kind::not_found, "InvalidSecurityGroupRuleId.NotFound",
                    fmt::format("The security group rule ID '{}' does not exist", id));
    out.push_back(&*found);
  }
  return out;
}

// ---- the actions, for both directions

Answer authorize(Networks* networks, Request request, bool egress) {
  CO_TRY_ASSIGN(const Group* found, find_group(*networks, request));
  CO_TRY_ASSIGN(auto rules, read_rules(*networks, request, *found, egress));
  CO_TRY_ASSIGN(vpc::Tags tags, read_tag_specifications(request.params, "security-group-rule"));
  for (auto& rule : rules) rule.tags = tags;
  GroupId id = found->id;
  CO_TRY_ASSIGN(auto made, co_await networks->add_rules(request.account, id, std::move(rules)));
  const Group* group = networks->find_group(request.account, id);
  Xml xml;
  xml.element("return", true);
  xml.open("securityGroupRuleSet");
  for (const auto& rule : made) {
    if (!group) break;  // deleted meanwhile
    xml.open("item");
    write_rule(xml, rule, *group, request);
    xml.close();
  }
  xml.close();
  co_return xml.take();
}

Answer revoke(Networks* networks, Request request, bool egress) {
  CO_TRY_ASSIGN(const Group* group, find_group(*networks, request));
  Values ids = request.params["SecurityGroupRuleId"].texts();
  std::vector<const GroupRule*> rules;
  if (ids.empty()) {
    CO_TRY_ASSIGN(auto wanted, read_rules(*networks, request, *group, egress));
    CO_TRY_ASSIGN(rules, find_rules(*group, std::move(wanted)));
    for (const GroupRule* rule : rules) ids.push_back(rule->id);
  } else {
    CO_TRY_ASSIGN(rules, rules_by_id(*group, ids, egress));
  }
  Xml xml;
  xml.element("return", true);
  xml.open("revokedSecurityGroupRuleSet");
  for (const GroupRule* rule : rules) {
    xml.open("item");
    write_core(xml, *rule, *group);
    if (!rule->referenced_group.empty()) xml.element("referencedGroupId", rule->referenced_group.str());
    xml.close();
  }
  xml.close();
  std::ranges::sort(ids);
  auto repeated = std::ranges::unique(ids);
  ids.erase(repeated.begin(), repeated.end());
  CO_TRY(co_await networks->remove_rules(request.account, group->id, std::move(ids)));
  co_return xml.take();
}

Answer update_descriptions(Networks* networks, Request request, bool egress) {
  CO_TRY_ASSIGN(const Group* group, find_group(*networks, request));
  vpc::Tags descriptions;
  for (const Param* item : request.params["SecurityGroupRuleDescription"].items()) {
    CO_TRY_ASSIGN(std::string id, (*item)["SecurityGroupRuleId"].required("SecurityGroupRuleId"));
    Values ids{id};
    CO_TRY(rules_by_id(*group, ids, egress));
    descriptions[id] = (*item)["Description"].text();
  }
  if (descriptions.empty()) {
    CO_TRY_ASSIGN(auto wanted, read_rules(*networks, request, *group, egress));
    CO_TRY_ASSIGN(auto rules, find_rules(*group, wanted));
    for (size_t i = 0; i < rules.size(); ++i) descriptions[rules[i]->id] = wanted[i].description;
  }
  CO_TRY(co_await networks->describe_rules(request.account, group->id, std::move(descriptions)));
  co_return return_true();
}

}  // namespace

Answer authorize_ingress(Networks* networks, Request request) { return authorize(networks, std::move(request), false); }
Answer authorize_egress(Networks* networks, Request request) { return authorize(networks, std::move(request), true); }
Answer revoke_ingress(Networks* networks, Request request) { return revoke(networks, std::move(request), false); }
Answer revoke_egress(Networks* networks, Request request) { return revoke(networks, std::move(request), true); }
Answer update_ingress_descriptions(Networks* networks, Request request) {
  return update_descriptions(networks, std::move(request), false);
}
Answer update_egress_descriptions(Networks* networks, Request request) {
  return update_descriptions(networks, std::move(request), true);
}

Answer describe_security_group_rules(Networks* networks, Request request) {
  std::vector<Row> rows;
  for (const Group* group : networks->groups(request.account))
    for (const auto& rule : group->rules) rows.push_back({&rule, group});
  std::ranges::sort(rows, {}, [](const Row& row) { return row.rule->id; });
  CO_TRY_ASSIGN(auto selection, select(request.params, std::move(rows), kindred()));
  Xml xml;
  xml.open("securityGroupRuleSet");
  for (const Row& row : selection.rows) {
    xml.open("item");
    write_rule(xml, *row.rule, *row.group, request);
    xml.close();
  }
  xml.close();
  if (!selection.next_token.empty()) xml.element("nextToken", selection.next_token);
  co_return xml.take();
}

}  // namespace hearth::api::ec2
