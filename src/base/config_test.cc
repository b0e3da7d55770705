#include "base/config.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace hearth {
namespace {

class ConfigTest : public testing::Test {
 protected:
  ConfigTest() {
    char name[] = "/tmp/hearth-config-XXXXXX";
    folder_ = mkdtemp(name);
  }
  ~ConfigTest() override { std::filesystem::remove_all(folder_); }

  std::string file(const std::string& text) {
    std::string path = folder_ + "/hearth.toml";
    std::ofstream(path) << text;
    return path;
  }
  // HOME gives other users than root a state folder.
  static Result<Config> load(const std::string& path, std::vector<std::string> environment = {}) {
    environment.push_back("HOME=/home/someone");
    return Config::load(path, environment);
  }
  Result<Config> from_file(const std::string& text, std::vector<std::string> environment = {}) {
    return load(file(text), std::move(environment));
  }
  // The message without the file's name before it.
  std::string file_error(const std::string& text) {
    auto config = from_file(text);
    if (config) return "";
    EXPECT_EQ(config.error().kind, Kind::invalid);
    std::string before = folder_ + "/hearth.toml: ";
    EXPECT_TRUE(config.error().message.starts_with(before)) << config.error().message;
    return config.error().message.substr(before.size());
  }
  std::string variable_error(const std::string& line) {
    auto config = from_file("", {line});
    return config ? "" : config.error().message;
  }

  std::string folder_;
};

TEST_F(ConfigTest, HasDefaultsWithoutFileAndEnvironment) {
  auto config = from_file("");
  ASSERT_TRUE(config);
  EXPECT_EQ(config->port, 9120);
  EXPECT_EQ(config->run_dir, "/run/hearth");
  EXPECT_EQ(config->state, geteuid() == 0 ? "/var/lib/hearth" : "/home/someone/.local/share/hearth");
  EXPECT_EQ(config->pool_runtimes, std::vector<std::string>{"python3.11"});
  EXPECT_EQ(config->warden_socket(), "/run/hearth/warden.sock");
  for (const auto& item : config->items()) EXPECT_EQ(item.origin, "default") << item.key;
}

TEST_F(ConfigTest, EnvironmentWinsOverFileWinsOverDefault) {
  auto config = from_file("[pool]\nmin = 2\nmax = 9\n[gateway]\ndriver = \"netns\"\n",
                          {"HEARTH_POOL_MAX=10", "HEARTH_PORT=9121", "HEARTH_INSTANCE=h2", "UNRELATED=1"});
  ASSERT_TRUE(config);
  EXPECT_EQ(config->pool_min, 2);
  EXPECT_EQ(config->pool_max, 10);
  EXPECT_EQ(config->gateway_driver, "netns");
  EXPECT_EQ(config->port, 9121);
  EXPECT_EQ(config->run_dir, "/run/h2");
  EXPECT_EQ(config->origin["pool.min"], "file");
  EXPECT_EQ(config->origin["pool.max"], "environment");
  EXPECT_EQ(config->origin["hold.seconds"], "default");
}

TEST_F(ConfigTest, FileIsNamedByArgumentThenByVariable) {
  std::string path = file("port = 7000\n");
  EXPECT_EQ(load("", {"HEARTH_CONFIG=" + path})->port, 7000);
  EXPECT_EQ(load(path, {"HEARTH_CONFIG=/nowhere"})->port, 7000);
  auto missing = load("", {"HEARTH_CONFIG=" + folder_ + "/none"});
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().kind, Kind::not_found);
}

