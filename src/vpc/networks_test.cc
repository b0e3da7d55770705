#include "vpc/networks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>
#include <set>

#include "vpc/networks_fixture.h"
#include "vpc/rules.h"

namespace hearth::vpc {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;

TEST_F(Vpcs, AVpcComesWithItsDefaultGroupAndNothingAtTheWarden) {
  auto id = vpc("10.0.0.9/16");
  EXPECT_EQ(networks->find_vpc(ours, id)->cidr, "10.0.0.0/16");
  ASSERT_THAT(networks->groups(ours), SizeIs(1));
  EXPECT_EQ(networks->groups(ours)[0]->name, "default");
  EXPECT_THAT(warden.ops(), IsEmpty());
  EXPECT_EQ(networks->find_vpc(theirs, id), nullptr);
  EXPECT_THAT(networks->vpcs(theirs), IsEmpty());
}

TEST_F(Vpcs, RangesAreCheckedAsEc2Does) {
  EXPECT_EQ(code_of_vpc("10.0.0.0/15"), "InvalidVpc.Range");
  EXPECT_EQ(code_of_vpc("10.0.0.0/29"), "InvalidVpc.Range");
  EXPECT_EQ(code_of_vpc("100.100.0.0/16"), "InvalidVpc.Range");
  EXPECT_EQ(code_of_vpc("127.0.0.0/16"), "InvalidVpc.Range");
  EXPECT_EQ(code_of_vpc("224.1.0.0/16"), "InvalidVpc.Range");
  EXPECT_EQ(code_of_vpc("ten"), "InvalidParameterValue");
  auto id = vpc();
  EXPECT_EQ(code_of_subnet(id, "10.1.0.0/24"), "InvalidSubnet.Range");
  EXPECT_EQ(code_of_subnet(id, "10.0.0.0/29"), "InvalidSubnet.Range");
  subnet(id, "10.0.1.0/24");
  EXPECT_EQ(code_of_subnet(id, "10.0.1.128/25"), "InvalidSubnet.Conflict");
  EXPECT_EQ(code_of_subnet(VpcId("vpc-0"), "10.0.2.0/24"), "InvalidVpcID.NotFound");
  auto other = vpc();
  EXPECT_EQ(code_of_subnet(other, "10.0.1.0/24"), "");  // another VPC may have the same
}

TEST_F(Vpcs, LimitsHaveEc2sErrors) {
  auto first = vpc();
  for (size_t i = 1; i < Networks::kMaxVpcs; ++i) vpc();
  EXPECT_EQ(code_of_vpc("10.0.0.0/16"), "VpcLimitExceeded");
  for (size_t i = 0; i < Networks::kMaxSubnets; ++i) subnet(first, "10.0." + std::to_string(i) + ".0/24");
  EXPECT_EQ(code_of_subnet(first, "10.0.255.0/24"), "SubnetLimitExceeded");
  for (size_t i = Networks::kMaxVpcs; i < Networks::kMaxGroups; ++i) group(first, "g" + std::to_string(i));
  Networks::GroupRequest more{first, "more", "of a test", {}};
  EXPECT_EQ(code(run(networks->create_group(ours, more))), "SecurityGroupLimitExceeded");
}

TEST_F(Vpcs, WhatIsAnsweredIsThereAfterARestart) {
  auto id = vpc();
  auto place = subnet(id);
  auto web = group(id);
  ASSERT_TRUE(run(networks->add_rules(ours, web, {egress_rule("tcp", 5432, "10.0.0.0/8")})));
  ASSERT_TRUE(run(networks->add_host(ours, id, place, "db", "")));
  ASSERT_TRUE(run(networks->change_tags(ours, {place.str()}, [](Tags& tags) { tags["Name"] = "é & <x>"; })));
  load();
  ASSERT_NE(networks->find_subnet(ours, place), nullptr);
  EXPECT_EQ(networks->find_subnet(ours, place)->hosts.at("db"), "10.0.1.4");
  EXPECT_EQ(networks->find_subnet(ours, place)->tags.at("Name"), "é & <x>");
  EXPECT_THAT(networks->find_group(ours, web)->rules, SizeIs(2));
  EXPECT_THAT(networks->groups(ours), SizeIs(2));
}

TEST_F(Vpcs, AFailedWriteChangesNothing) {
  auto id = vpc();
  registry.broken = true;
  EXPECT_EQ(code_of_vpc("10.0.0.0/16"), "InternalError");
  EXPECT_EQ(code_of_subnet(id, "10.0.1.0/24"), "InternalError");
  EXPECT_THAT(networks->vpcs(ours), SizeIs(1));
  EXPECT_THAT(networks->groups(ours), SizeIs(1));
  EXPECT_THAT(networks->subnets(ours), IsEmpty());
}

TEST_F(Vpcs, PartsOfAVpcThatWasNeverWrittenAreSweptAtLoad) {
  auto id = vpc();
  subnet(id);
  registry.records.erase("vpc/" + ours.str() + "/" + id.str());
  load();
  EXPECT_THAT(networks->groups(ours), IsEmpty());
  EXPECT_THAT(registry.records, IsEmpty());
}

TEST_F(Vpcs, ResolveFindsTheVpcOrSaysItAsLambdaDoes) {
  auto id = vpc();
  auto place = subnet(id);
  auto web = group(id);
  EXPECT_EQ(*networks->resolve(ours, {{place}, {web}}), id);
  auto message = [&](const AccountId& account, VpcConfig config) {
    auto found = networks->resolve(account, config);
    return found ? "" : found.error().message;
  };
  EXPECT_EQ(message(ours, {{SubnetId("subnet-1")}, {web}}),
            "Error occurred while DescribeSubnets. EC2 Error Code: InvalidSubnetID.NotFound. EC2 Error Message: The "
            "subnet ID 'subnet-1' does not exist");
  EXPECT_EQ(message(ours, {{place}, {GroupId("sg-1")}}),
            "Error occurred while DescribeSecurityGroups. EC2 Error Code: InvalidGroup.NotFound. EC2 Error Message: "
            "The security group 'sg-1' does not exist");
  EXPECT_THAT(message(theirs, {{place}, {web}}), HasSubstr("does not exist"));
  auto other = vpc();
  EXPECT_THAT(message(ours, {{place, subnet(other)}, {web}}), HasSubstr("same VPC"));
  EXPECT_THAT(message(ours, {{place}, {group(other)}}), HasSubstr("same VPC as Subnets"));
  EXPECT_THAT(message(ours, {{place}, {}}), HasSubstr("coexist"));
  EXPECT_THAT(message(ours, {{place}, std::vector(6, web)}), HasSubstr("at most"));
}

TEST_F(Vpcs, PrepareMakesTheWayAndPlanNamesIt) {
  auto id = vpc();
  auto place = subnet(id);
  auto web = group(id);
  auto config = use(place, web);
  ASSERT_TRUE(run(networks->prepare(ours, config)));
  EXPECT_EQ(warden.last<warden::EnsureAttachment>().address, "10.0.1.4");
  EXPECT_EQ(warden.last<warden::EnsureSubnet>().cidr, "10.0.1.0/24");
  EXPECT_EQ(warden.last<warden::EnsurePolicy>().egress.at(0).cidr, "0.0.0.0/0");
  EXPECT_THAT(warden.ops(),
              ElementsAre("ensure_gateway", "ensure_vpc", "ensure_subnet", "ensure_attachment", "ensure_policy"));
  auto plan = *networks->plan(ours, config);
  EXPECT_EQ(plan.attachment, place.str());
  EXPECT_EQ(plan.policy, policy_name({web}));
  EXPECT_THAT(plan.nameservers, IsEmpty());
  load();  // the address is durable
  EXPECT_EQ(networks->plan(ours, config)->attachment, place.str());
  EXPECT_EQ(networks->find_subnet(ours, place)->gateway_mac, "02:00:00:00:00:07");
  EXPECT_EQ(networks->free_addresses(*networks->find_subnet(ours, place)), 256 - 5 - 1);
}

TEST_F(Vpcs, APathThatIsNotProvenIsNoPath) {
  auto id = vpc();
  auto config = use(subnet(id), group(id));
  warden.proven = false;
  auto prepared = run(networks->prepare(ours, config));
  ASSERT_FALSE(prepared);
  EXPECT_EQ(prepared.error().kind, Kind::unavailable);
  EXPECT_EQ(std::ranges::count(warden.ops(), "ensure_attachment"), 3);
  warden.away = true;
  EXPECT_EQ(run(networks->prepare(ours, config)).error().kind, Kind::unavailable);
}

TEST_F(Vpcs, TheOutsideHasItsAttachmentAndTheHostsNameservers) {
  resolv_conf = ::testing::TempDir() + "hearth_vpc_resolv_conf";
  std::ofstream(resolv_conf)
      << "# x\nnameserver 127.0.0.53\nnameserver\t192.0.2.1 # near\nsearch x\nnameserver fe80::1\n"
         "nameserver 192.0.2.2\nnameserver 192.0.2.3\nnameserver 192.0.2.4\nnameserver\n";
  load();
  std::remove(resolv_conf.c_str());
  ASSERT_TRUE(run(networks->prepare(ours, std::nullopt)));
  EXPECT_THAT(warden.ops(), ElementsAre("ensure_gateway", "ensure_outside"));
  auto plan = *networks->plan(ours, std::nullopt);
  EXPECT_EQ(plan.attachment, "outside");
  EXPECT_EQ(plan.policy, "");
  EXPECT_THAT(plan.nameservers, ElementsAre("192.0.2.1", "192.0.2.2", "192.0.2.3"));
}

TEST_F(Vpcs, NameserversOfAVpcAreTheOperatorsChoice) {
  auto id = vpc();
  auto config = use(subnet(id), group(id));
  ASSERT_TRUE(run(networks->prepare(ours, config)));
  Networks::VpcChange change;
  change.nameservers = {"10.0.0.2"};
  ASSERT_TRUE(run(networks->modify_vpc(ours, id, change)));
  EXPECT_THAT(networks->plan(ours, config)->nameservers, ElementsAre("10.0.0.2"));
  change.nameservers = {"10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5"};
  EXPECT_EQ(code(run(networks->modify_vpc(ours, id, change))), "InvalidParameterValue");
  change.nameservers.reset();
  change.dns_support = false;
  ASSERT_TRUE(run(networks->modify_vpc(ours, id, change)));
  EXPECT_THAT(networks->plan(ours, config)->nameservers, IsEmpty());
}

TEST_F(Vpcs, RunningFunctionsFollowTheirGroupsEgress) {
  auto id = vpc();
  auto web = group(id);
  auto config = use(subnet(id), web);
  ASSERT_TRUE(run(networks->prepare(ours, config)));
  warden.ops();
  ASSERT_TRUE(run(networks->add_rules(ours, web, {egress_rule("tcp", 443, "192.0.2.0/24")})));
  auto policy = warden.last<warden::EnsurePolicy>();
  EXPECT_EQ(policy.policy, policy_name({web}));
  EXPECT_THAT(policy.egress, SizeIs(2));
  std::vector<std::string> ids;
  for (const auto& rule : networks->find_group(ours, web)->rules) ids.push_back(rule.id);
  ASSERT_TRUE(run(networks->remove_rules(ours, web, ids)));
  EXPECT_THAT(warden.last<warden::EnsurePolicy>().egress, IsEmpty());
  warden.ops();
  auto ingress = egress_rule("tcp", 443, "192.0.2.0/24");
  ingress.egress = false;
  ASSERT_TRUE(run(networks->add_rules(ours, web, {ingress})));
  EXPECT_THAT(warden.ops(), IsEmpty());
}

TEST_F(Vpcs, EgressThatCouldNotBePutInForceIsSaid) {
  auto id = vpc();
  auto web = group(id);
  ASSERT_TRUE(run(networks->prepare(ours, use(subnet(id), web))));
  warden.failures["ensure_policy"] = Error{Kind::internal, "no room in the map"};
  EXPECT_EQ(code(run(networks->add_rules(ours, web, {egress_rule("tcp", 1, "192.0.2.0/24")}))), "InternalError");
  warden.away = true;  // then ensure_all() says it later
  EXPECT_EQ(code(run(networks->add_rules(ours, web, {egress_rule("tcp", 2, "192.0.2.0/24")}))), "");
}

TEST_F(Vpcs, AGroupThatNamesAnotherFollowsItsFunctions) {
  auto id = vpc();
  auto place = subnet(id);
  auto caller = group(id, "caller");
  auto callee = group(id, "callee");
  std::vector<std::string> all{networks->find_group(ours, caller)->rules[0].id};
  ASSERT_TRUE(run(networks->remove_rules(ours, caller, all)));
  auto rule = egress_rule("tcp", 80, "");
  rule.referenced_group = callee;
  ASSERT_TRUE(run(networks->add_rules(ours, caller, {rule})));
  ASSERT_TRUE(run(networks->prepare(ours, use(place, caller, "a"))));
  EXPECT_THAT(warden.last<warden::EnsurePolicy>().egress, IsEmpty());
  warden.ops();
  auto far = subnet(id, "10.0.2.0/24");
  ASSERT_TRUE(run(networks->prepare(ours, use(far, callee, "b"))));
  std::string reached;
  for (const auto& request : warden.requests)
    if (auto* policy = std::get_if<warden::EnsurePolicy>(&request))
      if (policy->policy == policy_name({caller})) reached = policy->egress.at(0).cidr;
  EXPECT_EQ(reached, "10.0.2.4/32");
}

TEST_F(Vpcs, RulesAreCheckedCountedAndAllOrNone) {
  auto id = vpc();
  auto web = group(id);
  auto good = egress_rule("tcp", 1, "192.0.2.0/24");
  EXPECT_EQ(code(run(networks->add_rules(ours, web, {good, good}))), "InvalidPermission.Duplicate");
  EXPECT_THAT(networks->find_group(ours, web)->rules, SizeIs(1));
  std::vector<GroupRule> many;
  for (int64_t port = 1; port < static_cast<int64_t>(Networks::kMaxRules); ++port)
    many.push_back(egress_rule("tcp", port, "192.0.2.0/24"));
  ASSERT_TRUE(run(networks->add_rules(ours, web, many)));
  EXPECT_EQ(code(run(networks->add_rules(ours, web, {egress_rule("udp", 1, "192.0.2.0/24")}))),
            "RulesPerSecurityGroupLimitExceeded");
  auto foreign = egress_rule("tcp", 9, "");
  foreign.referenced_group = group(vpc());
  EXPECT_EQ(code(run(networks->add_rules(ours, web, {foreign}))), "InvalidGroup.NotFound");
  EXPECT_EQ(code(run(networks->add_rules(theirs, web, {good}))), "InvalidGroup.NotFound");
  EXPECT_EQ(code(run(networks->remove_rules(ours, web, {"sgr-0"}))), "InvalidSecurityGroupRuleId.NotFound");
}

TEST_F(Vpcs, NothingIsDeletedUnderItsUsers) {
  auto id = vpc();
  auto place = subnet(id);
  auto web = group(id);
  auto default_group =
      networks->groups(ours)[0]->name == "default" ? networks->groups(ours)[0]->id : networks->groups(ours)[1]->id;
  EXPECT_EQ(code(run(networks->delete_group(ours, default_group))), "CannotDelete");
  ASSERT_TRUE(run(networks->prepare(ours, use(place, web))));
  EXPECT_EQ(code(run(networks->delete_subnet(ours, place))), "DependencyViolation");
  EXPECT_EQ(code(run(networks->delete_group(ours, web))), "DependencyViolation");
  EXPECT_EQ(code(run(networks->delete_vpc(ours, id))), "DependencyViolation");
  uses.clear();  // the function is deleted: no waiting for the interface
  warden.ops();
  EXPECT_EQ(code(run(networks->delete_group(ours, web))), "");
  EXPECT_EQ(code(run(networks->delete_subnet(ours, place))), "");
  EXPECT_THAT(warden.ops(), ElementsAre("delete_attachment", "delete_subnet"));
  EXPECT_EQ(code(run(networks->delete_vpc(ours, id))), "");
  EXPECT_THAT(warden.ops(), ElementsAre("delete_vpc"));
  EXPECT_THAT(registry.records, IsEmpty());
  EXPECT_EQ(code(run(networks->delete_vpc(ours, id))), "InvalidVpcID.NotFound");
}

TEST_F(Vpcs, AGroupThatAnotherNamesStays) {
  auto id = vpc();
  auto named = group(id, "named");
  auto naming = group(id, "naming");
  GroupRule rule;
  rule.protocol = "-1";
  rule.referenced_group = named;
  ASSERT_TRUE(run(networks->add_rules(ours, naming, {rule})));
  EXPECT_EQ(code(run(networks->delete_group(ours, named))), "DependencyViolation");
  EXPECT_EQ(code(run(networks->delete_group(ours, naming))), "");
  EXPECT_EQ(code(run(networks->delete_group(ours, named))), "");
}

TEST_F(Vpcs, TheKernelGoesBeforeTheRecord) {
  auto id = vpc();
  auto place = subnet(id);
  warden.away = true;
  EXPECT_EQ(code(run(networks->delete_subnet(ours, place))), "Unavailable");
  EXPECT_NE(networks->find_subnet(ours, place), nullptr);
  warden.away = false;
  warden.failures["delete_subnet"] = Error{Kind::not_found, "no such subnet"};
  EXPECT_EQ(code(run(networks->delete_subnet(ours, place))), "");
}

TEST_F(Vpcs, UnusedAttachmentsAreLetGoAfterAWhile) {
  auto id = vpc();
  auto place = subnet(id);
  auto kept = subnet(id, "10.0.2.0/24");
  auto web = group(id);
  auto other = group(id, "other");
  auto leaving = use(place, web, "leaving");
  auto staying = use(kept, other, "staying");
  ASSERT_TRUE(run(networks->prepare(ours, leaving)));
  ASSERT_TRUE(run(networks->prepare(ours, staying)));
  EXPECT_THAT(networks->interfaces(ours), SizeIs(2));
  uses[ours].erase(uses[ours].begin());
  networks->release_unused(ours);
  networks->release_unused(ours);
  EXPECT_THAT(networks->interfaces(ours), SizeIs(1));
  warden.ops();
  run_all();
  EXPECT_EQ(warden.last<warden::DeleteAttachment>().attachment, place.str());
  EXPECT_EQ(warden.last<warden::DeletePolicy>().policy, policy_name({web}));
  EXPECT_THAT(warden.ops(), ElementsAre("delete_attachment", "delete_policy"));
  EXPECT_EQ(networks->find_subnet(ours, place)->gateway_address, "");
  EXPECT_NE(networks->find_subnet(ours, kept)->gateway_address, "");
}

TEST_F(Vpcs, EnsureAllSaysWhatIsNeededAndOnlyThat) {
  auto id = vpc();
  auto used = subnet(id, "10.0.1.0/24");
  subnet(id, "10.0.2.0/24");  // nobody needs it
  auto with_host = subnet(id, "10.0.3.0/24");
  ASSERT_TRUE(run(networks->add_host(ours, id, with_host, "db", "")));
  ASSERT_TRUE(run(networks->prepare(ours, use(used, group(id)))));
  warden.ops();
  load();
  ASSERT_TRUE(run(networks->ensure_all()));
  std::set<std::string> subnets;
  for (const auto& request : warden.requests)
    if (auto* ensured = std::get_if<warden::EnsureSubnet>(&request)) subnets.insert(ensured->subnet.str());
  EXPECT_THAT(subnets, UnorderedElementsAre(used.str(), with_host.str()));
  auto ops = warden.ops();
  EXPECT_EQ(ops[0], "ensure_gateway");
  EXPECT_EQ(ops[1], "ensure_outside");
  EXPECT_EQ(std::ranges::count(ops, "ensure_policy"), 1);
  EXPECT_EQ(std::ranges::count(ops, "add_vpc_host"), 1);
  warden.failures["add_vpc_host"] = Error{Kind::conflict, "a namespace of that name exists"};
  EXPECT_EQ(run(networks->ensure_all()).error().kind, Kind::conflict);
}

TEST_F(Vpcs, EnsureAllGoesOnAfterAFailureAndLetsGoOfWhatARestartForgot) {
  auto id = vpc();
  auto place = subnet(id);
  ASSERT_TRUE(run(networks->prepare(ours, use(place, group(id)))));
  load();
  warden.failures["ensure_outside"] = Error{Kind::internal, "no route"};
  warden.ops();
  EXPECT_EQ(run(networks->ensure_all()).error().message, "no route");
  EXPECT_EQ(std::ranges::count(warden.ops(), "ensure_attachment"), 1);
  uses.clear();
  run(networks->ensure_all());
  run_all();
  EXPECT_EQ(networks->find_subnet(ours, place)->gateway_address, "");
}

TEST_F(Vpcs, WhatCouldNotBeMadeIsTriedUntilItStands) {
  auto id = vpc();
  auto place = subnet(id);
  auto other = subnet(vpc());
  auto config = use(place, group(id));
  auto unharmed = VpcConfig{{other}, {group(networks->find_subnet(ours, other)->vpc)}};
  uses[ours].push_back({"g", unharmed});
  ASSERT_TRUE(run(networks->attach_bridge(ours, id, place, "br0", 0)));
  ASSERT_TRUE(run(networks->prepare(ours, config)));
  ASSERT_TRUE(run(networks->prepare(ours, unharmed)));
  load();
  warden.failures["attach_vpc_bridge"] = Error{Kind::not_found, "no bridge br0 on this host"};
  warden.ops();
  networks->warden_connected();
  auto tries = [&] {
    return std::ranges::count_if(warden.requests, [](const warden::Request& request) {
      return std::holds_alternative<warden::AttachVpcBridge>(request);
    });
  };
  run_until([&] { return tries() == 5; });
  auto plan = networks->plan(ours, config);
  ASSERT_FALSE(plan);
  EXPECT_EQ(plan.error().kind, Kind::conflict);
  EXPECT_EQ(plan.error().message, "The function's network connection is not ready: no bridge br0 on this host");
  EXPECT_EQ(networks->plan(ours, unharmed)->attachment, other.str());
  EXPECT_TRUE(networks->plan(ours, std::nullopt));
  // What stands already is not said each time.
  EXPECT_EQ(std::ranges::count(warden.ops(), "ensure_outside"), 1);
  warden.failures.clear();
  run_until([&] { return networks->plan(ours, config).has_value(); });
  EXPECT_EQ(networks->plan(ours, config)->attachment, place.str());
  run_all();  // to the end: nothing is tried any more
  EXPECT_EQ(tasks.size(), 0u);
}

TEST_F(Vpcs, WhatNoRecordKnowsIsDeletedAtTheWarden) {
  auto id = vpc();
  auto place = subnet(id);
  auto config = use(place, group(id));
  ASSERT_TRUE(run(networks->add_host(ours, id, place, "db", "")));
  ASSERT_TRUE(run(networks->prepare(ours, config)));
  load();
  auto policy = policy_name(config.groups);
  warden.there = {{"host", {{"a-left-one", ""}, {"db", ""}}},
                  {"attachment", {{"outside", ""}, {"subnet-!", ""}, {place.str(), ""}}},
                  {"policy", {{"groups-!", ""}, {policy, ""}, {"groups-x", ""}, {"groups-y", ""}, {"groups-z", ""}}},
                  {"subnet", {{"subnet-!", "vpc-!"}, {place.str(), id.str()}}},
                  {"vpc", {{"vpc-!", ""}, {id.str(), ""}}}};
  warden.failures["delete_vpc"] = Error{Kind::conflict, "in use"};
  warden.ops();
  networks->warden_connected();
  auto count = [&](std::string_view op) {
    return std::ranges::count_if(warden.requests, [op](const auto& request) { return warden::op_name(request) == op; });
  };
  run_until([&] { return count("delete_vpc") == 3; });
  warden.failures.clear();
  warden.there["policy"] = {{policy, ""}};
  run_all();
  EXPECT_EQ(warden.last<warden::DeleteVpcHost>().name, "a-left-one");
  EXPECT_EQ(warden.last<warden::DeleteAttachment>().attachment, "subnet-!");
  EXPECT_EQ(warden.last<warden::DeleteSubnet>().vpc.str(), "vpc-!");
  EXPECT_EQ(warden.last<warden::DeleteVpc>().vpc.str(), "vpc-!");
  std::set<std::string> policies;
  for (const auto& request : warden.requests)
    if (auto* dropped = std::get_if<warden::DeletePolicy>(&request)) policies.insert(dropped->policy);
  EXPECT_THAT(policies, UnorderedElementsAre("groups-!", "groups-x", "groups-y", "groups-z"));
  EXPECT_EQ(networks->plan(ours, config)->attachment, place.str());
}

TEST_F(Vpcs, TryingEndsWithTheConnection) {
  warden.failures["ensure_outside"] = Error{Kind::internal, "no route"};
  networks->warden_connected();
  run_until([&] { return warden.requests.size() >= 6; });
  EXPECT_EQ(networks->plan(ours, std::nullopt).error().kind, Kind::conflict);
  warden.away = true;
  networks->warden_disconnected();
  warden.ops();
  run_all();
  EXPECT_THAT(warden.ops(), IsEmpty());
  EXPECT_EQ(tasks.size(), 0u);
  warden.away = false;
  warden.failures.clear();
  networks->warden_connected();
  run_all();
  EXPECT_EQ(networks->plan(ours, std::nullopt)->attachment, "outside");
}

TEST_F(Vpcs, HostsGetAddressesAndOneNameEach) {
  auto id = vpc();
  auto place = subnet(id, "10.0.1.0/28");
  auto host = run(networks->add_host(ours, id, SubnetId(), "db", ""));
  ASSERT_TRUE(host);
  EXPECT_EQ(host->address, "10.0.1.4");
  EXPECT_THAT(warden.ops(), ElementsAre("ensure_vpc", "ensure_subnet", "add_vpc_host"));
  auto add = [&](std::string name, std::string address) {
    return code(run(networks->add_host(ours, id, place, name, address)));
  };
  EXPECT_EQ(add("db", ""), "InvalidParameterValue");
  EXPECT_EQ(add("../x", ""), "InvalidParameterValue");
  EXPECT_EQ(add("b", "10.0.1.4"), "InvalidIPAddress.InUse");
  EXPECT_EQ(add("b", "10.0.1.1"), "InvalidParameterValue");
  EXPECT_EQ(add("b", "10.0.1.9"), "");
  for (int i = 0; i < 9; ++i) EXPECT_EQ(add("h" + std::to_string(i), ""), "");
  EXPECT_EQ(add("full", ""), "InsufficientFreeAddressesInSubnet");
  EXPECT_EQ(code(run(networks->delete_subnet(ours, place))), "DependencyViolation");
  EXPECT_EQ(code(run(networks->delete_host(ours, id, "b"))), "");
  EXPECT_EQ(code(run(networks->delete_host(ours, id, "b"))), "InvalidHost.NotFound");
  EXPECT_EQ(code(run(networks->add_host(theirs, id, place, "z", ""))), "InvalidVpcID.NotFound");
}

TEST_F(Vpcs, AHostThatCouldNotBeMadeIsNotKept) {
  auto id = vpc();
  auto place = subnet(id);
  warden.failures["add_vpc_host"] = Error{Kind::conflict, "a namespace of that name exists"};
  EXPECT_EQ(code(run(networks->add_host(ours, id, place, "db", ""))), "IncorrectState");
  EXPECT_THAT(networks->find_subnet(ours, place)->hosts, IsEmpty());
}

TEST_F(Vpcs, HostsPerSubnetAreBounded) {
  auto id = vpc();
  auto place = subnet(id, "10.0.0.0/16");
  for (size_t i = 0; i < Networks::kMaxHosts; ++i)
    ASSERT_TRUE(run(networks->add_host(ours, id, place, "h" + std::to_string(i), "")));
  EXPECT_EQ(code(run(networks->add_host(ours, id, place, "more", ""))), "HostLimitExceeded");
}

TEST_F(Vpcs, ASubnetIsTiedToOneRealNetwork) {
  auto id = vpc();
  auto place = subnet(id);
  EXPECT_EQ(code(run(networks->attach_bridge(ours, id, place, "br 0", 0))), "InvalidParameterValue");
  EXPECT_EQ(code(run(networks->attach_bridge(ours, id, place, "br0", 4095))), "InvalidParameterValue");
  EXPECT_EQ(code(run(networks->attach_bridge(ours, id, place, "br0", 12))), "");
  EXPECT_EQ(warden.last<warden::AttachVpcBridge>().vlan, 12);
  EXPECT_EQ(code(run(networks->attach_vxlan(ours, id, place, 5, "192.0.2.1"))), "IncorrectState");
  EXPECT_EQ(code(run(networks->detach(ours, id, place))), "");
  EXPECT_EQ(code(run(networks->attach_vxlan(ours, id, place, 0, "192.0.2.1"))), "InvalidParameterValue");
  EXPECT_EQ(code(run(networks->attach_vxlan(ours, id, place, 5, "nowhere"))), "InvalidParameterValue");
  warden.failures["attach_vpc_vxlan"] = Error{Kind::internal, "no vxlan here"};
  EXPECT_EQ(code(run(networks->attach_vxlan(ours, id, place, 5, "192.0.2.1"))), "InternalError");
  EXPECT_EQ(networks->find_subnet(ours, place)->vni, 0);
}

TEST_F(Vpcs, TagsAreCounted) {
  auto id = vpc();
  auto add = [&](int from, int to) {
    return code(run(networks->change_tags(ours, {id.str()}, [=](Tags& tags) {
      for (int i = from; i < to; ++i) tags["k" + std::to_string(i)] = "v";
    })));
  };
  EXPECT_EQ(add(0, 50), "");
  EXPECT_EQ(add(50, 51), "TagLimitExceeded");
  EXPECT_THAT(*networks->tags_of(ours, id.str()), SizeIs(50));
  EXPECT_EQ(networks->tags_of(theirs, id.str()), nullptr);
  EXPECT_EQ(code(run(networks->change_tags(ours, {"vpc-0"}, [](Tags&) {}))), "InvalidID");
}

TEST_F(Vpcs, ResetLeavesNothingOfTheAccountAndTheOthersAlone) {
  auto id = vpc();
  auto place = subnet(id);
  ASSERT_TRUE(run(networks->add_host(ours, id, place, "db", "")));
  ASSERT_TRUE(run(networks->prepare(ours, use(place, group(id)))));
  ASSERT_TRUE(run(networks->create_vpc(theirs, "10.0.0.0/16", {})));
  uses.clear();
  warden.ops();
  ASSERT_TRUE(run(networks->reset(ours)));
  EXPECT_THAT(warden.ops(),
              ElementsAre("delete_attachment", "delete_vpc_host", "delete_subnet", "delete_vpc", "delete_policy"));
  EXPECT_THAT(networks->vpcs(ours), IsEmpty());
  EXPECT_THAT(networks->groups(ours), IsEmpty());
  EXPECT_THAT(networks->vpcs(theirs), SizeIs(1));
  EXPECT_THAT(registry.records, SizeIs(2));
}

}  // namespace
}  // namespace hearth::vpc
