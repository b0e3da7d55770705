// Security group rules: how they are checked and compared, and what a set of groups lets out.
//
// The function network is IPv4 and carries TCP, UDP and ICMP: rules about anything else (IPv6 ranges, other protocols)
// are kept and shown, and let nothing out. A function takes no connections, so ingress rules say only what the user
// wrote down. A group that a rule names stands for the gateway's addresses of the functions in that group.
#pragma once

#include <string>
#include <vector>

#include "vpc/model.h"
#include "vpc/records.h"
#include "warden/protocol.h"

namespace hearth::vpc {

// Brings a rule into the form it is kept in (protocol by name, canonical range, ports of "-1") or refuses it.
Ec2Result<> normalize(GroupRule& rule);

// Is it TCP or UDP, by name or number?
bool has_ports(const std::string& protocol);

// Do both let the same through? Descriptions, tags and ids don't count.
bool same_permission(const GroupRule& a, const GroupRule& b);

// "peer: 0.0.0.0/0, TCP, from port: 80, to port: 80, ALLOW", as EC2 names a rule in its errors.
std::string describe(const GroupRule& rule);

// The same for the same set of groups, in whatever order, for ever.
std::string policy_name(std::vector<GroupId> groups);

// What functions with all of these groups may reach, each line once. Exhausted over warden::kMaxRules.
Result<std::vector<warden::EgressRule>> egress_of(const std::vector<GroupId>& groups, const Records::Account& records,
                                                  const std::vector<NetworkInterface>& interfaces);

}  // namespace hearth::vpc
