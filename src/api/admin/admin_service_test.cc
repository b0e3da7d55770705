#include "api/admin/admin_service.h"

#include <gtest/gtest.h>

#include "api/admin/log_routes.h"
#include "api/admin/world_under_test.h"

namespace hearth::api::admin {
namespace {

constexpr const char* kOther = "111122223333";

TEST(AdminService, ServesTheOperatorOnly) {
  World world;
  Call call;
  call.method = "GET";
  call.path = "/_hearth/v1/status";
  Reply reply = world.run(world.service->handle(call));
  EXPECT_EQ(reply.status, 403);
  EXPECT_NE(reply.body.find(R"("error":"AccessDenied")"), std::string::npos);
  EXPECT_EQ(world.service->refuse(413, "RequestTooLarge", "no", "id").body,
            R"({"error":"RequestTooLarge","message":"no"})");
  EXPECT_EQ(world.service->body_limit("POST", "/").bytes, kMaxBody);
}

TEST(Overview, TellsStatusAndConfiguration) {
  World world;
  world.functions.counts[AccountId("000000000000")] = 3;
  json::value status = world.get("status");
  EXPECT_EQ(status.at("functions"), 3);
  EXPECT_EQ(status.at("accounts"), 1);
  EXPECT_EQ(status.at("warden").at("connected"), true);
  EXPECT_EQ(status.at("pool").at("warm"), 4);
  EXPECT_EQ(world.get("config").at("items").as_array().size(), world.config.items().size());
  EXPECT_EQ(world.told("GET", "pool", "", {{"x", "1"}}), "400 query parameter x is not known here");
}

TEST(Overview, ListsInvocationsOfOneAccountNewestFirst) {
  World world;
  for (const char* id : {"3", "2", "1"}) {
    runtime::InvocationRecord record;
    record.request_id = id;
    record.function = {AccountId("000000000000"), id == std::string("2") ? "two" : "one"};
    record.start = runtime::Start::pool_hit;
    record.phases.import = 1'500'000;
    world.invoker.records.push_back(record);
  }
  world.invoker.records[0].function.account = AccountId(kOther);
  json::value all = world.get("invocations").at("invocations");
  ASSERT_EQ(all.as_array().size(), 2u);
  EXPECT_EQ(all.at(0).at("request_id"), "2");
  EXPECT_EQ(all.at(0).at("start"), "pool_hit");
  EXPECT_EQ(json::serialize(all.at(0).at("phases_ms")), R"({"import":1.5E0})");
  EXPECT_EQ(world.get("invocations", {{"limit", "1"}}).at("invocations").as_array().size(), 1u);
  EXPECT_EQ(world.get("invocations", {{"function", "one"}}).at("invocations").at(0).at("request_id"), "1");
  EXPECT_EQ(world.get("invocations", {{"account", kOther}}).at("invocations").at(0).at("request_id"), "3");
  EXPECT_EQ(world.told("GET", "invocations", "", {{"limit", "1001"}}),
            "400 limit must be an integer between 1 and 1000");
}

TEST(AccountRoutes, CreatesGivesKeysAndDeletesWhatIsEmpty) {
  World world;
  json::value made = json::parse(world.send("POST", "accounts", R"({"account":"111122223333"})").body);
  EXPECT_EQ(made.at("account"), kOther);
  EXPECT_EQ(made.at("endpoint"), "http://127.0.0.1:9120");
  EXPECT_EQ(world.get("accounts/111122223333/credentials").at("access_key_id"), made.at("access_key_id"));
  json::value fresh = json::parse(world.send("POST", "accounts/111122223333/keys").body);
  EXPECT_NE(fresh.at("access_key_id"), made.at("access_key_id"));
  EXPECT_EQ(world.get("accounts/111122223333/credentials").at("access_key_id"), fresh.at("access_key_id"));
  EXPECT_EQ(world.get("accounts").at("accounts").as_array().size(), 2u);

  world.functions.counts[AccountId(kOther)] = 2;
  EXPECT_EQ(world.told("DELETE", "accounts/111122223333"),
            "409 account 111122223333 is not empty: 2 functions, 0 VPCs");
  world.functions.counts.clear();
  EXPECT_EQ(world.told("DELETE", "accounts/111122223333"), "200 {}");
  EXPECT_EQ(world.told("DELETE", "accounts/111122223333"), "404 there is no account 111122223333");
}

TEST(AccountRoutes, RefusesBadNumbersDoublesAndTheDefaultAccountsEnd) {
  World world;
  EXPECT_EQ(world.told("POST", "accounts", R"({"account":"12"})"), "400 account '12' is not 12 digits");
  EXPECT_EQ(world.told("POST", "accounts", R"({})"), "400 body.account is missing");
  EXPECT_EQ(world.told("POST", "accounts", R"({"account":"111122223333","x":1})"), "400 body.x is not known");
  EXPECT_EQ(world.send("POST", "accounts", R"({"account":"000000000000"})").status, 409);
  EXPECT_EQ(world.send("DELETE", "accounts/000000000000").status, 409);
}

TEST(RuntimeRoutes, AliasesWhatIsNotInstalledToWhatIs) {
  World world;
  EXPECT_EQ(world.send("PUT", "runtimes/aliases/python3.13", R"({"target":"python3.11"})").status, 200);
  EXPECT_EQ(*world.runtimes->resolve("python3.13"), "python3.11");
  EXPECT_EQ(json::serialize(world.get("runtimes").at("runtimes")),
            R"([{"runtime":"python3.11","installed":true},)"
            R"({"runtime":"python3.13","alias_of":"python3.11","origin":"operator","installed":true},)"
            R"({"runtime":"python3.9","alias_of":"python3.11","origin":"configuration","installed":true}])");
  EXPECT_EQ(world.told("PUT", "runtimes/aliases/a", R"({"target":"ruby3.3"})"),
            "400 Runtime ruby3.3 is not installed here");
  EXPECT_EQ(world.told("PUT", "runtimes/aliases/a", R"({"to":"b"})"), "400 body.target is missing");
  EXPECT_EQ(world.told("DELETE", "runtimes/aliases/python3.13"), "200 {}");
  EXPECT_EQ(world.send("DELETE", "runtimes/aliases/python3.13").status, 404);
}

std::string texts(const json::value& page) {
  std::string all;
  for (const auto& line : page.at("lines").as_array()) all += std::string(line.at("text").as_string()) + ";";
  return all;
}

class LogRoutesTest : public testing::Test {
 protected:
  void write(const std::string& text) { (*world_.logs->sink(key_))->write("request", "function", text); }

