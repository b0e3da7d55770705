#include "warden/protocol.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hearth::warden {
namespace {

using ::testing::HasSubstr;

const std::string kContainer = "c0123456789abcdef";
const std::string kDigest(64, 'a');

json::object bind_object() {
  RequestFrame frame{7, Bind{.container = ContainerId(kContainer),
                             .package = PackageDigest(kDigest),
                             .layers = {PackageDigest(std::string(64, 'b'))},
                             .memory_mib = 256,
                             .tmp_mib = 1024,
                             .attachment = "subnet-1",
                             .policy = "sg-1",
                             .nameservers = {"10.0.0.2"},
                             .start = R"({"version":1})"}};
  return json::parse(encode(frame)).as_object();
}

std::string request(std::string_view op, std::string_view fields) {
  return R"({"id":1,"op":")" + std::string(op) + "\"" + (fields.empty() ? "" : ",") + std::string(fields) + "}";
}

void expect_refused(const std::string& datagram, const std::string& reason) {
  std::optional<int64_t> id;
  auto decoded = decode_request(datagram, &id);
  ASSERT_FALSE(decoded.has_value()) << datagram;
  EXPECT_EQ(decoded.error().kind, Kind::invalid) << datagram;
  EXPECT_THAT(decoded.error().message, HasSubstr(reason)) << datagram;
}

void expect_accepted(const std::string& datagram) {
  auto decoded = decode_request(datagram);
  EXPECT_TRUE(decoded.has_value()) << datagram << ": " << (decoded ? "" : decoded.error().message);
}

TEST(Protocol, BindKeepsAllFields) {
  auto decoded = decode_request(json::serialize(bind_object()));
  ASSERT_TRUE(decoded.has_value()) << decoded.error().message;
  EXPECT_EQ(decoded->id, 7);
  EXPECT_EQ(op_name(decoded->request), "bind");
  const auto& bind = std::get<Bind>(decoded->request);
  EXPECT_EQ(bind.container.str(), kContainer);
  EXPECT_EQ(bind.package.str(), kDigest);
  EXPECT_EQ(bind.layers, std::vector{PackageDigest(std::string(64, 'b'))});
  EXPECT_EQ(bind.memory_mib, 256);
  EXPECT_EQ(bind.tmp_mib, 1024);
  EXPECT_EQ(bind.attachment, "subnet-1");
  EXPECT_EQ(bind.policy, "sg-1");
  EXPECT_EQ(bind.nameservers, std::vector<std::string>{"10.0.0.2"});
  EXPECT_EQ(bind.start, R"({"version":1})");
}

TEST(Protocol, EveryRequestSurvivesTheWire) {
  EnsurePolicy policy{"sg-1", {{"tcp", 443, 443, "10.0.0.0/8"}, {"icmp", -1, -1, "0.0.0.0/0"}}};
  std::vector<Request> requests = {
      Hello{},
      ListContainers{},
      MakeContainer{"python3.11"},
      AdoptContainer{ContainerId(kContainer)},
      Kill{ContainerId(kContainer)},
      Freeze{ContainerId(kContainer), false},
      EnsureGateway{GatewayId("gw-0"), "netns"},
      EnsureVpc{VpcId("vpc-1")},
      EnsureSubnet{VpcId("vpc-1"), SubnetId("subnet-1"), "10.0.1.0/24"},
      DeleteVpc{VpcId("vpc-1")},
      DeleteSubnet{VpcId("vpc-1"), SubnetId("subnet-1")},
      EnsureAttachment{GatewayId("gw-0"), "subnet-1", VpcId("vpc-1"), SubnetId("subnet-1"), "10.0.1.5"},
      EnsureOutside{GatewayId("gw-0")},
      DeleteAttachment{"subnet-1"},
      policy,
      DeletePolicy{"sg-1"},
      AddVpcHost{VpcId("vpc-1"), SubnetId("subnet-1"), "db", "10.0.1.9"},
      DeleteVpcHost{"db"},
      AttachVpcBridge{VpcId("vpc-1"), SubnetId("subnet-1"), "br0", 4094},
      AttachVpcVxlan{VpcId("vpc-1"), SubnetId("subnet-1"), 42, "192.0.2.1"},
      DetachVpc{VpcId("vpc-1"), SubnetId("subnet-1")},
      ListNetwork{"policy", "groups-1"},
      GatewayStats{GatewayId("gw-0"), {"outside", "subnet-1"}},
      TakeBlocks{GatewayId("gw-0"), 3, 4},
  };
  for (const Request& original : requests) {
    std::string wire = encode(RequestFrame{3, original});
    auto decoded = decode_request(wire);
    ASSERT_TRUE(decoded.has_value()) << wire << ": " << decoded.error().message;
    EXPECT_EQ(decoded->request.index(), original.index()) << wire;
    EXPECT_EQ(encode(*decoded), wire);
  }
}

