#include "api/lambda/account_calls.h"

#include "api/lambda/fakes_test.h"

namespace hearth::api::lambda {
namespace {

class AccountCallsTest : public LambdaTest {
 protected:
  void SetUp() override { make("hello"); }
  Reply reserve(const std::string& name, int64_t count) {
    return send("PUT", "/2017-10-31/functions/" + name + "/concurrency",
                json::serialize(json::object{{"ReservedConcurrentExecutions", count}}));
  }
  std::string tags_path_ = "/2017-03-31/tags/arn%3Aaws%3Alambda%3Aus-east-1%3A000000000000%3Afunction%3Ahello";
};

TEST_F(AccountCallsTest, concurrency_is_reserved_and_given_back) {
  const std::string get = "/2019-09-30/functions/hello/concurrency";
  EXPECT_EQ(send("GET", get).body, "{}");
  EXPECT_EQ(parsed(reserve("hello", 0)).at("ReservedConcurrentExecutions"), 0);
  EXPECT_EQ(parsed(send("GET", get)).at("ReservedConcurrentExecutions"), 0);
  EXPECT_EQ(parsed(send("GET", "/2015-03-31/functions/hello")).at("Concurrency").at("ReservedConcurrentExecutions"), 0);
  EXPECT_EQ(send("DELETE", "/2017-10-31/functions/hello/concurrency").status, 204);
  EXPECT_EQ(send("GET", get).body, "{}");
}

TEST_F(AccountCallsTest, a_reservation_leaves_the_others_their_minimum) {
  make("other");
  ASSERT_EQ(reserve("other", 400).status, 200);
  EXPECT_EQ(reserve("hello", 500).status, 200);
  EXPECT_EQ(
      verdict(reserve("hello", 501)),
      "400 InvalidParameterValueException Specified ReservedConcurrentExecutions for function decreases account's "
      "UnreservedConcurrentExecution below its minimum value of [100].");
  EXPECT_EQ(reserve("hello", -1).status, 400);
  EXPECT_EQ(verdict(send("PUT", "/2017-10-31/functions/hello/concurrency",
                         R"({"ReservedConcurrentExecutions":18446744073709551615})")),
            "400 SerializationException 'reservedConcurrentExecutions' must be an integer");
  auto settings = parsed(send("GET", "/2016-08-19/account-settings/"));
  EXPECT_EQ(settings.at("AccountLimit").at("ConcurrentExecutions"), 1000);
  EXPECT_EQ(settings.at("AccountLimit").at("UnreservedConcurrentExecutions"), 100);
  EXPECT_EQ(settings.at("AccountUsage").at("FunctionCount"), 2);
  EXPECT_EQ(settings.at("AccountUsage").at("TotalCodeSize"), 12);
}

TEST_F(AccountCallsTest, reservations_and_tags_that_race_keep_to_the_limits) {
  make("other");
  auto put = [&](const std::string& name) {
    return service_.handle(
        request("PUT", "/2017-10-31/functions/" + name + "/concurrency", R"({"ReservedConcurrentExecutions":600})"));
  };
  std::vector<boost::asio::awaitable<Reply>> calls;
  calls.push_back(put("hello"));
  calls.push_back(put("other"));
  auto replies = run_all(std::move(calls));
  EXPECT_EQ(replies[0].status, 200);
  EXPECT_EQ(replies[1].status, 400);
  calls.clear();
  for (const char* prefix : {"a", "b"}) {
    json::object tags;
    for (size_t i = 0; i < kMaxTags / 2 + 1; ++i) tags[prefix + std::to_string(i)] = "v";
    calls.push_back(service_.handle(request("POST", tags_path_, json::serialize(json::object{{"Tags", tags}}))));
  }
  replies = run_all(std::move(calls));
  EXPECT_EQ(replies[0].status, 204);
  EXPECT_EQ(verdict(replies[1]), "400 InvalidParameterValueException Number of tags exceeds resource tag limit.");
  EXPECT_EQ(functions_.all.at({kAccount, "hello"}).tags.size(), kMaxTags / 2 + 1);
}

TEST_F(AccountCallsTest, tags_are_added_listed_and_taken_away) {
  EXPECT_EQ(send("POST", tags_path_, R"({"Tags":{"a":"1","b":"2"}})").status, 204);
  EXPECT_EQ(send("POST", tags_path_, R"({"Tags":{"b":"3"}})").status, 204);
  EXPECT_EQ(send("GET", tags_path_).body, R"({"Tags":{"a":"1","b":"3"}})");
  EXPECT_EQ(send("DELETE", tags_path_, "", {{"tagKeys", "a"}, {"tagKeys", "none"}}).status, 204);
  EXPECT_EQ(send("GET", tags_path_).body, R"({"Tags":{"b":"3"}})");
  EXPECT_EQ(parsed(send("GET", "/2015-03-31/functions/hello")).at("Tags").at("b"), "3");
}

TEST_F(AccountCallsTest, tags_have_limits) {
  auto tag = [&](json::object tags) {
    return verdict(send("POST", tags_path_, json::serialize(json::object{{"Tags", std::move(tags)}})));
  };
  json::object most;
  for (size_t i = 0; i < kMaxTags; ++i) most["key" + std::to_string(i)] = "v";
  std::string accents;
  for (size_t i = 0; i < kMaxTagKey; ++i) accents += "\xc3\xa9";
  most[accents] = accents + accents;
  most.erase("key0");
  EXPECT_EQ(tag(most), "ok");
  EXPECT_EQ(tag({{"one more", "v"}}), "400 InvalidParameterValueException Number of tags exceeds resource tag limit.");
  EXPECT_EQ(tag({{"aws:mine", "v"}}).substr(0, 35), "400 InvalidParameterValueException ");
  EXPECT_EQ(tag({{std::string(kMaxTagKey + 1, 'k'), "v"}}).substr(0, 35), "400 InvalidParameterValueException ");
  EXPECT_EQ(tag({{"k", std::string(kMaxTagValue + 1, 'v')}}).substr(0, 35), "400 InvalidParameterValueException ");
}

TEST_F(AccountCallsTest, what_is_not_there_has_neither) {
  EXPECT_EQ(reserve("gone", 1).status, 404);
  EXPECT_EQ(send("GET", "/2019-09-30/functions/gone/concurrency").status, 404);
  EXPECT_EQ(send("DELETE", "/2017-10-31/functions/gone/concurrency").status, 404);
  std::string gone = "/2017-03-31/tags/arn%3Aaws%3Alambda%3Aus-east-1%3A000000000000%3Afunction%3Agone";
  EXPECT_EQ(send("GET", gone).status, 404);
  EXPECT_EQ(send("POST", gone, R"({"Tags":{}})").status, 404);
  EXPECT_EQ(send("GET", "/2017-03-31/tags/hello").status, 400);  // an ARN only
}

}  // namespace
}  // namespace hearth::api::lambda
