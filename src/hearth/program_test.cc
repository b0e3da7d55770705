#include "hearth/program.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

namespace hearth::cli {
namespace {

struct Said {
  int status;
  std::string out;
  std::string err;
};

class ProgramTest : public testing::Test {
 protected:
  ProgramTest() {
    char name[] = "/tmp/hearth-cli-XXXXXX";
    state_ = mkdtemp(name);
  }
  ~ProgramTest() override { std::filesystem::remove_all(state_); }

  Said run_with(std::vector<std::string> arguments) {
    // Port 1 of the loopback: nobody listens there.
    std::vector<std::string> environment = {"HEARTH_STATE=" + state_, "HEARTH_PORT=1", "HEARTH_CONFIG=" + config()};
    testing::internal::CaptureStdout();
    testing::internal::CaptureStderr();
    int status = run(std::move(arguments), environment);
    fflush(stdout);
    return {status, testing::internal::GetCapturedStdout(), testing::internal::GetCapturedStderr()};
  }
  std::string config() {
    std::string path = state_ + "/hearth.toml";
    std::ofstream(path) << "[pool]\nmin = 2\n";
    return path;
  }
  void write_key(const std::string& name) {
    std::ofstream(state_ + "/" + name)
        << R"({"endpoint":"http://127.0.0.1:1","access_key_id":"AKIA0","region":"eu-x-1",)"
        << R"("secret_access_key":"secret","account":"000000000000"})";
  }

  std::string state_;
};

TEST_F(ProgramTest, HelpAndVersionSucceed) {
  EXPECT_EQ(run_with({"--help"}).status, 0);
  Said help = run_with({"vpc", "attach", "--help"});
  EXPECT_EQ(help.status, 0);
  EXPECT_NE(help.out.find("--vxlan"), std::string::npos);
  EXPECT_TRUE(run_with({"--version"}).out.starts_with("hearth "));
}

TEST_F(ProgramTest, WrongUsageIsStatus2AndOneLine) {
  for (const auto& arguments : std::vector<std::vector<std::string>>{{},
                                                                     {"bogus"},
                                                                     {"invoke"},
                                                                     {"status", "--bogus"},
                                                                     {"--account", "12", "status"},
                                                                     {"logs", "f", "--tail", "10001"},
                                                                     {"vpc", "attach", "v", "--vlan", "2"},
                                                                     {"vpc", "attach", "v", "--vxlan", "2"},
                                                                     {"invocations", "--limit", "0"}}) {
    Said said = run_with(arguments);
    EXPECT_EQ(said.status, 2) << said.err;
    EXPECT_TRUE(said.err.starts_with("hearth: ")) << said.err;
    EXPECT_EQ(std::ranges::count(said.err, '\n'), 1) << said.err;
    EXPECT_EQ(said.out, "");
  }
  EXPECT_EQ(run_with({"bogus"}).err, "hearth: \"bogus\" is no command (hearth --help)\n");
}

TEST_F(ProgramTest, ConfigIsShownWithoutADaemon) {
  Said table = run_with({"config", "show"});
  EXPECT_EQ(table.status, 0);
  EXPECT_NE(table.out.find("pool.min"), std::string::npos);
  Said list = run_with({"config", "show", "--json"});
  EXPECT_NE(list.out.find(R"("key":"pool.min","value":"2","origin":"file")"), std::string::npos) << list.out;
  EXPECT_NE(list.out.find(R"("key":"port","value":"1","origin":"environment")"), std::string::npos) << list.out;
  EXPECT_EQ(run_with({"config"}).out, table.out);
}

TEST_F(ProgramTest, EnvironmentComesFromTheDefaultAccountsKey) {
  write_key("credentials");
  EXPECT_EQ(run_with({"env"}).out,
            "export AWS_ENDPOINT_URL='http://127.0.0.1:1'\n"
            "export AWS_REGION='eu-x-1'\n"
            "export AWS_DEFAULT_REGION='eu-x-1'\n"
            "export AWS_ACCESS_KEY_ID='AKIA0'\n"
            "export AWS_SECRET_ACCESS_KEY='secret'\n");
}

TEST_F(ProgramTest, SaysThatTheDaemonIsAwayOrWasNeverThere) {
  Said never = run_with({"status"});
  EXPECT_EQ(never.status, 1);
  EXPECT_EQ(never.err,
            "hearth: " + state_ + "/operator is not there — was hearthd ever started with this state? (./dev up)\n");
  write_key("operator");
  Said away = run_with({"status"});
  EXPECT_EQ(away.status, 1);
  EXPECT_EQ(away.err, "hearth: no answer from 127.0.0.1:1 — is hearthd running? (./dev up)\n");
}

TEST_F(ProgramTest, TellsWhatIsWrongWithAKeyFile) {
  std::ofstream(state_ + "/operator") << "{}";
  EXPECT_EQ(run_with({"pool"}).err, "hearth: " + state_ + "/operator.access_key_id is missing\n");
  std::ofstream(state_ + "/operator") << std::string(20'000, ' ');
  EXPECT_EQ(run_with({"pool"}).err, "hearth: " + state_ + "/operator is over 16384 bytes\n");
}

}  // namespace
}  // namespace hearth::cli
