"""The EC2 API as its clients use it: boto3 parses every reply, filters select, errors are EC2's."""
import json
import os
import subprocess
import sys

import pytest
from botocore.exceptions import ClientError

# Tells each client the address that it comes from.
PEER_SERVER = """
import socket
listener = socket.create_server(("0.0.0.0", 7777))
print("ready", flush=True)
while True:
    client, address = listener.accept()
    client.sendall(address[0].encode())
    client.close()
"""
CALLER = """
import socket
def handler(event, context):
    try:
        with socket.create_connection((event["to"], 7777), timeout=1) as server:
            return server.recv(64).decode()
    except TimeoutError:
        return "no answer"
"""


@pytest.fixture(scope="module")
def ec2(hearth):
    return hearth.client("ec2")


def code_of(call, **parameters):
    with pytest.raises(ClientError) as caught:
        call(**parameters)
    return caught.value.response["Error"]["Code"]


def tag_specification(kind, **tags):
    return [{"ResourceType": kind, "Tags": [{"Key": k, "Value": v} for k, v in tags.items()]}]


def tcp(port, cidr="10.0.0.0/8", **more):
    return {"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "IpRanges": [{"CidrIp": cidr, **more}]}


@pytest.fixture
def network(ec2):
    """A VPC with a subnet and a group, which go away with the test."""
    vpc = ec2.create_vpc(CidrBlock="10.7.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.7.1.0/24")["Subnet"]["SubnetId"]
    group = ec2.create_security_group(GroupName="web", Description="of a test", VpcId=vpc)["GroupId"]
    yield vpc, subnet, group
    for left in ec2.describe_security_groups(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["SecurityGroups"]:
        if left["IpPermissions"] and left["GroupName"] != "default":
            ec2.revoke_security_group_ingress(GroupId=left["GroupId"], IpPermissions=left["IpPermissions"])
    for left in ec2.describe_security_groups(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["SecurityGroups"]:
        if left["GroupName"] != "default":
            ec2.delete_security_group(GroupId=left["GroupId"])
    for left in ec2.describe_subnets(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["Subnets"]:
        ec2.delete_subnet(SubnetId=left["SubnetId"])
    ec2.delete_vpc(VpcId=vpc)


def test_vpc_from_creation_to_deletion(ec2, hearth):
    made = ec2.create_vpc(CidrBlock="10.9.0.0/16", TagSpecifications=tag_specification("vpc", Name='a "b" & <c>'))["Vpc"]
    assert made["State"] == "available" and made["CidrBlock"] == "10.9.0.0/16" and not made["IsDefault"]
    assert made["CidrBlockAssociationSet"][0]["CidrBlockState"]["State"] == "associated"
    ec2.get_waiter("vpc_available").wait(VpcIds=[made["VpcId"]])
    shown = ec2.describe_vpcs(VpcIds=[made["VpcId"]])["Vpcs"][0]
    assert shown == made and shown["Tags"] == [{"Key": "Name", "Value": 'a "b" & <c>'}]
    assert ec2.describe_vpc_attribute(VpcId=made["VpcId"], Attribute="enableDnsSupport")["EnableDnsSupport"]["Value"]
    ec2.modify_vpc_attribute(VpcId=made["VpcId"], EnableDnsHostnames={"Value": True})
    hostnames = ec2.describe_vpc_attribute(VpcId=made["VpcId"], Attribute="enableDnsHostnames")
    assert hostnames["EnableDnsHostnames"]["Value"]
    default, = ec2.describe_security_groups(Filters=[{"Name": "vpc-id", "Values": [made["VpcId"]]}])["SecurityGroups"]
    assert default["GroupName"] == "default" and default["IpPermissionsEgress"][0]["IpProtocol"] == "-1"
    assert code_of(ec2.delete_security_group, GroupId=default["GroupId"]) == "CannotDelete"
    ec2.delete_vpc(VpcId=made["VpcId"])
    assert code_of(ec2.describe_vpcs, VpcIds=[made["VpcId"]]) == "InvalidVpcID.NotFound"


def test_subnet_shape_and_errors(ec2, network):
    vpc, subnet, _ = network
    shown = ec2.describe_subnets(SubnetIds=[subnet])["Subnets"][0]
    assert shown["AvailableIpAddressCount"] == 251 and shown["VpcId"] == vpc
    assert shown["AvailabilityZone"].endswith("a") and shown["SubnetArn"].endswith(":subnet/" + subnet)
    ec2.get_waiter("subnet_available").wait(SubnetIds=[subnet])
    ec2.modify_subnet_attribute(SubnetId=subnet, MapPublicIpOnLaunch={"Value": True})
    assert ec2.describe_subnets(SubnetIds=[subnet])["Subnets"][0]["MapPublicIpOnLaunch"] is True
    assert code_of(ec2.create_subnet, VpcId=vpc, CidrBlock="10.7.1.128/25") == "InvalidSubnet.Conflict"
    assert code_of(ec2.create_subnet, VpcId=vpc, CidrBlock="10.8.1.0/24") == "InvalidSubnet.Range"
    assert code_of(ec2.create_subnet, VpcId="vpc-00000000", CidrBlock="10.8.1.0/24") == "InvalidVpcID.NotFound"
    assert code_of(ec2.create_subnet, VpcId=vpc, CidrBlock="10.7.2.0/24",
                   AvailabilityZone="moon-1a") == "InvalidParameterValue"
    assert code_of(ec2.delete_vpc, VpcId=vpc) == "DependencyViolation"


def test_filters_select(ec2, network):
    vpc, subnet, group = network
    other = ec2.create_subnet(VpcId=vpc, CidrBlock="10.7.2.0/24",
                              TagSpecifications=tag_specification("subnet", Name="blue-2", Team="x"))["Subnet"]["SubnetId"]

    def found(*filters):
        filters = [{"Name": n, "Values": v} for n, v in filters] + [{"Name": "vpc-id", "Values": [vpc]}]
        return [s["SubnetId"] for s in ec2.describe_subnets(Filters=filters)["Subnets"]]

    assert sorted(found()) == sorted([subnet, other])
    assert found(("tag:Name", ["blue*"])) == [other]
    assert found(("tag:Name", ["blue-?"])) == [other]
    assert found(("tag:Name", ["blue"])) == []
    assert found(("tag-key", ["Team"])) == [other]
    assert found(("cidr-block", ["10.7.1.0/24", "10.9.9.0/24"])) == [subnet]
    assert found(("cidr-block", ["10.7.1.0/24"]), ("tag-key", ["Team"])) == []
    assert code_of(ec2.describe_subnets, Filters=[{"Name": "colour", "Values": ["x"]}]) == "InvalidParameterValue"
    groups = ec2.describe_security_groups(Filters=[{"Name": "group-name", "Values": ["web"]},
                                                   {"Name": "vpc-id", "Values": [vpc]}])["SecurityGroups"]
    assert [g["GroupId"] for g in groups] == [group]


def test_pages(ec2, network):
    vpc, _, _ = network
    for i in range(10, 19):
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.7.{i}.0/24")
    pages = list(ec2.get_paginator("describe_subnets").paginate(
        Filters=[{"Name": "vpc-id", "Values": [vpc]}], PaginationConfig={"PageSize": 5}))
    assert [len(p["Subnets"]) for p in pages] == [5, 5]
    assert len({s["SubnetId"] for p in pages for s in p["Subnets"]}) == 10
    assert code_of(ec2.describe_subnets, MaxResults=5, NextToken="made up") == "InvalidNextToken"
    assert code_of(ec2.describe_subnets, MaxResults=5, SubnetIds=["subnet-1"]) == "InvalidParameterCombination"


def test_rules(ec2, network):
    vpc, _, group = network
    made = ec2.authorize_security_group_ingress(
        GroupId=group, IpPermissions=[tcp(80, Description="web"), tcp(443), {
            "IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "Ipv6Ranges": [{"CidrIpv6": "2001:db8::/32"}],
            "UserIdGroupPairs": [{"GroupId": group}]}],
        TagSpecifications=tag_specification("security-group-rule", Why="test"))
    assert made["Return"] and len(made["SecurityGroupRules"]) == 4
    shown = ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"][0]
    web = next(p for p in shown["IpPermissions"] if p["FromPort"] == 80)
    assert web["IpRanges"] == [{"CidrIp": "10.0.0.0/8", "Description": "web"}]
    assert web["Ipv6Ranges"] == [{"CidrIpv6": "2001:db8::/32"}]
    assert web["UserIdGroupPairs"][0]["GroupId"] == group
    assert code_of(ec2.authorize_security_group_ingress, GroupId=group,
                   IpPermissions=[tcp(80)]) == "InvalidPermission.Duplicate"
    rules = ec2.describe_security_group_rules(Filters=[{"Name": "group-id", "Values": [group]}])["SecurityGroupRules"]
    assert sorted(r["IsEgress"] for r in rules) == [False] * 4 + [True]
    assert {t["Value"] for r in rules if not r["IsEgress"] for t in r["Tags"]} == {"test"}
    ec2.update_security_group_rule_descriptions_ingress(GroupId=group, IpPermissions=[tcp(80, Description="new")])
    web_rule = next(r for r in rules if r.get("Description") == "web")
    again = ec2.describe_security_group_rules(SecurityGroupRuleIds=[web_rule["SecurityGroupRuleId"]])
    assert again["SecurityGroupRules"][0]["Description"] == "new"
    revoked = ec2.revoke_security_group_ingress(GroupId=group, SecurityGroupRuleIds=[web_rule["SecurityGroupRuleId"]])
    assert revoked["RevokedSecurityGroupRules"][0]["CidrIpv4"] == "10.0.0.0/8"
    ec2.revoke_security_group_ingress(GroupId=group, IpPermissions=[tcp(443)])
    assert code_of(ec2.revoke_security_group_ingress, GroupId=group,
                   IpPermissions=[tcp(443)]) == "InvalidPermission.NotFound"
    everything = [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]
    ec2.revoke_security_group_egress(GroupId=group, IpPermissions=everything)
    assert ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"][0]["IpPermissionsEgress"] == []
    ec2.authorize_security_group_egress(GroupId=group, IpPermissions=everything)
    ec2.authorize_security_group_ingress(GroupId=group, IpProtocol="udp", FromPort=53, ToPort=53, CidrIp="10.0.0.0/8")
    assert code_of(ec2.authorize_security_group_ingress, GroupId=group,
                   IpPermissions=[tcp(80, "10.0.0.0/33")]) == "InvalidParameterValue"


def test_tags(ec2, network):
    vpc, subnet, group = network
    ec2.create_tags(Resources=[vpc, subnet, group], Tags=[{"Key": "Name", "Value": "x"}, {"Key": "Empty", "Value": ""}])
    tags = ec2.describe_tags(Filters=[{"Name": "resource-id", "Values": [vpc, group]}])["Tags"]
    assert {(t["ResourceType"], t["Key"], t["Value"]) for t in tags} == {
        ("vpc", "Name", "x"), ("vpc", "Empty", ""), ("security-group", "Name", "x"), ("security-group", "Empty", "")}
    ec2.delete_tags(Resources=[vpc], Tags=[{"Key": "Name", "Value": "other"}, {"Key": "Empty"}])
    left = ec2.describe_tags(Filters=[{"Name": "resource-id", "Values": [vpc]}])["Tags"]
    assert [(t["Key"], t["Value"]) for t in left] == [("Name", "x")]
    ec2.create_tags(Resources=[subnet], Tags=[{"Key": f"k&{i}", "Value": str(i)} for i in range(12)])
    pages = list(ec2.get_paginator("describe_tags").paginate(
        Filters=[{"Name": "resource-id", "Values": [subnet]}], PaginationConfig={"PageSize": 5}))
    assert [len(page["Tags"]) for page in pages] == [5, 5, 4]
    found = ec2.describe_tags(Filters=[{"Name": "tag:k&7", "Values": ["7"]}])["Tags"]
    assert [(t["ResourceId"], t["Key"], t["Value"]) for t in found] == [(subnet, "k&7", "7")]
    assert code_of(ec2.create_tags, Resources=["vpc-0123"], Tags=[{"Key": "a", "Value": "b"}]) == "InvalidID"
    assert code_of(ec2.create_tags, Resources=[vpc],
                   Tags=[{"Key": "aws:x", "Value": "b"}]) == "InvalidParameterValue"


def test_places(ec2):
    zones = ec2.describe_availability_zones()["AvailabilityZones"]
    assert len(zones) == 3 and all(z["State"] == "available" for z in zones)
    by_name = ec2.describe_availability_zones(ZoneNames=[zones[1]["ZoneName"]])["AvailabilityZones"]
    assert [z["ZoneId"] for z in by_name] == [zones[1]["ZoneId"]]
    assert ec2.describe_regions()["Regions"][0]["RegionName"] == ec2.meta.region_name
    attributes = {a["AttributeName"]: a["AttributeValues"][0]["AttributeValue"]
                  for a in ec2.describe_account_attributes()["AccountAttributes"]}
    assert attributes["supported-platforms"] == "VPC"


def test_dry_run_and_unknown_actions(ec2):
    before = len(ec2.describe_vpcs()["Vpcs"])
    assert code_of(ec2.create_vpc, CidrBlock="10.0.0.0/16", DryRun=True) == "DryRunOperation"
    assert len(ec2.describe_vpcs()["Vpcs"]) == before
    with pytest.raises(ClientError, match="RunInstances") as caught:
        ec2.run_instances(MinCount=1, MaxCount=1)
    assert caught.value.response["Error"]["Code"] == "InvalidAction"


def test_aws_cli_reads_the_replies(ec2, network):
    vpc, subnet, _ = network
    credentials = ec2._get_credentials().get_frozen_credentials()
    environment = {**os.environ, "AWS_ACCESS_KEY_ID": credentials.access_key,
                   "AWS_SECRET_ACCESS_KEY": credentials.secret_key, "AWS_DEFAULT_REGION": ec2.meta.region_name}
    command = [os.path.join(os.path.dirname(sys.executable), "aws"), "--endpoint-url", ec2.meta.endpoint_url,
               "--output", "json", "ec2", "describe-subnets", "--filters", f"Name=vpc-id,Values={vpc}"]
    reply = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert reply.returncode == 0, reply.stderr
    assert [s["SubnetId"] for s in json.loads(reply.stdout)["Subnets"]] == [subnet]


def test_the_gateways_interface_is_there_while_a_function_uses_the_subnet(ec2, network, lambda_client, make_function):
    vpc, subnet, group = network
    in_vpc = [{"Name": "vpc-id", "Values": [vpc]}]
    assert ec2.describe_network_interfaces(Filters=in_vpc)["NetworkInterfaces"] == []
    name = make_function("def handler(event, context):\n    return 1\n",
                         VpcConfig={"SubnetIds": [subnet], "SecurityGroupIds": [group]})
    interface, = ec2.describe_network_interfaces(Filters=in_vpc)["NetworkInterfaces"]
    assert interface["PrivateIpAddress"] == "10.7.1.4" and interface["SubnetId"] == subnet
    assert interface["RequesterManaged"] and interface["Groups"] == [{"GroupId": group, "GroupName": "web"}]
    assert interface["Description"].startswith("AWS Lambda VPC ENI-") and interface["InterfaceType"] == "lambda"
    assert code_of(ec2.delete_subnet, SubnetId=subnet) == "DependencyViolation"
    assert code_of(ec2.delete_security_group, GroupId=group) == "DependencyViolation"
    lambda_client.delete_function(FunctionName=name)
    assert ec2.describe_network_interfaces(Filters=in_vpc)["NetworkInterfaces"] == []


@pytest.fixture
def host(hearth, network):
    """A host of the VPC with a server on port 7777: its address."""
    vpc, subnet, _ = network
    name = f"{hearth.name}peer"
    hearth.hearth("vpc", "host", "add", vpc, subnet, name)
    server = subprocess.Popen(["ip", "netns", "exec", name, sys.executable, "-c", PEER_SERVER], stdout=subprocess.PIPE)
    try:
        assert server.stdout.readline() == b"ready\n"
        yield "10.7.1.4"
    finally:
        server.kill()
        server.wait()
        hearth.hearth("vpc", "host", "remove", name)


def test_egress_rules_are_in_force_when_their_call_answers(ec2, network, host, lambda_client, make_function):
    _, subnet, group = network
    name = make_function(CALLER, VpcConfig={"SubnetIds": [subnet], "SecurityGroupIds": [group]})

    def call():
        reply = lambda_client.invoke(FunctionName=name, Payload=json.dumps({"to": host}))
        return json.loads(reply["Payload"].read())

    assert call() == "10.7.1.5"  # the gateway's address, not the container's
    ec2.revoke_security_group_egress(
        GroupId=group, IpPermissions=[{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}])
    assert call() == "no answer"
    ec2.authorize_security_group_egress(GroupId=group, IpPermissions=[tcp(7777, host + "/32")])
    assert call() == "10.7.1.5"
    ec2.revoke_security_group_egress(GroupId=group, IpPermissions=[tcp(7777, host + "/32")])
    ec2.authorize_security_group_egress(GroupId=group, IpPermissions=[tcp(7778, host + "/32")])
    assert call() == "no answer"
    lambda_client.delete_function(FunctionName=name)
