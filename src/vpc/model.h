// What a user's network is made of, as the registry holds it: plain values.
//
// Names and shapes follow the EC2 API. Addresses and CIDR blocks are IPv4 text in canonical form ("10.0.1.0/24").
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/result.h"

namespace hearth::vpc {

using Tags = std::map<std::string, std::string>;

struct Vpc {
  VpcId id;
  AccountId account;
  std::string cidr{};
  bool dns_support = true;
  bool dns_hostnames = false;
  std::vector<std::string> nameservers{};  // what functions in this VPC ask; none unless the operator set them
  Tags tags{};
};

struct Subnet {
  SubnetId id;
  AccountId account;
  VpcId vpc;
  std::string cidr{};
  std::string availability_zone{};
  bool public_addresses = false;  // MapPublicIpOnLaunch: stored and shown
  std::string gateway_address{};  // of the PAT gateway in this subnet; "" until a function needs one
  std::string gateway_mac{};
  std::map<std::string, std::string> hosts{};  // name → address, made by `hearth vpc host add`
  std::string bridge{};                        // tied to a host bridge, "" = not
  int64_t vlan = 0;
  int64_t vni = 0;  // tied to a VXLAN, 0 = not
  std::string vxlan_remote{};
  Tags tags{};
};

struct GroupRule {
  std::string id;  // sgr-…
  bool egress = false;
  std::string protocol;  // "tcp", "udp", "icmp", "-1", or a number
  int64_t from_port = -1;
  int64_t to_port = -1;
  std::string cidr{};          // either this
  GroupId referenced_group{};  // or this
  std::string description{};
  Tags tags{};
};

struct Group {
  GroupId id;
  AccountId account;
  VpcId vpc;
  std::string name{};
  std::string description{};
  std::vector<GroupRule> rules{};
  Tags tags{};
};

struct NetworkInterface {  // the gateway's interface in a subnet that functions use
  std::string id;          // eni-…
  SubnetId subnet;
  VpcId vpc;
  std::string availability_zone;
  std::string address;
  std::string mac;
  std::string description;
  std::vector<GroupId> groups;  // of all functions that use it
};

// A function's VpcConfig.
struct VpcConfig {
  std::vector<SubnetId> subnets;
  std::vector<GroupId> groups;
};

// One function that is attached, as the owner of functions tells it.
struct Use {
  std::string function;  // its name
  VpcConfig config;
};

// How a function's container reaches the network.
struct Plan {
  std::string attachment;  // "" = no network
  std::string policy;      // "" = all egress
  std::vector<std::string> nameservers;
};

// An Error with the code that EC2 gives it ("InvalidSubnetID.NotFound"). Where a plain Error comes up from below, the
// code follows its Kind.
struct Ec2Error : Error {
  std::string code;

  Ec2Error(Kind k, std::string ec2_code, std::string text, std::source_location place = std::source_location::current())
      : Error{k, std::move(text), 0, place}, code(std::move(ec2_code)) {}
  Ec2Error(Error error);  // NOLINT: plain failures pass through TRY
};

template <typename T = void>
using Ec2Result = std::expected<T, Ec2Error>;

inline std::unexpected<Ec2Error> refuse(Kind kind, std::string code, std::string message,
                                        std::source_location where = std::source_location::current()) {
  return std::unexpected(Ec2Error(kind, std::move(code), std::move(message), where));
}

}  // namespace hearth::vpc
