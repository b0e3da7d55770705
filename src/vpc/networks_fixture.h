// For tests only: Networks with short ways to make what a test is about.
#pragma once

#include <string>

#include "vpc/fakes.h"

namespace hearth::vpc {

class Vpcs : public NetworksTest {
 protected:
  VpcId vpc(std::string cidr = "10.0.0.0/16") {
    auto made = run(networks->create_vpc(ours, cidr, {}));
    EXPECT_TRUE(made) << made.error().message;
    return made->id;
  }
  SubnetId subnet(const VpcId& in, std::string cidr = "10.0.1.0/24") {
    Networks::SubnetRequest request{in, cidr, "us-east-1a", {}};
    auto made = run(networks->create_subnet(ours, request));
    EXPECT_TRUE(made) << made.error().message;
    return made->id;
  }
  GroupId group(const VpcId& in, std::string name = "web") {
    Networks::GroupRequest request{in, name, "of a test", {}};
    auto made = run(networks->create_group(ours, request));
    EXPECT_TRUE(made) << made.error().message;
    return made->id;
  }
  std::string code_of_vpc(std::string cidr) {
    auto made = run(networks->create_vpc(ours, cidr, {}));
    return made ? "" : made.error().code;
  }
  std::string code_of_subnet(const VpcId& in, std::string cidr) {
    Networks::SubnetRequest request{in, cidr, "us-east-1a", {}};
    auto made = run(networks->create_subnet(ours, request));
    return made ? "" : made.error().code;
  }
  GroupId default_group(const VpcId& in) const {
    for (const Group* each : networks->groups(ours))
      if (each->vpc == in && each->name == "default") return each->id;
    return GroupId();
  }
  // A function attached to these, as its owner tells it once it is there.
  VpcConfig use(const SubnetId& in, const GroupId& with, std::string function = "f") {
    VpcConfig config{{in}, {with}};
    uses[ours].push_back({function, config});
    return config;
  }
};

template <typename T>
std::string code(const Ec2Result<T>& result) {
  return result ? "" : result.error().code;
}

inline GroupRule egress_rule(std::string protocol, int64_t port, std::string cidr) {
  GroupRule rule;
  rule.egress = true;
  rule.protocol = std::move(protocol);
  rule.from_port = rule.to_port = port;
  rule.cidr = std::move(cidr);
  return rule;
}

}  // namespace hearth::vpc