TEST_F(ConfigTest, ReadsListsAndTablesFromBothPlaces) {
  auto filed = from_file(
      "[pool]\nruntimes = [\"python3.11\", \"provided.al2023\"]\n"
      "[runtime.alias]\n\"python3.13\" = \"python3.11\"\n[function.endpoint_urls]\ns3 = \"http://10.0.0.1:9000\"\n");
  ASSERT_TRUE(filed) << filed.error().message;
  EXPECT_EQ(filed->pool_runtimes.size(), 2u);
  EXPECT_EQ(filed->runtime_aliases.at("python3.13"), "python3.11");
  EXPECT_EQ(filed->service_endpoint_urls.at("s3"), "http://10.0.0.1:9000");

  auto set = from_file("", {"HEARTH_POOL_RUNTIMES=a,b", "HEARTH_RUNTIME_ALIAS=python3.12=python3.11,x=y",
                            "HEARTH_FUNCTION_ENDPOINT_URLS=s3=http://h/?a=b"});
  ASSERT_TRUE(set) << set.error().message;
  EXPECT_EQ(set->pool_runtimes, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(set->runtime_aliases.size(), 2u);
  EXPECT_EQ(set->service_endpoint_urls.at("s3"), "http://h/?a=b");
  EXPECT_TRUE(from_file("", {"HEARTH_POOL_RUNTIMES="})->pool_runtimes.empty());
}

TEST_F(ConfigTest, RefusesWhatIsUnknownAndTellsTheNearest) {
  EXPECT_EQ(file_error("[gateway]\ndrivr = \"vm\"\n"),
            "gateway.drivr is not a known key; did you mean gateway.driver?");
  EXPECT_EQ(file_error("prot = 1\n"), "prot is not a known key; did you mean port?");
  EXPECT_EQ(file_error("[gateways]\ndriver = \"vm\"\n"),
            "gateways.driver is not a known key; did you mean gateway.driver?");
  EXPECT_EQ(variable_error("HEARTH_POOL_MAXX=3"),
            "environment: HEARTH_POOL_MAXX is not known; did you mean HEARTH_POOL_MAX?");
  for (const char* other : {"HEARTH_BUILD=b", "HEARTH_DATA=d", "HEARTH_SOMETHING=1"}) {
    EXPECT_EQ(variable_error(other), "");
  }
}

TEST_F(ConfigTest, RefusesWhatIsNotToml) {
  EXPECT_TRUE(file_error("a = 1\nb = [\n").starts_with("line ")) << file_error("a = 1\nb = [\n");
  EXPECT_EQ(file_error("[a.b.c.d.e]\nf = 1\n"), "a.b.c.d: is over 4 levels deep");
  EXPECT_EQ(file_error(std::string(Config::kMaxFileBytes + 1, '\n')), "is over 1048576 bytes");
}

TEST_F(ConfigTest, RefusesAnotherTypeAndTellsWhatIsAccepted) {
  EXPECT_EQ(file_error("port = \"9120\"\n"), "port = \"9120\": must be an integer, 1 to 65535");
  EXPECT_EQ(file_error("instance = 4\n"), "instance = 4: must be 1 to 8 of a-z and 0-9");
  EXPECT_EQ(file_error("[pool]\nmin = 1.5\n"),
            "pool.min: must be a string, an integer, true or false, a list or a table");
  EXPECT_EQ(file_error("[pool]\nruntimes = \"a\"\n"), "pool.runtimes = \"a\": must be a list of strings");
  EXPECT_EQ(file_error("[pool]\nruntimes = [1]\n"), "pool.runtimes: must be a list of strings");
  EXPECT_EQ(file_error("[runtime]\nalias = 1\n"), "runtime.alias = 1: must be a table of strings");
  EXPECT_EQ(file_error("[runtime.alias]\na = 1\n"), "runtime.alias: a must be a string");
  EXPECT_EQ(file_error("[testing]\nreset = \"yes\"\n"), "testing.reset = \"yes\": must be true or false");
  EXPECT_EQ(variable_error("HEARTH_TESTING_RESET=yes"), "HEARTH_TESTING_RESET = \"yes\": must be true or false");
  EXPECT_EQ(variable_error("HEARTH_POOL_MIN=4x"), "HEARTH_POOL_MIN = \"4x\": must be an integer, 0 to 4096");
  EXPECT_EQ(variable_error("HEARTH_RUNTIME_ALIAS=a"),
            "HEARTH_RUNTIME_ALIAS = \"a\": must be a list of name=value, separated by commas");
}

struct Bound {
  std::string good;
  std::string bad;
};

class ConfigBounds : public ConfigTest, public testing::WithParamInterface<Bound> {};

TEST_P(ConfigBounds, AcceptsTheLastGoodValueAndRefusesTheFirstBadOne) {
  EXPECT_EQ(variable_error(GetParam().good), "");
  EXPECT_TRUE(variable_error(GetParam().bad).find("must be") != std::string::npos) << GetParam().bad;
}

std::string many(std::string_view name, size_t count) {
  std::string line(name);
  for (size_t i = 0; i < count; ++i) line += (i == 0 ? "=r" : ",r") + std::to_string(i);
  return line;
}
std::string url_of(size_t size) { return "HEARTH_FUNCTION_ENDPOINT_URL=http://" + std::string(size - 7, 'a'); }

INSTANTIATE_TEST_SUITE_P(
    AllKeys, ConfigBounds,
    testing::Values(Bound{"HEARTH_INSTANCE=abcdefg8", "HEARTH_INSTANCE=abcdefgh9"},
                    Bound{"HEARTH_INSTANCE=a", "HEARTH_INSTANCE=a-b"}, Bound{"HEARTH_PORT=65535", "HEARTH_PORT=65536"},
                    Bound{"HEARTH_PORT=1", "HEARTH_PORT=0"}, Bound{"HEARTH_STATE=/s", "HEARTH_STATE=s"},
                    Bound{"HEARTH_RUN_DIR=/r", "HEARTH_RUN_DIR=/"}, Bound{"HEARTH_USER=a_b-c", "HEARTH_USER=-a"},
                    Bound{"HEARTH_SERVER_LISTEN=::1", "HEARTH_SERVER_LISTEN=localhost"},
                    Bound{"HEARTH_LOG_LEVEL=warning", "HEARTH_LOG_LEVEL=loud"},
                    Bound{"HEARTH_ACCOUNT_DEFAULT=123456789012", "HEARTH_ACCOUNT_DEFAULT=1234567890123"},
                    Bound{"HEARTH_ACCOUNT_REGION=eu-west-1", "HEARTH_ACCOUNT_REGION=EU"},
                    Bound{"HEARTH_LIMITS_CONCURRENCY=100000", "HEARTH_LIMITS_CONCURRENCY=100001"},
                    Bound{"HEARTH_LIMITS_UNRESERVED_MINIMUM=0", "HEARTH_LIMITS_UNRESERVED_MINIMUM=-1"},
                    Bound{"HEARTH_LIMITS_CONTAINERS=4096", "HEARTH_LIMITS_CONTAINERS=4097"},
                    Bound{"HEARTH_LIMITS_CONTAINERS=1", "HEARTH_LIMITS_CONTAINERS=0"},
                    Bound{"HEARTH_LIMITS_MEMORY_MIB=0", "HEARTH_LIMITS_MEMORY_MIB=67108865"},
                    Bound{"HEARTH_POOL_MIN=0", "HEARTH_POOL_MIN=4097"},
                    Bound{"HEARTH_POOL_MAX=65536", "HEARTH_POOL_MAX=65537"},
                    Bound{many("HEARTH_POOL_RUNTIMES", 64), many("HEARTH_POOL_RUNTIMES", 65)},
                    Bound{"HEARTH_POOL_RUNTIMES=a,b", "HEARTH_POOL_RUNTIMES=a,,b"},
                    Bound{"HEARTH_HOLD_SECONDS=86400", "HEARTH_HOLD_SECONDS=86401"},
                    Bound{"HEARTH_HOLD_SECONDS=0", "HEARTH_HOLD_SECONDS=-1"},
                    Bound{"HEARTH_RUNTIME_ALIAS=a=b", "HEARTH_RUNTIME_ALIAS=a=B"},
                    Bound{"HEARTH_GATEWAY_DRIVER=vm", "HEARTH_GATEWAY_DRIVER=docker"},
                    Bound{"HEARTH_NETWORK_OUTSIDE=none", "HEARTH_NETWORK_OUTSIDE=../x"},
                    Bound{"HEARTH_FUNCTION_ENDPOINT_URL=", "HEARTH_FUNCTION_ENDPOINT_URL=ftp://a"},
                    Bound{url_of(2048), url_of(2049)},
                    Bound{"HEARTH_FUNCTION_ENDPOINT_URLS=s3=http://a", "HEARTH_FUNCTION_ENDPOINT_URLS=s3=a"},
                    Bound{"HEARTH_TESTING_AUTH=open", "HEARTH_TESTING_AUTH=none"},
                    Bound{"HEARTH_TESTING_RESET=true", "HEARTH_TESTING_RESET=1"}));

TEST_F(ConfigTest, ComparesKeysThatBoundEachOther) {
  EXPECT_EQ(from_file("[pool]\nmin = 9\nmax = 8\n").error().message, "pool.min = 9: must be at most pool.max, 8");
  EXPECT_EQ(from_file("[limits]\nconcurrency = 10\n").error().message,
            "limits.unreserved_minimum = 100: must be at most limits.concurrency, 10");
}

TEST_F(ConfigTest, RefusesTestingOnAListenerThatOthersReach) {
  for (const char* switched : {"[testing]\nreset = true\n", "[testing]\nauth = \"open\"\n"}) {
    EXPECT_TRUE(from_file(switched));
    EXPECT_TRUE(from_file(switched, {"HEARTH_SERVER_LISTEN=::1"}));
    auto refused = from_file(switched, {"HEARTH_SERVER_LISTEN=0.0.0.0"});
    ASSERT_FALSE(refused);
    EXPECT_NE(refused.error().message.find("only allowed on a loopback listener; server.listen is 0.0.0.0"),
              std::string::npos);
  }
  EXPECT_TRUE(from_file("", {"HEARTH_SERVER_LISTEN=0.0.0.0"}));
}

TEST_F(ConfigTest, ItemsReadBackAsTheSameConfiguration) {
  auto config = from_file("[pool]\nruntimes = [\"a\", \"b\"]\n[runtime.alias]\nc = \"d\"\n[testing]\nreset = true\n");
  ASSERT_TRUE(config);
  std::vector<std::string> lines;
  for (const auto& item : config->items()) lines.push_back(item.environment + "=" + item.value);
  auto again = from_file("", lines);
  ASSERT_TRUE(again) << again.error().message;
  auto before = config->items();
  auto after = again->items();
  ASSERT_EQ(before.size(), after.size());
  for (size_t i = 0; i < before.size(); ++i) EXPECT_EQ(before[i].value, after[i].value) << before[i].key;
}

}  // namespace
}  // namespace hearth
