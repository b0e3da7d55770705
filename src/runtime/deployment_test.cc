#include "runtime/deployment.h"

#include <gtest/gtest.h>

#include "base/json.h"

namespace hearth::runtime {
namespace {

json::object environment_of(const Function& function, const Config& config) {
  auto message = json::parse(start_message(function, config, {{"AWS_ACCESS_KEY_ID", "ASIAX"}}, "stream"));
  return message.at("environment").as_object();
}

TEST(Deployment, EndpointsAreTheContainersOrTheConfigurations) {
  Config config;
  EXPECT_EQ(environment_of(Function(), config).at("AWS_ENDPOINT_URL"), "http://127.0.0.1:9002");
  config.endpoint_url = "http://elsewhere.local";
  config.service_endpoint_urls = {{"s3", "http://s3.local"}, {"api-gateway", "http://gw.local"}};
  auto environment = environment_of(Function(), config);
  EXPECT_EQ(environment.at("AWS_ENDPOINT_URL"), "http://elsewhere.local");
  EXPECT_EQ(environment.at("AWS_ENDPOINT_URL_S3"), "http://s3.local");
  EXPECT_EQ(environment.at("AWS_ENDPOINT_URL_API_GATEWAY"), "http://gw.local");
}

TEST(Deployment, AFunctionsOwnVariablesWinButForReservedOnes) {
  Config config;
  config.service_endpoint_urls = {{"s3", "http://s3.local"}};
  Function function;
  function.region = "us-east-1";
  function.environment = {{"AWS_ENDPOINT_URL", "http://mine.local"},
                          {"AWS_ENDPOINT_URL_S3", "http://my-s3.local"},
                          {"TZ", "Europe/Berlin"},
                          {"AWS_ACCESS_KEY_ID", "mine"},
                          {"AWS_REGION", "mine"}};
  auto environment = environment_of(function, config);
  EXPECT_EQ(environment.at("AWS_ENDPOINT_URL"), "http://mine.local");
  EXPECT_EQ(environment.at("AWS_ENDPOINT_URL_S3"), "http://my-s3.local");
  EXPECT_EQ(environment.at("TZ"), "Europe/Berlin");
  EXPECT_EQ(environment.at("AWS_ACCESS_KEY_ID"), "ASIAX");
  EXPECT_EQ(environment.at("AWS_REGION"), "us-east-1");
}

}  // namespace
}  // namespace hearth::runtime
