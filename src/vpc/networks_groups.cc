// Networks: security groups, their rules, and everyone's tags.
#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <ranges>
#include <utility>

#include "base/log.h"
#include "vpc/networks.h"
#include "vpc/records.h"
#include "vpc/rules.h"
#include "vpc/turns.h"
#include "vpc/warden_network.h"

namespace hearth::vpc {
namespace {

namespace asio = boost::asio;

constexpr size_t kMaxGroupName = 255;

std::unexpected<Ec2Error> no_group(const GroupId& id) {
  return refuse(Kind::not_found, "InvalidGroup.NotFound",
                fmt::format("The security group '{}' does not exist", id.str()));
}

Ec2Result<> check_name(const std::string& name, const std::string& description) {
  if (name.empty() || name.size() > kMaxGroupName)
    return refuse(Kind::invalid, "InvalidParameterValue",
                  fmt::format("Value ({}) for parameter GroupName is invalid. Character sets beyond ASCII are not "
                              "supported.",
                              name.substr(0, 64)));
  if (description.empty() || description.size() > kMaxGroupName)
    return refuse(Kind::invalid, "InvalidParameterValue",
                  "Value for parameter GroupDescription is invalid. It must hold 1 to 255 characters.");
  if (name.starts_with("sg-"))
    return refuse(Kind::invalid, "InvalidParameterValue", "Invalid group name: it may not begin with 'sg-'");
  auto plain = [](char c) { return c >= ' ' && c <= '~'; };
  if (!std::ranges::all_of(name, plain) || !std::ranges::all_of(description, plain))
    return refuse(Kind::invalid, "InvalidParameterValue",
                  "Invalid security group name or description. Character sets beyond ASCII are not supported.");
  return {};
}

Ec2Result<> add_rule(Group& group, GroupRule& rule, const Records::Account& records) {
  TRY(normalize(rule));
  if (!rule.referenced_group.empty()) {
    auto other = records.groups.find(rule.referenced_group);
    if (other == records.groups.end() || other->second.vpc != group.vpc) return no_group(rule.referenced_group);
  }
  for (const auto& there : group.rules)
    if (same_permission(there, rule))
      return refuse(Kind::conflict, "InvalidPermission.Duplicate",
                    fmt::format("the specified rule \"{}\" already exists", describe(rule)));
  auto beside = [&rule](const GroupRule& other) { return other.egress == rule.egress; };
  if (std::ranges::count_if(group.rules, beside) >= static_cast<int64_t>(Networks::kMaxRules))
    return refuse(Kind::exhausted, "RulesPerSecurityGroupLimitExceeded",
                  "The maximum number of rules per security group has been reached.");
  rule.id = "sgr-" + random_hex(17);
  group.rules.push_back(rule);
  return {};
}

bool names(const Group& group, const GroupId& id) {
  auto refers = [&id](const GroupRule& rule) { return rule.referenced_group == id; };
  return group.id != id && std::ranges::any_of(group.rules, refers);
}

}  // namespace

asio::awaitable<Ec2Result<Group>> Networks::create_group(AccountId account, GroupRequest request) {
  CO_TRY_ASSIGN(auto turn, co_await turns_->take(account));
  CO_TRY(check_name(request.name, request.description));
  if (!find_vpc(account, request.vpc))
    co_return refuse(Kind::not_found, "InvalidVpcID.NotFound",
                     fmt::format("The vpc ID '{}' does not exist", request.vpc.str()));
  const auto& records = records_->of(account);
  for (const auto& group : std::views::values(records.groups))
    if (group.vpc == request.vpc && group.name == request.name)
      co_return refuse(
          Kind::conflict, "InvalidGroup.Duplicate",
          fmt::format("The security group '{}' already exists for VPC '{}'", request.name, request.vpc.str()));
  if (records.groups.size() >= kMaxGroups)
    co_return refuse(Kind::exhausted, "SecurityGroupLimitExceeded",
                     "The maximum number of security groups has been reached.");
  Group group{.id = GroupId("sg-" + random_hex(17)),
              .account = account,
              .vpc = request.vpc,
              .name = std::move(request.name),
              .description = std::move(request.description),
              .tags = std::move(request.tags)};
  GroupRule outside{.id = "sgr-" + random_hex(17), .egress = true, .protocol = "-1", .cidr = "0.0.0.0/0"};
  group.rules.push_back(outside);
  CO_TRY(co_await records_->save(group));
  co_return group;
}

asio::awaitable<Ec2Result<>> Networks::delete_group(AccountId account, GroupId id) {
  CO_TRY_ASSIGN(auto turn, co_await turns_->take(account));
  const Group* found = find_group(account, id);
  if (!found) co_return no_group(id);
  if (found->name == "default")
    co_return refuse(
        Kind::invalid, "CannotDelete",
        fmt::format("the specified group: \"{}\" name: \"default\" cannot be deleted by a user", id.str()));
  auto refers = [&id](const Group& other) { return names(other, id); };
  if (in_use(account, id) || std::ranges::any_of(std::views::values(records_->of(account).groups), refers))
    co_return refuse(Kind::conflict, "DependencyViolation",
                     fmt::format("resource {} has a dependent object", id.str()));
  CO_TRY(co_await records_->erase(account, id));
  co_return Ec2Result<>();
}

asio::awaitable<Ec2Result<std::vector<GroupRule>>> Networks::add_rules(AccountId account, GroupId id,
                                                                       std::vector<GroupRule> rules) {
  CO_TRY_ASSIGN(auto turn, co_await turns_->take(account));
  const Group* found = find_group(account, id);
  if (!found) co_return no_group(id);
  Group group = *found;
  bool egress = false;
  for (auto& rule : rules) {
    CO_TRY(add_rule(group, rule, records_->of(account)));
    egress = egress || rule.egress;
  }
  CO_TRY(co_await save_group(std::move(group), egress));
  co_return rules;
}

asio::awaitable<Ec2Result<>> Networks::remove_rules(AccountId account, GroupId id, std::vector<std::string> ids) {
  CO_TRY_ASSIGN(auto turn, co_await turns_->take(account));
  const Group* found = find_group(account, id);
  if (!found) co_return no_group(id);
  Group group = *found;
  bool egress = false;
  for (const auto& rule_id : ids) {
    auto rule = std::ranges::find(group.rules, rule_id, &GroupRule::id);
    if (rule == group.rules.end())
      co_return refuse(Kind::not_found, "InvalidSecurityGroupRuleId.NotFound",
                       fmt::format("The security group rule ID '{}' does not exist", rule_id));
    egress = egress || rule->egress;
    group.rules.erase(rule);
  }
  CO_TRY(co_await save_group(std::move(group), egress));
  co_return Ec2Result<>();
}

asio::awaitable<Ec2Result<>> Networks::describe_rules(AccountId account, GroupId id, Tags descriptions) {
  CO_TRY_ASSIGN(auto turn, co_await turns_->take(account));
  const Group* found = find_group(account, id);
  if (!found) co_return no_group(id);
  Group group = *found;
  for (const auto& [rule_id, description] : descriptions) {
    auto rule = std::ranges::find(group.rules, rule_id, &GroupRule::id);
    if (rule == group.rules.end())
      co_return refuse(Kind::not_found, "InvalidSecurityGroupRuleId.NotFound",
                       fmt::format("The security group rule ID '{}' does not exist", rule_id));
    rule->description = description;
    CO_TRY(normalize(*rule));
  }
  CO_TRY(co_await save_group(std::move(group), false));
  co_return Ec2Result<>();
}

// What a gateway would not take is refused before it is anybody's rule.
Ec2Result<> Networks::check_egress(const Group& changed) const {
  Records::Account records = records_->of(changed.account);
  records.groups.insert_or_assign(changed.id, changed);
  const auto used = interfaces(changed.account);
  for (const auto& groups : group_sets(changed.account)) {
    if (std::ranges::find(groups, changed.id) == groups.end()) continue;
    if (auto egress = egress_of(groups, records, used); !egress)
      return refuse(Kind::invalid, "RulesPerSecurityGroupLimitExceeded", egress.error().message);
  }
  return {};
}

// A warden that is away is told of it as soon as it is back; what another did not take is said again until it does.
asio::awaitable<Ec2Result<>> Networks::save_group(Group group, bool egress_changed) {
  std::vector<GroupId> changed{group.id};
  AccountId account = group.account;
  if (egress_changed) CO_TRY(check_egress(group));
  CO_TRY(co_await records_->save(std::move(group)));
  if (!egress_changed) co_return Ec2Result<>();
  auto said = co_await say_policies(account, changed);
  if (said || !warden_->connected()) co_return Ec2Result<>();
  const bool runs = unsaid_groups_.contains(account);
  unsaid_groups_[account].insert(changed.front());
  if (!runs) tasks_.spawn("agreement on security groups", say_groups_until_done(account));
  co_return std::unexpected(said.error());
}

asio::awaitable<void> Networks::say_groups_until_done(AccountId account) {
  asio::steady_timer timer(tasks_.executor());
  for (auto pause = options_.first_retry; !unsaid_groups_[account].empty();
       pause = std::min(2 * pause, options_.last_retry)) {
    timer.expires_after(pause);
    auto [ended] = co_await timer.async_wait(asio::as_tuple(asio::use_awaitable));
    if (ended) co_return;  // the daemon stops
    // All is said to the next warden.
    if (!warden_->connected()) break;
    auto turn = co_await turns_->take(account);
    if (!turn) continue;
    const std::set<GroupId> groups = std::exchange(unsaid_groups_[account], {});
    std::vector<GroupId> changed(groups.begin(), groups.end());
    auto said = co_await say_policies(account, std::move(changed));
    if (said) continue;
    log::error("changed security groups are not in force, trying again: {}", said.error().describe());
    unsaid_groups_[account].insert(groups.begin(), groups.end());
  }
  unsaid_groups_.erase(account);
}

// ---- tags

const Tags* Networks::tags_of(const AccountId& account, const std::string& id) const {
  if (const Vpc* vpc = find_vpc(account, VpcId(id))) return &vpc->tags;
  if (const Subnet* subnet = find_subnet(account, SubnetId(id))) return &subnet->tags;
  if (const Group* group = find_group(account, GroupId(id))) return &group->tags;
  if (!id.starts_with("sgr-")) return nullptr;
  for (const auto& group : std::views::values(records_->of(account).groups))
    for (const auto& rule : group.rules)
      if (rule.id == id) return &rule.tags;
  return nullptr;
}

asio::awaitable<Ec2Result<>> Networks::change_tags(AccountId account, std::vector<std::string> ids,
                                                   std::function<void(Tags&)> change) {
  CO_TRY_ASSIGN(auto turn, co_await turns_->take(account));
  for (const auto& id : ids) {
    const Tags* tags = tags_of(account, id);
    if (tags == nullptr) co_return refuse(Kind::not_found, "InvalidID", fmt::format("The ID '{}' is not valid", id));
    Tags changed = *tags;
    change(changed);
    if (changed.size() > kMaxTags)
      co_return refuse(Kind::exhausted, "TagLimitExceeded",
                       "The maximum number of Tags for a resource has been reached.");
  }
  for (const auto& id : ids) CO_TRY(co_await change_tags_of(account, id, change));
  co_return Ec2Result<>();
}

asio::awaitable<Ec2Result<>> Networks::change_tags_of(AccountId account, std::string id,
                                                      std::function<void(Tags&)> change) {
  if (const Vpc* found = find_vpc(account, VpcId(id))) {
    Vpc vpc = *found;
    change(vpc.tags);
    CO_TRY(co_await records_->save(std::move(vpc)));
  } else if (const Subnet* place = find_subnet(account, SubnetId(id))) {
    Subnet subnet = *place;
    change(subnet.tags);
    CO_TRY(co_await records_->save(std::move(subnet)));
  } else if (const Group* whole = find_group(account, GroupId(id))) {
    Group group = *whole;
    change(group.tags);
    CO_TRY(co_await records_->save(std::move(group)));
  } else {
    for (const auto& owner : std::views::values(records_->of(account).groups)) {
      if (std::ranges::find(owner.rules, id, &GroupRule::id) == owner.rules.end()) continue;
      Group group = owner;
      change(std::ranges::find(group.rules, id, &GroupRule::id)->tags);
      CO_TRY(co_await records_->save(std::move(group)));
      break;
    }
  }
  co_return Ec2Result<>();
}

}  // namespace hearth::vpc
