#include "api/ec2/service.h"

#include <fmt/format.h>

#include <map>

#include "api/ec2/actions.h"

namespace hearth::api {
namespace {

namespace asio = boost::asio;

constexpr std::string_view kContentType = "text/xml;charset=UTF-8";
constexpr std::string_view kNamespace = "http://ec2.amazonaws.com/doc/2016-11-15/";
constexpr std::string_view kHead = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";

const std::map<std::string_view, ec2::Action>& actions() {
  static const std::map<std::string_view, ec2::Action> table{
      {"AuthorizeSecurityGroupEgress", ec2::authorize_egress},
      {"AuthorizeSecurityGroupIngress", ec2::authorize_ingress},
      {"CreateSecurityGroup", ec2::create_security_group},
      {"CreateSubnet", ec2::create_subnet},
      {"CreateTags", ec2::create_tags},
      {"CreateVpc", ec2::create_vpc},
      {"DeleteSecurityGroup", ec2::delete_security_group},
      {"DeleteSubnet", ec2::delete_subnet},
      {"DeleteTags", ec2::delete_tags},
      {"DeleteVpc", ec2::delete_vpc},
      {"DescribeAccountAttributes", ec2::describe_account_attributes},
      {"DescribeAvailabilityZones", ec2::describe_availability_zones},
      {"DescribeNetworkInterfaces", ec2::describe_network_interfaces},
      {"DescribeRegions", ec2::describe_regions},
      {"DescribeSecurityGroupRules", ec2::describe_security_group_rules},
      {"DescribeSecurityGroups", ec2::describe_security_groups},
      {"DescribeSubnets", ec2::describe_subnets},
      {"DescribeTags", ec2::describe_tags},
      {"DescribeVpcAttribute", ec2::describe_vpc_attribute},
      {"DescribeVpcs", ec2::describe_vpcs},
      {"ModifySubnetAttribute", ec2::modify_subnet_attribute},
      {"ModifyVpcAttribute", ec2::modify_vpc_attribute},
      {"RevokeSecurityGroupEgress", ec2::revoke_egress},
      {"RevokeSecurityGroupIngress", ec2::revoke_ingress},
      {"UpdateSecurityGroupRuleDescriptionsEgress", ec2::update_egress_descriptions},
      {"UpdateSecurityGroupRuleDescriptionsIngress", ec2::update_ingress_descriptions}};
  return table;
}

Reply error_reply(int status, std::string_view code, std::string_view message, std::string_view request_id) {
  ec2::Xml xml;
  xml.open("Response");
  xml.open("Errors");
  xml.open("Error");
  xml.element("Code", code);
  xml.element("Message", message);
  xml.close();
  xml.close();
  xml.element("RequestID", request_id);
  xml.close();
  Reply reply;
  reply.status = status;
  reply.content_type = kContentType;
  reply.body = std::string(kHead) + xml.take();
  return reply;
}

int status_of(const ec2::Ec2Error& error) {
  if (error.code == "DryRunOperation") return 412;
  switch (error.kind) {
    case Kind::internal:
      return 500;
    case Kind::unavailable:
    case Kind::timeout:
      return 503;
    case Kind::denied:
      return 403;
    case Kind::exhausted:
      return error.code == "RequestLimitExceeded" ? 503 : 400;
    case Kind::invalid:
    case Kind::not_found:
    case Kind::conflict:
      return 400;
  }
  return 500;
}

ec2::Answer run(vpc::Networks* networks, Call call, std::string* name) {
  CO_TRY_ASSIGN(ec2::Param params, ec2::Param::parse(call.query, call.method == "POST" ? call.body : ""));
  *name = params["Action"].text();
  if (name->empty())
    co_return vpc::refuse(Kind::invalid, "MissingAction", "The request must contain the parameter Action");
  auto action = actions().find(*name);
  if (action == actions().end())
    co_return vpc::refuse(Kind::invalid, "InvalidAction",
                          fmt::format("The action {} is not valid for this web service.", *name));
  CO_TRY_ASSIGN(bool dry_run, params["DryRun"].flag("DryRun", false));
  if (dry_run)
    co_return vpc::refuse(Kind::invalid, "DryRunOperation", "Request would have succeeded, but DryRun flag is set.");
  ec2::Request request{std::move(call.account), std::move(call.region), std::move(params)};
  co_return co_await action->second(networks, std::move(request));
}

}  // namespace

asio::awaitable<Reply> Ec2Service::handle(Call call) {
  std::string request_id = call.request_id;
  std::string name;
  auto answer = co_await run(&networks_, std::move(call), &name);
  if (!answer)
    co_return error_reply(status_of(answer.error()), answer.error().code, answer.error().message, request_id);
  Reply reply;
  reply.content_type = kContentType;
  reply.body = fmt::format("{}<{}Response xmlns=\"{}\"><requestId>", kHead, name, kNamespace);
  ec2::Xml::escape(request_id, reply.body);
  reply.body += fmt::format("</requestId>{}</{}Response>", *answer, name);
  co_return reply;
}

// The front door's codes are those of the JSON services; EC2 has its own for the same failures.
Reply Ec2Service::refuse(int status, std::string_view code, std::string_view message,
                         std::string_view request_id) const {
  if (code == "InvalidSignatureException")
    code = "SignatureDoesNotMatch";
  else if (code == "UnrecognizedClientException" || code == "InvalidClientTokenId")
    code = "AuthFailure";
  else if (code.ends_with("Exception"))
    code.remove_suffix(std::string_view("Exception").size());
  return error_reply(status, code, message, request_id);
}

}  // namespace hearth::api