  World world_;
  runtime::FunctionKey key_{AccountId("000000000000"), "f"};
  const std::string path_ = "logs/000000000000/f";
};

TEST_F(LogRoutesTest, GivesTheLastLines) {
  for (const char* text : {"one", "two", "three"}) write(text);
  json::value page = world_.get(path_, {{"tail", "2"}});
  EXPECT_EQ(texts(page), "two;three;");
  EXPECT_EQ(page.at("lines").at(0).at("request_id"), "request");
  EXPECT_EQ(page.as_object().if_contains("next"), nullptr);
}

TEST_F(LogRoutesTest, FollowsFromTheEndWithoutLossOrDoubles) {
  write("one");
  json::value page = world_.get(path_, {{"tail", "5"}, {"follow", "true"}});
  EXPECT_EQ(texts(page), "one;");
  std::string next(page.at("next").as_string());
  EXPECT_EQ(texts(world_.get(path_, {{"after", next}})), "");
  write("two");
  write("three");
  EXPECT_EQ(texts(world_.get(path_, {{"after", next}, {"wait_ms", "20000"}})), "two;three;");

  asio::steady_timer later(world_.loop, std::chrono::milliseconds(20));
  later.async_wait([this](boost::system::error_code) { write("four"); });
  EXPECT_EQ(texts(world_.get(path_, {{"after", next}, {"wait_ms", "20000"}})), "four;");
  EXPECT_EQ(world_.send("GET", "logs/000000000000/other", "", {{"after", next}}).status, 404);
  EXPECT_EQ(world_.send("GET", path_, "", {{"after", "guessed"}}).status, 404);
}

TEST_F(LogRoutesTest, DropsTheOldestLinesOfAReaderThatIsTooSlow) {
  json::value page = world_.get(path_, {{"follow", "true"}});
  for (size_t line = 0; line < LogFollows::kMaxLines + 3; ++line) write(std::to_string(line));
  json::value rest = world_.get(path_, {{"after", std::string(page.at("next").as_string())}});
  EXPECT_EQ(rest.at("lines").as_array().size(), LogFollows::kMaxLines);
  EXPECT_EQ(rest.at("lines").at(0).at("text"), "3");
  EXPECT_EQ(rest.at("dropped"), 3);
}

TEST_F(LogRoutesTest, LimitsFollowsAndForgetsThoseNobodyAsksAbout) {
  for (size_t i = 0; i < LogFollows::kMaxFollows; ++i) world_.get(path_, {{"follow", "true"}});
  EXPECT_EQ(world_.send("GET", path_, "", {{"follow", "true"}}).status, 429);
  world_.clock.ahead += LogFollows::kForget + std::chrono::seconds(1);
  EXPECT_EQ(world_.send("GET", path_, "", {{"follow", "true"}}).status, 200);
}

TEST(LogRoutes, RefusesWhatIsOverItsLimits) {
  World world;
  EXPECT_EQ(world.told("GET", "logs/1/f"), "400 account '1' is not 12 digits");
  EXPECT_EQ(world.told("GET", "logs/000000000000/f", "", {{"tail", "10001"}}),
            "400 tail must be an integer between 0 and 10000");
  EXPECT_EQ(world.told("GET", "logs/000000000000/f", "", {{"wait_ms", "20001"}}),
            "400 wait_ms must be an integer between 0 and 20000");
  EXPECT_EQ(world.told("GET", "logs/000000000000/f", "", {{"follow", "yes"}}), "400 follow must be true or left out");
}

class VpcRoutesTest : public testing::Test {
 protected:
  VpcRoutesTest() {
    auto vpc = world_.run(world_.networks->create_vpc(account_, "10.0.0.0/16", {{"Name", "blue"}}));
    vpc_ = vpc->id.str();
    vpc::Networks::SubnetRequest request{vpc->id, "10.0.1.0/24", "", {}};
    auto subnet = world_.run(world_.networks->create_subnet(account_, request));
    subnet_ = subnet ? subnet->id.str() : subnet.error().message;
  }

