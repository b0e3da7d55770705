#include "api/lambda/function_calls.h"

#include "api/lambda/fakes_test.h"

namespace hearth::api::lambda {
namespace {

constexpr const char* kFunctions = "/2015-03-31/functions";
std::string path(const std::string& name, const std::string& rest = "") {
  return std::string(kFunctions) + "/" + name + rest;
}

TEST_F(LambdaTest, a_created_function_is_answered_as_aws_does) {
  auto body = create_body("hello");
  body["Timeout"] = 7;
  body["MemorySize"] = 256;
  body["Environment"] = json::object{{"Variables", json::object{{"KEY", "value"}}}};
  body["VpcConfig"] = json::object{{"SubnetIds", {"subnet-1"}}, {"SecurityGroupIds", {"sg-1"}}};
  Reply reply = create(body);
  ASSERT_EQ(reply.status, 201) << reply.body;
  auto answer = parsed(reply);
  EXPECT_EQ(answer["FunctionArn"], "arn:aws:lambda:us-east-1:000000000000:function:hello");
  EXPECT_EQ(answer["State"], "Pending");
  EXPECT_EQ(answer["StateReasonCode"], "Creating");
  EXPECT_EQ(answer["Timeout"], 7);
  EXPECT_EQ(answer["MemorySize"], 256);
  EXPECT_EQ(answer["Version"], "$LATEST");
  EXPECT_EQ(answer["CodeSize"], 6);
  EXPECT_EQ(answer["CodeSha256"], json::value(base64_encode(as_text(Sha256::of("PK zip")))));
  EXPECT_EQ(answer["Environment"].at("Variables").at("KEY"), "value");
  EXPECT_EQ(answer["VpcConfig"].at("VpcId"), "vpc-1");
  EXPECT_EQ(answer["EphemeralStorage"].at("Size"), 512);
  EXPECT_EQ(answer["LoggingConfig"].at("LogGroup"), "/aws/lambda/hello");
}

TEST_F(LambdaTest, members_that_are_empty_are_left_out) {
  auto body = create_body("hello");
  body["VpcConfig"] = json::object{{"SubnetIds", json::array{}}, {"SecurityGroupIds", json::array{}}};
  body["Environment"] = json::object{{"Variables", json::object{}}};
  body["Layers"] = json::array{};
  body["KMSKeyArn"] = "";
  body["DeadLetterConfig"] = json::object{};
  ASSERT_EQ(create(body).status, 201);
  auto answer = parsed(send("GET", path("hello", "/configuration")));
  for (const char* name : {"VpcConfig", "Environment", "Layers", "KMSKeyArn", "DeadLetterConfig", "StateReason",
                           "LastUpdateStatusReason"}) {
    EXPECT_FALSE(answer.contains(name)) << name;
  }
  for (const auto& member : answer) EXPECT_FALSE(member.value().is_null()) << member.key();
  EXPECT_EQ(answer["State"], "Active");
  EXPECT_EQ(answer["LastUpdateStatus"], "Successful");
}

TEST_F(LambdaTest, a_name_is_taken_once_an_account) {
  make("hello");
  Reply again = create(create_body("hello"));
  EXPECT_EQ(verdict(again), "409 ResourceConflictException Function already exist: hello");
  EXPECT_EQ(parsed(again)["Type"], "User");
  Call others = request("POST", kFunctions, json::serialize(create_body("hello")));
  others.account = kOther;
  EXPECT_EQ(send(std::move(others)).status, 201);
}

TEST_F(LambdaTest, what_is_not_offered_is_refused_by_name) {
  struct {
    const char* member;
    json::value value;
  } cases[] = {
      {"Layers", {"arn:aws:lambda:us-east-1:000000000000:layer:l:1"}},
      {"Publish", true},
      {"KMSKeyArn", "arn:aws:kms:us-east-1:000000000000:key/x"},
      {"DeadLetterConfig", json::object{{"TargetArn", "arn:aws:sqs:us-east-1:000000000000:q"}}},
      {"PackageType", "Image"},
      {"SnapStart", json::object{{"ApplyOn", "PublishedVersions"}}},
      {"LoggingConfig", json::object{{"LogFormat", "JSON"}}},
      {"TracingConfig", json::object{{"Mode", "Active"}}},
      {"TenancyConfig", json::object{{"TenantIsolationMode", "PER_TENANT"}}},
      {"Architectures", {"arm64"}},
  };
  for (const auto& one : cases) {
    auto body = create_body("hello");
    body[one.member] = one.value;
    std::string said = verdict(create(body));
#if defined(__aarch64__)
    if (std::string(one.member) == "Architectures") continue;
#endif
    EXPECT_TRUE(said.starts_with("400 InvalidParameterValueException ")) << one.member << ": " << said;
  }
  EXPECT_TRUE(functions_.all.empty());
}

TEST_F(LambdaTest, runtimes_are_known_and_installed_or_neither) {
  auto body = create_body("hello");
  body["Runtime"] = "python3.13";
  EXPECT_EQ(verdict(create(body)), "400 InvalidParameterValueException Runtime python3.13 is not installed here");
  body["Runtime"] = "cobol85";
  std::string said = verdict(create(body));
  EXPECT_TRUE(
      said.starts_with("400 InvalidParameterValueException Value cobol85 at 'runtime' failed to satisfy "
                       "constraint: Member must satisfy enum value set: ["))
      << said;
  EXPECT_TRUE(said.ends_with("] or be a valid ARN"));
}

TEST_F(LambdaTest, code_must_be_there_and_a_zip) {
  auto with_code = [&](json::object code) {
    auto body = create_body("hello");
    body["Code"] = std::move(code);
    return verdict(create(body));
  };
  const std::string invalid = "400 InvalidParameterValueException ";
  EXPECT_EQ(with_code({}), invalid + "Please provide a source for function code.");
  EXPECT_EQ(with_code({{"S3Bucket", "bucket"}, {"S3Key", "key"}}),
            invalid + "Hearth does not offer code from S3Bucket; send it in ZipFile.");
  EXPECT_EQ(with_code({{"ZipFile", base64_encode("not a zip")}}),
            invalid + "Could not unzip uploaded file. Please check your file, then try to upload again.");
  EXPECT_EQ(with_code({{"ZipFile", "***"}}), "400 SerializationException 'zipFile' is not base64");
  EXPECT_EQ(with_code({{"ZipFile", 5}}), "400 SerializationException 'zipFile' must be a string of base64");
  auto body = create_body("hello");
  body.erase("Handler");
  EXPECT_EQ(verdict(create(body)),
            invalid + "Runtime and Handler are mandatory parameters for functions created with deployment packages.");
}

TEST_F(LambdaTest, what_a_record_cannot_hold_is_refused) {
  auto body = create_body("hello");
  std::string role = "arn:aws:iam::000000000000:role/";
  body["Role"] = role + std::string(runtime::kMaxFunctionText - role.size() + 1, 'r');
  EXPECT_TRUE(
      verdict(create(body)).starts_with("400 ValidationException 1 validation error detected: Value at 'role'"));
  body["Role"] = role + std::string(runtime::kMaxFunctionText - role.size(), 'r');
  json::object variables;
  for (size_t i = 0; i < 1030; ++i) variables["V" + std::to_string(i)] = "";
  body["Environment"] = json::object{{"Variables", std::move(variables)}};
  ASSERT_EQ(create(body).status, 201);
  EXPECT_TRUE(runtime::decode_function(runtime::encode(functions_.all.begin()->second)));
}

TEST_F(LambdaTest, the_environment_has_reserved_names_and_four_kilobytes) {
  auto with = [&](json::object variables) {
    auto body = create_body("hello");
    body["Environment"] = json::object{{"Variables", std::move(variables)}};
    return verdict(create(body));
  };
  EXPECT_NE(with({{"AWS_REGION", "x"}}).find("Reserved keys used in this request: AWS_REGION"), std::string::npos);
  EXPECT_NE(with({{"KEY", std::string(kMaxEnvironment - 2, 'v')}}).find("exceeded the 4KB limit"), std::string::npos);
  EXPECT_EQ(with({{"KEY", std::string(kMaxEnvironment - 3, 'v')}}), "ok");
}

TEST_F(LambdaTest, subnets_and_groups_come_together_and_are_the_accounts) {
  auto with = [&](json::object config) {
    auto body = create_body("hello");
    body["VpcConfig"] = std::move(config);
    return verdict(create(body));
  };
  EXPECT_EQ(with({{"SubnetIds", {"subnet-9"}}, {"SecurityGroupIds", {"sg-1"}}}),
            "400 InvalidParameterValueException Error occurred while DescribeSubnets. EC2 Error Code: "
            "InvalidSubnetID.NotFound. EC2 Error Message: The subnet ID 'subnet-9' does not exist");
  EXPECT_EQ(with({{"SubnetIds", {"subnet-1"}}, {"SecurityGroupIds", json::array{}}}),
            "400 InvalidParameterValueException SubnetIds and SecurityIds must coexist or be both empty list.");
}

TEST_F(LambdaTest, all_forms_of_a_functions_name_are_the_same_function) {
  make("hello");
  for (const char* form : {"hello", "hello:$LATEST", "000000000000:function:hello", "function:hello",
                           "arn%3Aaws%3Alambda%3Aus-east-1%3A000000000000%3Afunction%3Ahello",
                           "arn:aws:lambda:us-east-1:000000000000:function:hello:$LATEST"}) {
    EXPECT_EQ(verdict(send("GET", path(form))), "ok") << form;
  }
  const std::string missing = "404 ResourceNotFoundException Function not found: arn:aws:lambda:us-east-1:";
  EXPECT_EQ(verdict(send("GET", path("hello:1"))), missing + "000000000000:function:hello:1");
  EXPECT_EQ(verdict(send("GET", path("hello"), "", {{"Qualifier", "live"}})),
            missing + "000000000000:function:hello:live");
  EXPECT_EQ(verdict(send("GET", path("other"))), missing + "000000000000:function:other");
  EXPECT_EQ(verdict(send("GET", path("111111111111:function:hello"))), missing + "111111111111:function:hello");
  EXPECT_EQ(verdict(send("GET", path("arn:aws:lambda:eu-west-1:000000000000:function:hello"))),
            "404 ResourceNotFoundException Functions from 'eu-west-1' are not reachable in this region ('us-east-1')");
  EXPECT_EQ(verdict(send("GET", path("hello:1"), "", {{"Qualifier", "2"}})),
            "400 InvalidParameterValueException The derived qualifier from the function name does not match the "
            "specified qualifier.");
  EXPECT_EQ(verdict(send("GET", path("he%20llo"))).substr(0, 24), "400 ValidationException ");
  EXPECT_NE(verdict(send("GET", path(std::string(65, 'a')))).find("have length less than or equal to 64"),
            std::string::npos);
}

TEST_F(LambdaTest, nobody_sees_another_accounts_functions) {
  make("hello");
  auto as_other = [&](std::string method, std::string where, std::string body = "") {
    Call call = request(std::move(method), std::move(where), std::move(body));
    call.account = kOther;
    return send(std::move(call));
  };
  const std::string arn = "arn%3Aaws%3Alambda%3Aus-east-1%3A000000000000%3Afunction%3Ahello";
  for (const std::string& name : {std::string("hello"), arn}) {
    EXPECT_EQ(as_other("GET", path(name)).status, 404);
    EXPECT_EQ(as_other("DELETE", path(name)).status, 404);
    EXPECT_EQ(as_other("POST", path(name, "/invocations")).status, 404);
    EXPECT_EQ(as_other("PUT", path(name, "/configuration"), "{}").status, 404);
    EXPECT_EQ(as_other("PUT", "/2017-10-31/functions/" + name + "/concurrency", R"({"ReservedConcurrentExecutions":0})")
                  .status,
              404);
  }
  EXPECT_EQ(as_other("GET", "/2017-03-31/tags/" + arn).status, 404);
  EXPECT_TRUE(parsed(as_other("GET", kFunctions)).at("Functions").as_array().empty());
  EXPECT_TRUE(invoker_.invoked.empty());
  EXPECT_EQ(functions_.all.size(), 1u);
}

TEST_F(LambdaTest, get_function_links_to_its_code) {
  make("hello");
  auto answer = parsed(send("GET", path("hello")));
  std::string location(answer.at("Code").at("Location").as_string());
  ASSERT_TRUE(location.starts_with("http://127.0.0.1:9120/_hearth/code/")) << location;
  auto token = location.substr(location.rfind('/') + 1);
  auto digest = links_.open(token, clock_.now);
  ASSERT_TRUE(digest);
  EXPECT_TRUE(packages_.zips.contains(digest->str()));
  EXPECT_FALSE(links_.open(token, clock_.now + CodeLinks::kLife));
  EXPECT_FALSE(links_.open(token.substr(1), clock_.now));
  EXPECT_FALSE(CodeLinks().open(token, clock_.now));
  EXPECT_FALSE(answer.contains("Tags"));
  EXPECT_FALSE(answer.contains("Concurrency"));
}

TEST_F(LambdaTest, lists_go_page_by_page) {
  for (int i = 0; i < 60; ++i) make("f" + std::to_string(100 + i));
  std::set<std::string> seen;
  NameValues query{{"MaxItems", "25"}};
  std::vector<size_t> pages;
  for (int page = 0; page < 5; ++page) {
    auto answer = parsed(send("GET", kFunctions, "", query));
    for (const auto& function : answer.at("Functions").as_array()) {
      seen.insert(std::string(function.at("FunctionName").as_string()));
      EXPECT_FALSE(function.as_object().contains("State"));
    }
    pages.push_back(answer.at("Functions").as_array().size());
    if (!answer.contains("NextMarker")) break;
    query = {{"MaxItems", "25"}, {"Marker", std::string(answer.at("NextMarker").as_string())}};
  }
  EXPECT_EQ(pages, (std::vector<size_t>{25, 25, 10}));
  EXPECT_EQ(seen.size(), 60u);
  auto most = parsed(send("GET", kFunctions, "", {{"MaxItems", "10000"}}));
  EXPECT_EQ(most.at("Functions").as_array().size(), FunctionCalls::kPage);
  EXPECT_EQ(send("GET", kFunctions, "", {{"MaxItems", "0"}}).status, 400);
  EXPECT_EQ(send("GET", kFunctions, "", {{"MaxItems", "x"}}).status, 400);
  EXPECT_EQ(send("GET", kFunctions, "", {{"Marker", "?"}}).status, 400);
}

TEST_F(LambdaTest, versions_are_latest_only_and_qualified) {
  make("hello");
  auto versions = parsed(send("GET", path("hello", "/versions"))).at("Versions").as_array();
  ASSERT_EQ(versions.size(), 1u);
  EXPECT_EQ(versions[0].at("FunctionArn"), "arn:aws:lambda:us-east-1:000000000000:function:hello:$LATEST");
  auto all = parsed(send("GET", kFunctions, "", {{"FunctionVersion", "ALL"}}));
  EXPECT_EQ(all.at("Functions").at(0).at("FunctionArn"), versions[0].at("FunctionArn"));
  auto signing = parsed(send("GET", "/2020-06-30/functions/hello/code-signing-config"));
  EXPECT_FALSE(signing.contains("CodeSigningConfigArn"));
}

TEST_F(LambdaTest, a_configuration_changes_only_what_is_said) {
  make("hello");
  Reply reply = send("PUT", path("hello", "/configuration"), R"({"Timeout":30,"Description":"d"})");
  ASSERT_EQ(reply.status, 200) << reply.body;
  auto answer = parsed(reply);
  EXPECT_EQ(answer["Timeout"], 30);
  EXPECT_EQ(answer["MemorySize"], 128);
  EXPECT_EQ(answer["Handler"], "app.handler");
  EXPECT_EQ(answer["RevisionId"], "revision-2");
}

TEST_F(LambdaTest, empty_lists_detach_from_the_vpc) {
  auto body = create_body("hello");
  body["VpcConfig"] = json::object{{"SubnetIds", {"subnet-1"}}, {"SecurityGroupIds", {"sg-1"}}};
  ASSERT_EQ(create(body).status, 201);
  auto kept = parsed(send("PUT", path("hello", "/configuration"), R"({"Timeout":5})"));
  EXPECT_TRUE(kept.contains("VpcConfig"));
  auto left =
      parsed(send("PUT", path("hello", "/configuration"), R"({"VpcConfig":{"SubnetIds":[],"SecurityGroupIds":[]}})"));
  EXPECT_FALSE(left.contains("VpcConfig"));
}

TEST_F(LambdaTest, an_update_names_the_revision_it_means) {
  make("hello");
  EXPECT_EQ(verdict(send("PUT", path("hello", "/configuration"), R"({"RevisionId":"old"})")).substr(0, 32),
            "412 PreconditionFailedException ");
  EXPECT_EQ(send("PUT", path("hello", "/configuration"), R"({"RevisionId":"revision-1"})").status, 200);
}

TEST_F(LambdaTest, one_update_at_a_time) {
  make("hello");
  functions_.activates = false;
  EXPECT_EQ(parsed(send("PUT", path("hello", "/configuration"), "{}"))["LastUpdateStatus"], "InProgress");
  EXPECT_EQ(
      verdict(send("PUT", path("hello", "/configuration"), "{}")),
      "409 ResourceConflictException The operation cannot be performed at this time. An update is in progress for "
      "resource: arn:aws:lambda:us-east-1:000000000000:function:hello");
  make("young");
  EXPECT_EQ(
      verdict(send("PUT", path("young", "/configuration"), "{}")),
      "409 ResourceConflictException The operation cannot be performed at this time. The function is currently in "
      "the following state: Pending");
}

// Members of other operations' shapes, which no constraint of this one covers.
TEST_F(LambdaTest, an_update_takes_members_of_its_own_shape_only) {
  make("hello");
  EXPECT_EQ(verdict(send("PUT", path("hello", "/configuration"), R"({"Architectures":1,"Tags":7,"Publish":true})")),
            "ok");
  for (const char* member : {R"("VpcConfig":{"SubnetIds":1})", R"("Timeout":-1)", R"("MemorySize":"much")",
                             R"("Environment":{"Variables":{"A":1}})", R"("EphemeralStorage":{"Size":[]})",
                             R"("Handler":"another.one")", R"("Layers":3)", R"("LoggingConfig":{"LogGroup":{}})"}) {
    std::string body = R"({"ZipFile":")" + base64_encode("PK other") + R"(",)" + member + "}";
    EXPECT_EQ(verdict(send("PUT", path("hello", "/code"), body)), "ok") << member;
  }
  auto answer = parsed(send("GET", path("hello", "/configuration")));
  EXPECT_EQ(answer["Timeout"], 3);
  EXPECT_EQ(answer["MemorySize"], 128);
  EXPECT_EQ(answer["Handler"], "app.handler");
  EXPECT_EQ(answer["Architectures"], json::value(json::array{"x86_64"}));
  EXPECT_FALSE(answer.contains("Environment"));
  EXPECT_FALSE(answer.contains("VpcConfig"));
}

TEST_F(LambdaTest, code_is_replaced_or_tried) {
  make("hello");
  auto body = [](bool dry) {
    return json::serialize(json::object{{"ZipFile", base64_encode("PK other")}, {"DryRun", dry}});
  };
  auto tried = parsed(send("PUT", path("hello", "/code"), body(true)));
  EXPECT_EQ(tried["CodeSize"], 8);
  EXPECT_EQ(parsed(send("GET", path("hello", "/configuration")))["CodeSize"], 6);
  auto replaced = parsed(send("PUT", path("hello", "/code"), body(false)));
  EXPECT_EQ(replaced["CodeSha256"], tried["CodeSha256"]);
  EXPECT_EQ(parsed(send("GET", path("hello", "/configuration")))["CodeSize"], 8);
  EXPECT_EQ(verdict(send("PUT", path("hello", "/code"), "{}")),
            "400 InvalidParameterValueException Please provide a source for function code.");
}

TEST_F(LambdaTest, a_store_without_room_is_not_the_accounts_fault) {
  functions_.refuse_create = Error{Kind::exhausted, "too many changes wait for the disk"};
  EXPECT_EQ(verdict(create(create_body("hello"))), "429 TooManyRequestsException too many changes wait for the disk");
  runtime::Function other;
  for (size_t i = 0; i < runtime::Functions::kMaxFunctions; ++i) {
    other.key = {kAccount, "f" + std::to_string(i)};
    functions_.all[other.key] = other;
  }
  functions_.refuse_create = Error{Kind::exhausted, "an account holds at most so many functions"};
  EXPECT_EQ(verdict(create(create_body("hello"))),
            "400 CodeStorageExceededException an account holds at most so many functions");
}

TEST_F(LambdaTest, an_accounts_code_has_a_limit) {
  make("large");
  make("small");
  functions_.all.at({kAccount, "large"}).code_size = FunctionCalls::kMaxCodeBytes - 6;
  const std::string full = "400 CodeStorageExceededException Code storage limit exceeded.";
  EXPECT_EQ(verdict(create(create_body("other"))), full);
  auto code = [](const std::string& zip) { return json::serialize(json::object{{"ZipFile", base64_encode(zip)}}); };
  EXPECT_EQ(verdict(send("PUT", path("small", "/code"), code("PK longer"))), full);
  EXPECT_EQ(verdict(send("PUT", path("small", "/code"), code("PK new"))), "ok");
  Call others = request("POST", kFunctions, json::serialize(create_body("other")));
  others.account = kOther;
  EXPECT_EQ(send(std::move(others)).status, 201);
}

TEST_F(LambdaTest, large_code_is_parsed_beside_the_loop) {
  std::string zip = "PK" + std::string(LambdaService::kParseOnLoop * 2, 'z');
  auto body = create_body("large");
  body["Code"] = json::object{{"ZipFile", base64_encode(zip)}};
  EXPECT_EQ(parsed(create(body)).at("CodeSize"), static_cast<int64_t>(zip.size()));
}

TEST_F(LambdaTest, a_deleted_function_is_gone) {
  make("hello");
  EXPECT_EQ(send("DELETE", path("hello"), "", {{"Qualifier", "$LATEST"}}).status, 400);
  EXPECT_EQ(send("DELETE", path("hello"), "", {{"Qualifier", "3"}}).status, 404);
  Reply reply = send("DELETE", path("hello"));
  EXPECT_EQ(reply.status, 204);
  EXPECT_EQ(reply.body, "");
  EXPECT_EQ(send("DELETE", path("hello")).status, 404);
}

TEST_F(LambdaTest, a_body_that_is_not_an_object_is_refused) {
  EXPECT_TRUE(verdict(send("POST", kFunctions, "{"))
                  .starts_with("400 InvalidRequestContentException Could not parse request body into json: "));
  EXPECT_TRUE(verdict(send("POST", kFunctions, "[]")).starts_with("400 InvalidRequestContentException "));
}

}  // namespace
}  // namespace hearth::api::lambda
