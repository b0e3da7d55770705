#include "api/ec2/service.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <regex>

#include "api/ec2/sts_service.h"
#include "vpc/fakes.h"

namespace hearth::api {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class Ec2Test : public vpc::NetworksTest {
 protected:
  Reply call(std::string body) { return call(ours, std::move(body)); }
  Reply call(const AccountId& account, std::string body) {
    Call request;
    request.request_id = "req-1";
    request.account = account;
    request.region = "us-east-1";
    request.method = "POST";
    request.path = "/";
    request.body = std::move(body);
    Ec2Service service(*networks);
    return run(service.handle(std::move(request)));
  }
  // The text of the first <name> of a reply that must be a success.
  std::string value(const std::string& name, std::string body) {
    auto reply = call(std::move(body));
    EXPECT_EQ(reply.status, 200) << reply.body;
    std::smatch found;
    if (!std::regex_search(reply.body, found, std::regex("<" + name + ">([^<]*)</" + name + ">"))) return "";
    return found[1];
  }
  std::string error(std::string body) {
    auto reply = call(std::move(body));
    std::smatch found;
    if (!std::regex_search(reply.body, found, std::regex("<Code>([^<]*)</Code>"))) return "no error: " + reply.body;
    return std::to_string(reply.status) + " " + found[1].str();
  }
  std::string vpc() { return value("vpcId", "Action=CreateVpc&CidrBlock=10.0.0.0/16"); }
};

TEST_F(Ec2Test, ReplyHasEc2sFrame) {
  auto reply = call("Action=DescribeVpcs&Version=2016-11-15");
  EXPECT_EQ(reply.content_type, "text/xml;charset=UTF-8");
  EXPECT_EQ(reply.body,
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<DescribeVpcsResponse "
            "xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\"><requestId>req-1</requestId><vpcSet></vpcSet>"
            "</DescribeVpcsResponse>");
}

TEST_F(Ec2Test, ErrorsHaveEc2sShape) {
  auto reply = call("Action=RunInstances");
  EXPECT_EQ(reply.status, 400);
  EXPECT_EQ(reply.body,
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Response><Errors><Error><Code>InvalidAction</Code><Message>"
            "The action RunInstances is not valid for this web service.</Message></Error></Errors>"
            "<RequestID>req-1</RequestID></Response>");
  EXPECT_EQ(error("Version=2016-11-15"), "400 MissingAction");
  EXPECT_EQ(error("Action=%"), "400 MalformedQueryString");
  EXPECT_EQ(error("Action=CreateVpc&CidrBlock=10.0.0.0/16&DryRun=true"), "412 DryRunOperation");
  EXPECT_EQ(error("Action=CreateVpc"), "400 MissingParameter");
  registry.broken = true;
  EXPECT_EQ(error("Action=CreateVpc&CidrBlock=10.0.0.0/16"), "500 InternalError");
}

TEST_F(Ec2Test, AWardenThatIsAwayIsUnavailable) {
  auto id = vpc();
  warden.away = true;
  EXPECT_EQ(error("Action=DeleteVpc&VpcId=" + id), "503 Unavailable");
  warden.away = false;
  EXPECT_EQ(value("return", "Action=DeleteVpc&VpcId=" + id), "true");
}

TEST_F(Ec2Test, TextIsEscaped) {
  auto reply = call(
      "Action=CreateVpc&CidrBlock=10.0.0.0/16&TagSpecification.1.ResourceType=vpc&TagSpecification.1.Tag.1.Key=%3Ca%3E"
      "&TagSpecification.1.Tag.1.Value=%22x%22%20%26%20y%0D");
  EXPECT_THAT(reply.body, HasSubstr("<key>&lt;a&gt;</key><value>&quot;x&quot; &amp; y&#13;</value>"));
  EXPECT_THAT(call("Action=%3Cscript%3E").body, AllOf(HasSubstr("&lt;script&gt;"), Not(HasSubstr("<script>"))));
}

TEST_F(Ec2Test, GetIsAsGoodAsPost) {
  Call request;
  request.account = ours;
  request.region = "us-east-1";
  request.method = "GET";
  request.query = {{"Action", "DescribeRegions"}};
  Ec2Service service(*networks);
  EXPECT_THAT(run(service.handle(request)).body, HasSubstr("<regionName>us-east-1</regionName>"));
}

TEST_F(Ec2Test, NobodySeesAnothersVpc) {
  auto id = vpc();
  EXPECT_THAT(call(theirs, "Action=DescribeVpcs").body, Not(HasSubstr(id)));
  EXPECT_THAT(call(theirs, "Action=DescribeVpcs&VpcId.1=" + id).body, HasSubstr("InvalidVpcID.NotFound"));
  EXPECT_THAT(call(theirs, "Action=DeleteVpc&VpcId=" + id).body, HasSubstr("InvalidVpcID.NotFound"));
  EXPECT_THAT(call(theirs, "Action=CreateTags&ResourceId.1=" + id + "&Tag.1.Key=a").body, HasSubstr("InvalidID"));
}

TEST_F(Ec2Test, WhatASubnetOrVpcCannotBeIsRefused) {
  auto id = vpc();
  EXPECT_EQ(error("Action=CreateVpc&CidrBlock=10.0.0.0/16&AmazonProvidedIpv6CidrBlock=true"),
            "400 UnsupportedOperation");
  EXPECT_EQ(error("Action=CreateVpc&CidrBlock=10.0.0.0/16&InstanceTenancy=dedicated"), "400 InvalidParameterValue");
  EXPECT_EQ(error("Action=CreateVpc&CidrBlock=10.0.0.0/16&TagSpecification.1.ResourceType=subnet"),
            "400 InvalidParameterValue");
  auto subnet = value("subnetId", "Action=CreateSubnet&CidrBlock=10.0.1.0/24&AvailabilityZoneId=use1-az2&VpcId=" + id);
  EXPECT_EQ(value("availabilityZone", "Action=DescribeSubnets&SubnetId.1=" + subnet), "us-east-1b");
  EXPECT_EQ(error("Action=ModifySubnetAttribute&AssignIpv6AddressOnCreation.Value=true&SubnetId=" + subnet),
            "400 UnsupportedOperation");
  EXPECT_EQ(error("Action=ModifyVpcAttribute&VpcId=" + id), "400 InvalidParameterCombination");
}

TEST_F(Ec2Test, AnAttributeThatIsNotChangedIsNotSaidToBe) {
  auto id = vpc();
  auto subnet = value("subnetId", "Action=CreateSubnet&CidrBlock=10.0.1.0/24&VpcId=" + id);
  std::string modify = "Action=ModifySubnetAttribute&SubnetId=" + subnet;
  EXPECT_EQ(error(modify), "400 MissingParameter");
  EXPECT_EQ(error(modify + "&PrivateDnsHostnameTypeOnLaunch=resource-name"), "400 UnsupportedOperation");
  EXPECT_EQ(error(modify + "&EnableLniAtDeviceIndex=1"), "400 UnsupportedOperation");
  EXPECT_EQ(error(modify + "&CustomerOwnedIpv4Pool=pool"), "400 UnsupportedOperation");
  EXPECT_EQ(value("return", modify + "&PrivateDnsHostnameTypeOnLaunch=ip-name"), "true");
  EXPECT_EQ(value("return", modify + "&EnableDns64.Value=false"), "true");
  EXPECT_EQ(value("return", modify + "&MapPublicIpOnLaunch.Value=true"), "true");
}

TEST_F(Ec2Test, TagsArePagedAndFoundByKey) {
  auto id = vpc();
  std::string create = "Action=CreateTags&ResourceId.1=" + id;
  for (int i = 0; i < 7; ++i)
    create += "&Tag." + std::to_string(i) + ".Key=%3Ck%26" + std::to_string(i) + "&Tag." + std::to_string(i) +
              ".Value=v" + std::to_string(i);
  call(create);
  auto token = value("nextToken", "Action=DescribeTags&MaxResults=5");
  ASSERT_NE(token, "");
  auto rest = call("Action=DescribeTags&MaxResults=5&NextToken=" + std::regex_replace(token, std::regex("[+]"), "%2B"));
  EXPECT_EQ(rest.status, 200) << rest.body;
  EXPECT_THAT(rest.body, AllOf(HasSubstr("v5"), HasSubstr("v6"), Not(HasSubstr("v4")), Not(HasSubstr("nextToken"))));
  auto found = call("Action=DescribeTags&Filter.1.Name=tag:%3Ck%263&Filter.1.Value.1=v3");
  EXPECT_THAT(found.body, AllOf(HasSubstr("v3"), Not(HasSubstr("v4"))));
  EXPECT_EQ(error("Action=DescribeTags&NextToken=hearth-after-%01"), "400 InvalidParameterValue");
  EXPECT_EQ(error("Action=DescribeTags&NextToken=hearth-after-!"), "400 InvalidNextToken");
}

TEST_F(Ec2Test, PortsOfTcpAndUdpAreNeverLeftOut) {
  auto id = vpc();
  auto group = value("groupId", "Action=CreateSecurityGroup&GroupName=g&GroupDescription=d&VpcId=" + id);
  std::string authorize = "Action=AuthorizeSecurityGroupEgress&GroupId=" + group +
                          "&IpPermissions.1.IpRanges.1.CidrIp=10.0.0.0/8&IpPermissions.1.IpProtocol=";
  for (std::string protocol : {"tcp", "UDP", "6", "17"}) {
    EXPECT_EQ(error(authorize + protocol), "400 InvalidParameterValue");
    EXPECT_EQ(error(authorize + protocol + "&IpPermissions.1.FromPort=80"), "400 InvalidParameterValue");
  }
  EXPECT_EQ(value("return", authorize + "tcp&IpPermissions.1.FromPort=-1&IpPermissions.1.ToPort=-1"), "true");
  EXPECT_EQ(value("return", authorize + "icmp"), "true");
}

TEST_F(Ec2Test, RulesOfOnePortAreOnePermission) {
  auto id = vpc();
  auto group = value("groupId", "Action=CreateSecurityGroup&GroupName=g&GroupDescription=d&VpcId=" + id);
  std::string rule = "&IpPermissions.1.IpProtocol=tcp&IpPermissions.1.FromPort=80&IpPermissions.1.ToPort=80";
  call("Action=AuthorizeSecurityGroupIngress&GroupId=" + group + rule +
       "&IpPermissions.1.IpRanges.1.CidrIp=10.0.0.0/8&IpPermissions.1.IpRanges.2.CidrIp=10.1.2.3/16");
  EXPECT_THAT(call("Action=DescribeSecurityGroups&GroupId.1=" + group).body,
              HasSubstr("<ipPermissions><item><ipProtocol>tcp</ipProtocol><fromPort>80</fromPort><toPort>80</toPort>"
                        "<groups></groups><ipRanges><item><cidrIp>10.0.0.0/8</cidrIp></item><item><cidrIp>10.1.0.0/16"
                        "</cidrIp></item></ipRanges><ipv6Ranges></ipv6Ranges><prefixListIds></prefixListIds></item>"
                        "</ipPermissions>"));
  EXPECT_EQ(error("Action=AuthorizeSecurityGroupIngress&GroupId=" + group + rule), "400 InvalidParameterValue");
  EXPECT_EQ(error("Action=AuthorizeSecurityGroupIngress&GroupId=" + group), "400 MissingParameter");
  EXPECT_EQ(error("Action=AuthorizeSecurityGroupIngress&GroupId=" + group + rule +
                  "&IpPermissions.1.PrefixListIds.1.PrefixListId=pl-1"),
            "400 InvalidPrefixListID.NotFound");
}

TEST_F(Ec2Test, RulesAndResourcesOfACallAreBounded) {
  auto id = vpc();
  auto group = value("groupId", "Action=CreateSecurityGroup&GroupName=g&GroupDescription=d&VpcId=" + id);
  std::string rules = "Action=AuthorizeSecurityGroupIngress&IpPermissions.1.IpProtocol=-1&GroupId=" + group;
  std::string resources = "Action=CreateTags&Tag.1.Key=a";
  for (int i = 0; i < 1001; ++i) {
    auto n = std::to_string(i);
    rules += "&IpPermissions.1.IpRanges." + n + ".CidrIp=10.0.0.0/8";
    resources += "&ResourceId." + n + "=vpc-" + n;
  }
  EXPECT_EQ(error(rules), "400 RulesPerSecurityGroupLimitExceeded");
  EXPECT_EQ(error(resources), "400 InvalidParameterValue");
}

TEST_F(Ec2Test, RefusalsOfTheFrontDoorGetEc2sCodes) {
  Ec2Service service(*networks);
  EXPECT_THAT(service.refuse(403, "InvalidSignatureException", "m", "r").body,
              HasSubstr("<Code>SignatureDoesNotMatch</Code>"));
  EXPECT_THAT(service.refuse(403, "UnrecognizedClientException", "m", "r").body, HasSubstr("<Code>AuthFailure</Code>"));
}

TEST_F(Ec2Test, StsSaysWhoAsks) {
  StsService sts;
  Call request;
  request.request_id = "req-1";
  request.account = ours;
  request.method = "POST";
  request.body = "Action=GetCallerIdentity&Version=2011-06-15";
  EXPECT_EQ(run(sts.handle(request)).body,
            "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><GetCallerIdentityResult>"
            "<Arn>arn:aws:iam::111111111111:root</Arn><UserId>111111111111</UserId><Account>111111111111</Account>"
            "</GetCallerIdentityResult><ResponseMetadata><RequestId>req-1</RequestId></ResponseMetadata>"
            "</GetCallerIdentityResponse>");
  request.body = "Action=AssumeRole";
  auto refused = run(sts.handle(request));
  EXPECT_EQ(refused.status, 400);
  EXPECT_THAT(refused.body, AllOf(HasSubstr("<Code>InvalidAction</Code>"), HasSubstr("AssumeRole")));
}

}  // namespace
}  // namespace hearth::api
