// What Networks makes of a warden that has much to tell, or refuses.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "vpc/networks_fixture.h"

namespace hearth::vpc {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

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
