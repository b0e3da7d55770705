// What Networks makes of a warden that has much to tell, or refuses.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "vpc/networks_fixture.h"

namespace hearth::vpc {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

TEST_F(Vpcs, ASubnetWhoseLastInstancesAreEndingHasDependencies) {
  auto id = vpc();
  auto place = subnet(id);
  ASSERT_TRUE(run(networks->prepare(ours, use(place, default_group(id)))));
  uses.clear();
  warden.in_use["delete_attachment"] = 1;
  EXPECT_EQ(code(run(networks->delete_subnet(ours, place))), "DependencyViolation");
  EXPECT_THAT(networks->subnets(ours), SizeIs(1));
  EXPECT_TRUE(run(networks->delete_subnet(ours, place)));
}

TEST_F(Vpcs, AResetWaitsForInstancesThatAreEnding) {
  auto id = vpc();
  auto place = subnet(id);
  ASSERT_TRUE(run(networks->prepare(ours, use(place, default_group(id)))));
  uses.clear();
  warden.in_use = {{"delete_attachment", 2}, {"delete_policy", 1}};
  EXPECT_TRUE(run(networks->reset(ours)));
  EXPECT_THAT(networks->vpcs(ours), IsEmpty());
  EXPECT_THAT(registry.records, IsEmpty());
}

TEST_F(Vpcs, AResetDoesNotWaitForEver) {
  auto id = vpc();
  auto place = subnet(id);
  ASSERT_TRUE(run(networks->prepare(ours, use(place, default_group(id)))));
  warden.in_use["delete_attachment"] = 1'000'000;
  auto reset = run(networks->reset(ours));
  ASSERT_FALSE(reset);
  EXPECT_EQ(reset.error().kind, Kind::conflict);
  EXPECT_THAT(networks->subnets(ours), SizeIs(1));
}

TEST_F(Vpcs, AChangedRuleThatIsNotInForceIsSaidAgainUntilItIs) {
  auto id = vpc();
  auto place = subnet(id);
  auto web = group(id);
  ASSERT_TRUE(run(networks->prepare(ours, use(place, web))));
  warden.failures.insert_or_assign("ensure_policy", Error{Kind::internal, "no memory"});
  EXPECT_FALSE(run(networks->add_rules(ours, web, {egress_rule("tcp", 443, "10.9.0.0/16")})));
  EXPECT_FALSE(run(networks->add_rules(ours, web, {egress_rule("tcp", 444, "10.9.0.0/16")})));
  warden.requests.clear();
  run_until([this] { return warden.requests.size() == 2; });  // tried again, and again
  warden.failures.clear();
  run_all();
  EXPECT_THAT(warden.last<warden::EnsurePolicy>().egress, SizeIs(3));
  // A function goes on meanwhile under the rules that stand.
  EXPECT_TRUE(networks->plan(ours, VpcConfig{{place}, {web}}));
  // Nothing more is said.
  warden.requests.clear();
  run_all();
  EXPECT_THAT(warden.requests, IsEmpty());
}

TEST_F(Vpcs, RulesThatNoGatewayWouldTakeAreRefusedBeforeTheyAreSaved) {
  auto id = vpc();
  // 18 functions' gateways are in the group that others' rules name: each such rule comes to 18 lines.
  auto named = group(id, "named");
  for (int i = 0; i < 18; ++i) {
    auto place = subnet(id, "10.0." + std::to_string(i) + ".0/24");
    ASSERT_TRUE(run(networks->prepare(ours, use(place, named))));
  }
  auto web = group(id);
  auto place = subnet(id, "10.0.100.0/24");
  ASSERT_TRUE(run(networks->prepare(ours, use(place, web))));
  std::vector<GroupRule> rules;
  for (int port = 1; port <= 59; ++port) {
    rules.push_back(egress_rule("tcp", port, ""));
    rules.back().referenced_group = named;
  }
  warden.ops();
  auto added = run(networks->add_rules(ours, web, rules));
  ASSERT_FALSE(added);
  EXPECT_EQ(added.error().code, "RulesPerSecurityGroupLimitExceeded");
  EXPECT_EQ(added.error().kind, Kind::invalid);
  EXPECT_EQ(networks->find_group(ours, web)->rules.size(), 1u);
  EXPECT_THAT(warden.ops(), IsEmpty());
  rules.resize(50);
  EXPECT_TRUE(run(networks->add_rules(ours, web, rules)));
}

TEST_F(Vpcs, ATieThatFailedIsTakenBackInTheKernelToo) {
  auto id = vpc();
  auto place = subnet(id);
  warden.failures.insert_or_assign("attach_vpc_vxlan", Error{Kind::timeout, "no answer"});
  EXPECT_FALSE(run(networks->attach_vxlan(ours, id, place, 42, "192.0.2.1")));
  EXPECT_THAT(warden.ops(), ElementsAre("ensure_vpc", "ensure_subnet", "attach_vpc_vxlan", "detach_vpc"));
  EXPECT_EQ(networks->find_subnet(ours, place)->vni, 0);
  // While that can't be done either, the record says what may stand.
  warden.failures.insert_or_assign("detach_vpc", Error{Kind::timeout, "no answer"});
  EXPECT_FALSE(run(networks->attach_vxlan(ours, id, place, 42, "192.0.2.1")));
  EXPECT_EQ(networks->find_subnet(ours, place)->vni, 42);
}

TEST_F(Vpcs, OneAccountHasAttachmentsAndPoliciesUpToALimit) {
  auto id = vpc();
  auto web = group(id);
  for (size_t i = 0; i < Networks::kMaxAttached; ++i) {
    auto place = subnet(id, "10.0." + std::to_string(i) + ".0/24");
    ASSERT_TRUE(run(networks->prepare(ours, use(place, web))));
  }
  auto more = subnet(id, "10.0.200.0/24");
  auto refused = networks->resolve(ours, VpcConfig{{more}, {web}});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, Kind::invalid);
  EXPECT_THAT(refused.error().message, HasSubstr("NetworkInterfaceLimitExceeded"));
  const SubnetId first = uses[ours][0].config.subnets[0];
  EXPECT_TRUE(networks->resolve(ours, VpcConfig{{first}, {web}}));
  for (size_t i = 1; i < Networks::kMaxGroupSets; ++i)
    ASSERT_TRUE(run(networks->prepare(ours, use(first, group(id, "g" + std::to_string(i))))));
  auto set = networks->resolve(ours, VpcConfig{{first}, {web, default_group(id)}});
  ASSERT_FALSE(set);
  EXPECT_THAT(set.error().message, HasSubstr("SecurityGroupsPerInterfaceLimitExceeded"));
  EXPECT_TRUE(networks->resolve(ours, VpcConfig{{first}, {web}}));
}