TEST(Protocol, EveryReplySurvivesTheWire) {
  ListContainersReply list{{{ContainerId(kContainer), "python3.11", ContainerState::bound},
                            {ContainerId("cfedcba9876543210"), "provided", ContainerState::warm}}};
  BlockChange change{"given", 1'764'000'000'000, "subnet-1", "vpc-1", "10.0.0.4", "100.64.1.0", 1024, 64};
  std::vector<Reply> replies = {Done{},
                                HelloReply{1, {"python3.11", "provided"}, "v1"},
                                list,
                                ContainerReply{ContainerId(kContainer), "100.64.0.7"},
                                BindReply{1, 2, 3, 4},
                                AttachmentReply{12, "02:00:00:00:00:01", "10.0.1.5", true},
                                ListNetworkReply{{{"subnet-1", "vpc-1"}, {"groups-1", ""}}, true},
                                GatewayStatsReply{{{"gateway", json::object{{"sessions", 3}}}}},
                                TakeBlocksReply{1, 2, {change}}};
  for (const Reply& original : replies) {
    std::string wire = encode(ReplyFrame{9, original});
    auto decoded = decode_server_frame(wire);
    ASSERT_TRUE(decoded.has_value()) << wire << ": " << decoded.error().message;
    const auto& frame = std::get<ReplyFrame>(*decoded);
    EXPECT_EQ(frame.id, 9);
    ASSERT_TRUE(frame.reply.has_value());
    EXPECT_EQ(frame.reply->index(), original.index()) << wire;
    EXPECT_EQ(encode(frame), wire);
  }
}

TEST(Protocol, NetworksAreListedByKindAndPage) {
  expect_accepted(request("list_network", R"("kind":"vpc","after":"")"));
  expect_refused(request("list_network", R"("kind":"container","after":"")"), "kind must be one of");
  expect_refused(request("list_network", R"("kind":"vpc","after":"../x")"), "after is not a name");
  expect_refused(request("list_network", R"("kind":"vpc")"), "after");
}

