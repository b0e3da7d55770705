#include "api/lambda/model.h"

#include <set>

#include "api/lambda/fakes_test.h"

namespace hearth::api::lambda {
namespace {

std::string text(const json::value& value) { return std::string(value.as_string()); }

class AgainstTheModel : public LambdaTest {
 protected:
  void SetUp() override {
    std::string data = data_file("models/lambda.json");
    if (data.empty()) GTEST_SKIP() << "no models/lambda.json in $HEARTH_DATA or ../shared/data";
    model_ = json::parse(data).as_object();
  }
  json::object model_;
};

TEST_F(AgainstTheModel, all_operations_are_there_as_it_has_them) {
  const auto& wanted = model_.at("operations").as_object();
  EXPECT_EQ(operations().size(), wanted.size());
  for (const Operation& operation : operations()) {
    const auto* found = wanted.if_contains(json::string_view(operation.name.data(), operation.name.size()));
    ASSERT_NE(found, nullptr) << operation.name;
    const auto& http = found->at("http").as_object();
    std::string uri(operation.path);
    if (!operation.query.empty()) uri += "?" + std::string(operation.query);
    EXPECT_EQ(uri, text(http.at("requestUri"))) << operation.name;
    EXPECT_EQ(operation.method, text(http.at("method"))) << operation.name;
    if (operation.served) EXPECT_EQ(operation.input, text(found->at("input").at("shape"))) << operation.name;
    EXPECT_EQ(operation.served, service_.serves(operation.name)) << operation.name;
  }
}

TEST_F(AgainstTheModel, each_operation_is_found_by_its_request) {
  for (const Operation& operation : operations()) {
    std::string path;
    bool in_label = false;
    for (char c : operation.path) {
      if (c == '}') path += "some-name";
      if (c == '{') in_label = true;
      if (!in_label) path += c;
      if (c == '}') in_label = false;
    }
    NameValues query;
    size_t equals = operation.query.find('=');
    if (!operation.query.empty()) {
      query.emplace_back(operation.query.substr(0, equals), operation.query.substr(equals + 1));
    }
    Routed routed = route(operation.method, path, query);
    ASSERT_NE(routed.operation, nullptr) << operation.name;
    EXPECT_EQ(routed.operation->name, operation.name);
    if (operation.path.find('{') != std::string_view::npos) EXPECT_EQ(routed.label, "some-name") << operation.name;
  }
}

TEST_F(AgainstTheModel, error_shapes_are_as_it_has_them) {
  size_t exceptions = 0;
  for (const auto& [name, shape] : model_.at("shapes").as_object()) {
    const auto& object = shape.as_object();
    if (!object.contains("exception")) continue;
    ++exceptions;
    const ErrorShape* ours = error_shape(std::string_view(name.data(), name.size()));
    ASSERT_NE(ours, nullptr) << name;
    EXPECT_EQ(ours->status, object.at("error").at("httpStatusCode").as_int64()) << name;
    EXPECT_EQ(ours->senders_fault, object.at("error").as_object().contains("senderFault")) << name;
    std::string_view key = ours->message_key;
    EXPECT_TRUE(object.at("members").as_object().contains(json::string_view(key.data(), key.size()))) << name;
  }
  EXPECT_EQ(error_shapes().size(), exceptions);
}

TEST_F(AgainstTheModel, constraints_are_as_it_has_them) {
  const auto& source = model_.at("shapes").as_object();
  for (const auto& [name, shape] : Model::shapes()) {
    const auto& ours = shape.as_object();
    const auto& theirs = source.at(name).as_object();
    for (json::string_view key : {"type", "min", "max", "pattern", "enum", "required"}) {
      bool stricter = key == "max" && (name == "Timeout" || name == "MemorySize");  // quotas, not in the model
      if (stricter) continue;
      const auto* a = ours.if_contains(key);
      const auto* b = theirs.if_contains(key);
      ASSERT_EQ(a == nullptr, b == nullptr) << name << "." << key;
      if (a != nullptr) EXPECT_EQ(*a, *b) << name << "." << key;
    }
    const auto* members = theirs.if_contains("members");
    if (members == nullptr) continue;
    EXPECT_EQ(ours.at("members").as_object().size(), members->as_object().size()) << name;
    for (const auto& [member, ref] : members->as_object()) {
      EXPECT_EQ(ours.at("members").at(member).at("shape"), ref.at("shape")) << name << "." << member;
    }
  }
}

TEST_F(LambdaTest, what_is_not_offered_says_so_and_names_itself) {
  auto verdict_of = [&](std::string method, std::string path) { return verdict(send(method, path, "{}")); };
  EXPECT_EQ(verdict_of("POST", "/2015-03-31/functions/f/versions"),
            "501 NotImplementedException Hearth does not offer the Lambda operation PublishVersion.");
  EXPECT_EQ(verdict_of("GET", "/2018-10-31/layers"),
            "501 NotImplementedException Hearth does not offer the Lambda operation ListLayers.");
  size_t refused = 0;
  for (const Operation& operation : operations()) {
    if (operation.served) continue;
    ++refused;
    std::string path(operation.path);
    for (size_t at = path.find('{'); at != path.npos; at = path.find('{')) {
      path.replace(at, path.find('}') - at + 1, "x");
    }
    NameValues query;
    if (!operation.query.empty()) query = {{"find", "LayerVersion"}, {"List", "ALL"}};
    Reply reply = send(std::string(operation.method), path, "{}", query);
    EXPECT_EQ(reply.status, 501) << operation.name;
    EXPECT_NE(reply.body.find(operation.name), std::string::npos) << operation.name;
  }
  EXPECT_EQ(refused + 17, operations().size());
}

TEST_F(LambdaTest, what_is_no_operation_is_not_found) {
  EXPECT_EQ(send("GET", "/2015-03-31/nothing").status, 404);
  EXPECT_EQ(send("PATCH", "/2015-03-31/functions").status, 404);
  EXPECT_EQ(send("POST", "/2015-03-31/functions//invocations").status, 404);
}

TEST_F(LambdaTest, violations_are_worded_as_the_service_does) {
  auto with = [&](std::string_view member, json::value value) {
    auto body = create_body("f");
    body[json::string_view(member.data(), member.size())] = std::move(value);
    return verdict(create(body));
  };
  const std::string one = "400 ValidationException 1 validation error detected: Value ";
  const std::string failed = "failed to satisfy constraint: Member must ";
  EXPECT_EQ(with("MemorySize", 10241),
            one + "'10241' at 'memorySize' " + failed + "have value less than or equal to 10240");
  EXPECT_EQ(with("MemorySize", 127),
            one + "'127' at 'memorySize' " + failed + "have value greater than or equal to 128");
  EXPECT_EQ(with("Timeout", 901), one + "'901' at 'timeout' " + failed + "have value less than or equal to 900");
  EXPECT_EQ(with("Timeout", 0), one + "'0' at 'timeout' " + failed + "have value greater than or equal to 1");
  EXPECT_EQ(with("EphemeralStorage", json::object{{"Size", 511}}),
            one + "'511' at 'ephemeralStorage.size' " + failed + "have value greater than or equal to 512");
  EXPECT_EQ(with("EphemeralStorage", json::object{}),
            one + "null at 'ephemeralStorage.size' " + failed + "not be null");
  EXPECT_EQ(with("Role", "nobody"), one + "'nobody' at 'role' " + failed +
                                        "satisfy regular expression pattern: "
                                        "arn:(aws[a-zA-Z-]*)?:iam::\\d{12}:role/?[a-zA-Z_0-9+=,.@\\-_/]+");
  EXPECT_EQ(with("Role", nullptr), one + "null at 'role' " + failed + "not be null");
  EXPECT_EQ(with("TracingConfig", json::object{{"Mode", "Loud"}}),
            one + "'Loud' at 'tracingConfig.mode' " + failed + "satisfy enum value set: [Active, PassThrough]");
  EXPECT_EQ(with("Handler", json::value(std::string(129, 'h'))),
            one + "'" + std::string(129, 'h') + "' at 'handler' " + failed + "have length less than or equal to 128");
  EXPECT_EQ(with("Architectures", json::array{}),
            one.substr(0, one.size() - 1) + " at 'architectures' " + failed + "have length greater than or equal to 1");
  EXPECT_EQ(with("Environment", json::object{{"Variables", json::object{{"1X", "v"}}}}).substr(0, 24),
            "400 ValidationException ");
  EXPECT_EQ(with("MemorySize", uint64_t{18446744073709551615U}),
            "400 SerializationException 'memorySize' must be an integer");
  std::string accents, faces;
  for (int i = 0; i < 256; ++i) accents += "\xc3\xa9";
  for (int i = 0; i < 129; ++i) faces += "\xf0\x9f\x98\x80";
  EXPECT_EQ(with("Description", json::value(faces)),
            one + "'" + faces + "' at 'description' " + failed + "have length less than or equal to 256");
  EXPECT_EQ(with("Description", json::value(accents)), "ok");
  functions_.all.clear();
  EXPECT_EQ(with("MemorySize", "large"), "400 SerializationException 'memorySize' must be an integer");
  EXPECT_EQ(with("VpcConfig", json::array{}), "400 SerializationException 'vpcConfig' must be an object");
  EXPECT_EQ(with("Description", nullptr), "ok");  // null is as good as absent
}

TEST_F(LambdaTest, several_violations_are_told_together_up_to_a_limit) {
  auto body = create_body("f");
  body["Timeout"] = 0;
  body["MemorySize"] = 1;
  EXPECT_NE(verdict(create(body)).find("2 validation errors detected: Value '0' at 'timeout'"), std::string::npos);
  json::array layers;
  for (size_t i = 0; i < 2 * Model::kMaxReported; ++i) layers.emplace_back("x");
  body["Layers"] = layers;
  EXPECT_NE(verdict(create(body)).find("10 validation errors detected"), std::string::npos);
}

TEST(Patterns, of_the_model_all_compile_and_accept_hyphens_behind_ranges) {
  Model model;  // compiles them; would throw
  EXPECT_FALSE(model.runtimes().empty());
}

}  // namespace
}  // namespace hearth::api::lambda