TEST_F(Vpcs, CountersAreOfThisVpcOnly) {
  auto id = vpc();
  auto place = subnet(id);
  auto other = subnet(vpc());
  ASSERT_TRUE(run(networks->prepare(ours, use(place, default_group(id)))));
  warden.packets = {{place.str(), 7}, {other.str(), 9}, {"outside", 3}};
  auto counters = run(networks->counters(ours, id));
  ASSERT_TRUE(counters);
  EXPECT_EQ(json::serialize(*counters), "{\"" + place.str() + "\":{\"packets\":7}}");
  EXPECT_EQ(code(run(networks->counters(theirs, id))), "InvalidVpcID.NotFound");
  auto all = run(networks->gateway_counters());
  ASSERT_TRUE(all);
  EXPECT_EQ(all->at("gateway").at("slots"), 2);
  EXPECT_THAT(all->at("attachments").as_object(), SizeIs(2));
}

TEST_F(Vpcs, CountersOfManySubnetsAreAskedForAFewAtATime) {
  auto id = vpc();
  std::vector<SubnetId> places;
  for (size_t i = 0; i < 2 * warden::kMaxStats; ++i) {
    places.push_back(subnet(id, "10.0." + std::to_string(i) + ".0/24"));
    ASSERT_TRUE(run(networks->prepare(ours, use(places.back(), default_group(id)))));
    warden.packets[places.back().str()] = 1;
  }
  auto counters = run(networks->counters(ours, id));
  ASSERT_TRUE(counters);
  EXPECT_THAT(*counters, SizeIs(places.size()));
  auto all = run(networks->gateway_counters());
  ASSERT_TRUE(all);
  EXPECT_THAT(all->at("attachments").as_object(), SizeIs(places.size()));
}

}  // namespace
}  // namespace hearth::vpc