TEST(Protocol, AReplyHoldsSoManyChangesOfBlocksAndNoMore) {
  const std::string longest(kMaxName, 'n');
  TakeBlocksReply reply;
  reply.changes.assign(kMaxChanges, {"standing", std::numeric_limits<int64_t>::max(), longest, longest,
                                     "255.255.255.255", "255.255.255.255", 65535, 4'294'967'295});
  std::string wire = encode(ReplyFrame{std::numeric_limits<int64_t>::max(), reply});
  EXPECT_LE(wire.size(), kMaxMessage);
  EXPECT_TRUE(decode_server_frame(wire));
  reply.changes.emplace_back(reply.changes.back());
  EXPECT_FALSE(decode_server_frame(encode(ReplyFrame{1, reply})));
}

TEST(Protocol, TheFullestPageOfNamesFitsAndNoMore) {
  ListNetworkReply page;
  page.names.assign(kMaxListed, {std::string(kMaxName, 'n'), std::string(kMaxName, 'v')});
  std::string wire = encode(ReplyFrame{std::numeric_limits<int64_t>::max(), page});
  EXPECT_LE(wire.size(), kMaxMessage);
  EXPECT_TRUE(decode_server_frame(wire));
  page.names.push_back({"one-more", ""});
  EXPECT_FALSE(decode_server_frame(encode(ReplyFrame{1, page})));
}

TEST(Protocol, ErrorReplyKeepsKindAndMessage) {
  std::string wire = encode(ReplyFrame{4, fail(Kind::conflict, "container is not warm")});
  auto decoded = decode_server_frame(wire);
  ASSERT_TRUE(decoded.has_value());
  const auto& frame = std::get<ReplyFrame>(*decoded);
  ASSERT_FALSE(frame.reply.has_value());
  EXPECT_EQ(frame.reply.error().kind, Kind::conflict);
  EXPECT_EQ(frame.reply.error().message, "container is not warm");
}

TEST(Protocol, ErrorReplySaysTheKernelsReason) {
  auto decoded = decode_server_frame(encode(ReplyFrame{4, fail_errno("make veth s1", EOPNOTSUPP)}));
  ASSERT_TRUE(decoded.has_value());
  EXPECT_EQ(std::get<ReplyFrame>(*decoded).reply.error().message, "make veth s1: Operation not supported");
}

TEST(Protocol, LongErrorMessageIsCut) {
  auto decoded = decode_server_frame(encode(ReplyFrame{4, fail(Kind::internal, std::string(kMaxErrorText + 1, 'x'))}));
  ASSERT_TRUE(decoded.has_value());
  EXPECT_EQ(std::get<ReplyFrame>(*decoded).reply.error().message.size(), kMaxErrorText);
}

TEST(Protocol, NoCharacterIsCutInTwo) {
  std::string text = std::string(kMaxErrorText - 1, 'x') + "\xc3\xa4";
  auto decoded = decode_server_frame(encode(ReplyFrame{4, fail(Kind::internal, text)}));
  ASSERT_TRUE(decoded.has_value()) << decoded.error().message;
  EXPECT_EQ(std::get<ReplyFrame>(*decoded).reply.error().message.size(), kMaxErrorText - 1);
}

TEST(Protocol, EventKeepsAllFields) {
  auto decoded = decode_server_frame(encode(ContainerGone{ContainerId(kContainer), "signaled", 9, true}));
  ASSERT_TRUE(decoded.has_value()) << decoded.error().message;
  const auto& gone = std::get<ContainerGone>(*decoded);
  EXPECT_EQ(gone.container.str(), kContainer);
  EXPECT_EQ(gone.cause, "signaled");
  EXPECT_EQ(gone.code, 9);
  EXPECT_TRUE(gone.out_of_memory);
}

TEST(Protocol, RefusedRequestStillNamesItsId) {
  std::optional<int64_t> id;
  EXPECT_FALSE(decode_request(R"({"id":12,"op":"format_disk"})", &id).has_value());
  EXPECT_EQ(id, 12);
  id.reset();
  EXPECT_FALSE(decode_request(R"({"op":"kill"})", &id).has_value());
  EXPECT_FALSE(id.has_value());
}

TEST(Protocol, RefusesWhatIsNoRequest) {
  expect_refused("", "not JSON");
  expect_refused("[]", "must be an object");
  expect_refused(R"({"id":-1,"op":"hello","version":1})", "request.id");
  expect_refused(R"({"id":1,"op":"hello","version":1,"extra":1})", "request.extra is not known");
  expect_refused(R"({"id":1,"op":"bind"})", "request.container is missing");
  std::string padded = request("list_containers", "");
  padded.insert(padded.size() - 1, std::string(kMaxMessage, ' '));
  expect_refused(padded, "is over");
}

struct BadField {
  std::string key;
  json::value value;

  BadField(std::string field, json::value bad) : key(std::move(field)), value(std::move(bad)) {}
};

TEST(Protocol, BindRefusesEveryFieldOutOfShape) {
  json::array many_layers, many_servers;
  for (size_t i = 0; i <= kMaxLayers; ++i) many_layers.emplace_back(kDigest);
  for (size_t i = 0; i <= kMaxNameservers; ++i) many_servers.emplace_back("10.0.0.2");
  const std::vector<BadField> cases = {
      {"container", "c0123456789abcdeg"},
      {"container", "x0123456789abcdef"},
      {"container", "c0123456789abcde"},
      {"container", "c0123456789ABCDEF"},
      {"container", "c0123456789abcdef0"},
      {"container", 1},
      {"package", json::string("../" + std::string(61, 'a'))},
      {"package", json::string(std::string(63, 'a'))},
      {"package", json::string(std::string(64, 'A'))},
      {"layers", many_layers},
      {"layers", json::array{"nothex"}},
      {"layers", "x"},
      {"memory_mib", 127},
      {"memory_mib", 10241},
      {"memory_mib", 128.5},
      {"tmp_mib", 511},
      {"tmp_mib", 10241},
      {"attachment", "../etc"},
      {"attachment", ".."},
      {"attachment", json::string(std::string(kMaxName + 1, 'a'))},
      {"policy", "a/b"},
      {"nameservers", many_servers},
      {"nameservers", json::array{"10.0.0"}},
      {"nameservers", json::array{"10.0.0.1\n"}},
      {"start", json::string(std::string(kMaxStart + 1, 'x'))},
  };
  for (const auto& bad : cases) {
    json::object object = bind_object();
    object[bad.key] = bad.value;
    expect_refused(json::serialize(object), "request." + bad.key);
  }
  json::object largest = bind_object();
  largest["start"] = std::string(kMaxStart, 'x');
  largest["attachment"] = "";
  largest["policy"] = "";
  expect_accepted(json::serialize(largest));
}

TEST(Protocol, NamesAreOneToSixtyFourSafeCharacters) {
  auto vpc = [](const std::string& name) { return request("ensure_vpc", R"("vpc":")" + name + "\""); };
  expect_accepted(vpc("vpc-0123456789abcdef0"));
  expect_accepted(vpc(std::string(kMaxName, 'a')));
  expect_accepted(vpc("A._-z"));
  for (const std::string& bad : {std::string(), std::string(kMaxName + 1, 'a'), std::string("."), std::string("-x"),
                                 std::string("a b"), std::string("a/b"), std::string("a\\u0000b"), std::string("ä")}) {
    expect_refused(vpc(bad), "request.vpc");
  }
}

TEST(Protocol, RangesAndAddressesAreChecked) {
  auto subnet = [](const std::string& cidr) {
    return request("ensure_subnet", R"("vpc":"v","subnet":"s","cidr":")" + cidr + "\"");
  };
  expect_accepted(subnet("10.0.0.0/16"));
  expect_accepted(subnet("0.0.0.0/0"));
  for (const std::string& bad : {"10.0.0.0", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/08", "10.0.0.0/-1", "10.0.0/8",
                                 "x/8", "10.0.0.0/100", "fe80::/10"}) {
    expect_refused(subnet(bad), "request.cidr");
  }
  expect_refused(request("add_vpc_host", R"("vpc":"v","subnet":"s","name":"h","address":"300.1.1.1")"),
                 "request.address");
}

