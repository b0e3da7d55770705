// Networks: VPCs, subnets, security groups and the gateway's interfaces in them; durable records, kept in agreement
// with the warden.
//
// Memory holds all records (loaded at start); every change is in the registry before it is seen. What exists in the
// kernel follows the records: ensure_all() says all of it to the warden, after each (re)connection.
// Every look-up names the account: nobody sees another's. Names and errors follow the EC2 API; `code` of an Ec2Error is
// EC2's ("InvalidSubnetID.NotFound").
//
// Owned by the loop's thread.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/ids.h"
#include "base/result.h"
#include "base/task_group.h"
#include "store/registry.h"
#include "warden_client/client.h"

namespace hearth::vpc {

// How a function's container reaches the network.
struct Plan {
  std::string attachment;
  std::string policy;
  std::vector<std::string> nameservers;
};

using Tags = std::map<std::string, std::string>;

struct Vpc {
  VpcId id;
  AccountId account;
  std::string cidr;
  Tags tags;
};

struct Subnet {
  SubnetId id;
  AccountId account;
  VpcId vpc;
  std::string cidr;
  std::string availability_zone;
  std::string gateway_address;            // of the PAT gateway in this subnet; "" until a function needs one
  std::string gateway_mac;
  std::map<std::string, std::string> hosts;  // name → address, made by `hearth vpc host add`
  std::string bridge;                     // tied to a host bridge, "" = not
  int64_t vlan = 0;
  int64_t vni = 0;                        // tied to a VXLAN, 0 = not
  std::string vxlan_remote;
  Tags tags;
};

struct GroupRule {
  std::string id;        // sgr-…
  bool egress = false;
  std::string protocol;  // "tcp", "udp", "icmp", "-1", or a number
  int64_t from_port = -1;
  int64_t to_port = -1;
  std::string cidr;          // either this
  GroupId referenced_group;  // or this
  std::string description;
  Tags tags;
};

struct Group {
  GroupId id;
  AccountId account;
  VpcId vpc;
  std::string name;
  std::string description;
  std::vector<GroupRule> rules;
  Tags tags;
};

struct NetworkInterface {  // the gateway's interface in a subnet that functions use
  std::string id;          // eni-…
  SubnetId subnet;
  VpcId vpc;
  std::string address;
  std::string mac;
};

}  // namespace hearth::vpc