  // As a function in the subnet does: only then there is something to count.
  void attach() {
    GroupId group;
    for (const auto* each : world_.networks->groups(account_)) {
      if (each->vpc.str() == vpc_ && each->name == "default") group = each->id;
    }
    auto ready = world_.run(world_.networks->prepare(account_, vpc::VpcConfig{{SubnetId(subnet_)}, {group}}));
    ASSERT_TRUE(ready) << ready.error().message;
  }

  World world_;
  AccountId account_{"000000000000"};
  std::string vpc_;
  std::string subnet_;
};

TEST_F(VpcRoutesTest, ShowsWhereItIsAttachedItsHostsAndCounters) {
  attach();
  world_.warden.counters = {{"attachments", json::object{{subnet_, json::object{{"packets", 5}}}}}};
  json::value host = json::parse(
      world_.send("POST", "vpcs/" + vpc_ + "/hosts", R"({"name":"db","subnet":")" + subnet_ + R"("})").body);
  EXPECT_EQ(host.at("namespace"), "db");
  EXPECT_EQ(world_.told("PUT", "vpcs/" + vpc_ + "/attachment", R"({"bridge":"br0","vlan":7})"), "200 {}");
  json::value shown = world_.get("vpcs/" + vpc_);
  EXPECT_EQ(shown.at("tags").at("Name"), "blue");
  const json::value& subnet = shown.at("subnets").at(0);
  EXPECT_EQ(subnet.at("hosts").at(0).at("address"), host.at("address"));
  EXPECT_EQ(json::serialize(subnet.at("attached")), R"({"bridge":"br0","vlan":7})");
  EXPECT_EQ(json::serialize(subnet.at("counters")), R"({"packets":5})");

  EXPECT_EQ(world_.told("DELETE", "vpcs/" + vpc_ + "/attachment"), "200 {}");
  EXPECT_EQ(world_.told("DELETE", "hosts/db"), "200 {}");
  EXPECT_EQ(world_.told("DELETE", "hosts/db"), "404 there is no host db");
  json::value listed = world_.get("vpcs").at("vpcs").at(0);
  EXPECT_EQ(listed.at("vpc").as_string(), vpc_);
  EXPECT_EQ(listed.at("subnets").at(0).as_object().if_contains("attached"), nullptr);
}

TEST_F(VpcRoutesTest, IsShownWithoutCountersWhileTheWardenIsAway) {
  attach();
  world_.warden.away = true;
  json::value shown = world_.get("vpcs/" + vpc_);
  EXPECT_EQ(shown.at("counters_error"), "hearth-warden is away");
  EXPECT_EQ(shown.at("subnets").as_array().size(), 1u);
}

TEST_F(VpcRoutesTest, RefusesWhatFitsNoAttachment) {
  const std::string path = "vpcs/" + vpc_ + "/attachment";
  EXPECT_EQ(world_.told("PUT", path, "{}"), "400 body must hold either bridge or vxlan");
  EXPECT_EQ(world_.told("PUT", path, R"({"bridge":"b","vxlan":1,"remote":"192.0.2.1"})"),
            "400 body must hold either bridge or vxlan");
  EXPECT_EQ(world_.told("PUT", path, R"({"bridge":"b","vlan":4095})"), "400 body.vlan must be between 0 and 4094");
  EXPECT_EQ(world_.told("PUT", path, R"({"vxlan":16777216,"remote":"192.0.2.1"})"),
            "400 body.vxlan must be between 1 and 16777215");
  EXPECT_EQ(world_.told("PUT", path, R"({"vxlan":1})"), "400 body.remote goes with vxlan, which needs it");
  EXPECT_EQ(world_.told("PUT", path, R"({"bridge":"b","remote":"192.0.2.1"})"),
            "400 body.remote goes with vxlan, which needs it");
  EXPECT_EQ(world_.told("PUT", path, R"({"vxlan":1,"vlan":2,"remote":"192.0.2.1"})"),
            "400 body.vlan goes with bridge only");
  for (const std::string remote :
       {"nowhere", "192.0.2.256", "2001:db8::1", "0.0.0.0", "224.0.0.1", "255.255.255.255"}) {
    EXPECT_EQ(world_.told("PUT", path, R"({"vxlan":1,"remote":")" + remote + R"("})"),
              "400 body.remote must be the IPv4 address of a host, not '" + remote + "'");
  }
  EXPECT_EQ(world_.told("PUT", "vpcs/vpc-0/attachment", R"({"bridge":"b"})"), "404 there is no VPC vpc-0");
  EXPECT_EQ(world_.send("POST", "vpcs/" + vpc_ + "/hosts", R"({"name":"db","subnet":"subnet-0"})").status, 404);
}

}  // namespace
}  // namespace hearth::api::admin
