// The actions of the EC2 API that Hearth answers, one function each; service.cc names them.
//
// An action answers what stands inside its …Response element, or EC2's error. Those that change nothing are coroutines
// only for the common shape.
#pragma once

#include <boost/asio/awaitable.hpp>

#include "api/ec2/params.h"
#include "api/ec2/xml.h"
#include "vpc/networks.h"

namespace hearth::api::ec2 {

struct Request {
  AccountId account;
  std::string region;
  Param params;
};

using Answer = boost::asio::awaitable<Ec2Result<std::string>>;
using Action = Answer (*)(vpc::Networks*, Request);

// vpcs.cc
Answer create_vpc(vpc::Networks*, Request);
Answer describe_vpcs(vpc::Networks*, Request);
Answer delete_vpc(vpc::Networks*, Request);
Answer modify_vpc_attribute(vpc::Networks*, Request);
Answer describe_vpc_attribute(vpc::Networks*, Request);
// subnets.cc
Answer create_subnet(vpc::Networks*, Request);
Answer describe_subnets(vpc::Networks*, Request);
Answer delete_subnet(vpc::Networks*, Request);
Answer modify_subnet_attribute(vpc::Networks*, Request);
// groups.cc
Answer create_security_group(vpc::Networks*, Request);
Answer describe_security_groups(vpc::Networks*, Request);
Answer delete_security_group(vpc::Networks*, Request);
// rules.cc
Answer authorize_ingress(vpc::Networks*, Request);
Answer authorize_egress(vpc::Networks*, Request);
Answer revoke_ingress(vpc::Networks*, Request);
Answer revoke_egress(vpc::Networks*, Request);
Answer update_ingress_descriptions(vpc::Networks*, Request);
Answer update_egress_descriptions(vpc::Networks*, Request);
Answer describe_security_group_rules(vpc::Networks*, Request);
// interfaces.cc
Answer describe_network_interfaces(vpc::Networks*, Request);
// places.cc
Answer describe_availability_zones(vpc::Networks*, Request);
Answer describe_regions(vpc::Networks*, Request);
Answer describe_account_attributes(vpc::Networks*, Request);
// tags.cc
Answer create_tags(vpc::Networks*, Request);
Answer delete_tags(vpc::Networks*, Request);
Answer describe_tags(vpc::Networks*, Request);

// ---- shared by several

// Tags of TagSpecification.N for the resource that is made; another ResourceType is refused.
Ec2Result<vpc::Tags> read_tag_specifications(const Param& params, std::string_view resource_type);
// <tagSet>, left out when empty as EC2 does.
void write_tags(Xml& xml, const vpc::Tags& tags);

// Zones a to c of the region.
struct Zone {
  std::string name;  // "us-east-1a"
  std::string id;    // "use1-az1"
};
std::vector<Zone> zones_of(std::string_view region);
std::string zone_id_of(std::string_view region, std::string_view zone_name);

// The group that GroupId, or GroupName, names.
Ec2Result<const vpc::Group*> find_group(const vpc::Networks& networks, const Request& request);
void write_permissions(Xml& xml, const vpc::Group& group, bool egress);

// "arn:aws:ec2:REGION:ACCOUNT:TYPE/ID"
std::string arn_of(const Request& request, std::string_view type, std::string_view id);

inline std::string return_true() { return "<return>true</return>"; }

}  // namespace hearth::api::ec2