TEST(Protocol, NumbersOfTheNetworkOpsAreBounded) {
  auto bridge = [](const std::string& name, int vlan) {
    return request("attach_vpc_bridge",
                   R"("vpc":"v","subnet":"s","bridge":")" + name + R"(","vlan":)" + std::to_string(vlan));
  };
  expect_accepted(bridge(std::string(kMaxInterface, 'b'), 4094));
  expect_refused(bridge(std::string(kMaxInterface + 1, 'b'), 1), "request.bridge");
  expect_refused(bridge("br0", 4095), "request.vlan");
  expect_refused(bridge("br0", -1), "request.vlan");
  auto vxlan = [](int64_t vni) {
    return request("attach_vpc_vxlan", R"("vpc":"v","subnet":"s","remote":"192.0.2.1","vni":)" + std::to_string(vni));
  };
  expect_accepted(vxlan(16'777'215));
  expect_refused(vxlan(0), "request.vni");
  expect_refused(vxlan(16'777'216), "request.vni");
  expect_refused(request("ensure_gateway", R"("gateway":"gw","driver":"docker")"), "request.driver");
  expect_refused(request("freeze", R"("container":"c0123456789abcdef")"), "request.frozen");
}

TEST(Protocol, PolicyRulesAreBoundedAndChecked) {
  auto policy = [](const EgressRule& rule, size_t count) {
    return encode(RequestFrame{1, EnsurePolicy{"sg", std::vector<EgressRule>(count, rule)}});
  };
  EgressRule longest{"icmp", 65535, 65535, "255.255.255.255/32"};
  std::string full = policy(longest, kMaxRules);
  EXPECT_LE(full.size(), kMaxMessage);
  expect_accepted(full);
  expect_refused(policy(longest, kMaxRules + 1), "request.egress");
  expect_refused(policy({"sctp", 0, 1, "0.0.0.0/0"}, 1), "request.egress.protocol");
  expect_refused(policy({"tcp", 0, 65536, "0.0.0.0/0"}, 1), "request.egress.to_port");
  expect_refused(policy({"tcp", -2, 1, "0.0.0.0/0"}, 1), "request.egress.from_port");
  expect_refused(policy({"tcp", 0, 1, "0.0.0.0"}, 1), "request.egress.cidr");
}

TEST(Protocol, AFullListOfContainersFitsOneDatagram) {
  ListContainersReply list;
  for (size_t i = 0; i < kMaxContainers; ++i) {
    list.containers.push_back({ContainerId("c" + random_hex(16)), "provided.al2023", ContainerState::bound});
  }
  std::string wire = encode(ReplyFrame{1, list});
  EXPECT_LE(wire.size(), kMaxMessage);
  auto decoded = decode_server_frame(wire);
  ASSERT_TRUE(decoded.has_value()) << decoded.error().message;
  EXPECT_EQ(std::get<ListContainersReply>(*std::get<ReplyFrame>(*decoded).reply).containers.size(), kMaxContainers);
  list.containers.push_back({ContainerId(kContainer), "provided.al2023", ContainerState::bound});
  EXPECT_FALSE(decode_server_frame(encode(ReplyFrame{1, list})).has_value());
}

TEST(Protocol, RefusesWhatNoWardenSends) {
  for (
      const std::string& bad :
      {R"({})", R"({"id":1})", R"({"id":1,"reply":"done"})", R"({"id":1,"reply":"x","ok":{}})",
       R"({"id":1,"reply":"done","ok":{"more":1}})", R"({"event":"rain"})", R"({"id":1,"error":{"kind":"internal"}})",
       R"({"event":"container_gone","container":"c0123456789abcdef","cause":"bored","code":0,"out_of_memory":false})"}) {
    auto decoded = decode_server_frame(bad);
    ASSERT_FALSE(decoded.has_value()) << bad;
    EXPECT_EQ(decoded.error().kind, Kind::invalid) << bad;
  }
}

}  // namespace
}  // namespace hearth::warden
