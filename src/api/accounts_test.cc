#include "api/accounts.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "api/registry_in_memory_test.h"
#include "base/json.h"
#include "base/run_test.h"

namespace hearth::api {
namespace {

class AccountsTest : public testing::Test {
 protected:
  Config config_;
  RegistryInMemory registry_;
  std::unique_ptr<Accounts> load() {
    auto accounts = run(Accounts::load(registry_, config_));
    EXPECT_TRUE(accounts) << accounts.error().describe();
    return std::move(*accounts);
  }
};

TEST_F(AccountsTest, the_first_start_makes_the_default_account_and_the_operator) {
  auto accounts = load();
  EXPECT_EQ(accounts->list(), std::vector<AccountId>{AccountId("000000000000")});
  auto key = accounts->key_of(AccountId("000000000000"));
  ASSERT_TRUE(key);
  EXPECT_EQ(key->access_key_id.size(), 20u);
  EXPECT_TRUE(key->access_key_id.starts_with("AKIA"));
  EXPECT_EQ(key->secret_access_key.size(), 40u);
  const Caller* caller = accounts->find(key->access_key_id);
  ASSERT_NE(caller, nullptr);
  EXPECT_FALSE(caller->is_operator);
  const Caller* its_operator = accounts->find(accounts->operator_key().access_key_id);
  ASSERT_NE(its_operator, nullptr);
  EXPECT_TRUE(its_operator->is_operator);
  EXPECT_EQ(accounts->find("AKIANOBODY"), nullptr);
}

TEST_F(AccountsTest, keys_survive_a_restart) {
  auto first = load();
  AccountId second_account("123456789012");
  auto made = run(first->create(second_account));
  ASSERT_TRUE(made);
  auto another = run(first->new_key(second_account));
  ASSERT_TRUE(another);
  auto again = load();
  EXPECT_EQ(again->operator_key().access_key_id, first->operator_key().access_key_id);
  for (const auto& key : {*made, *another}) {
    const Caller* caller = again->find(key.access_key_id);
    ASSERT_NE(caller, nullptr);
    EXPECT_EQ(caller->account, second_account);
    EXPECT_EQ(caller->key.secret_access_key, key.secret_access_key);
  }
  EXPECT_EQ(again->key_of(second_account)->access_key_id, another->access_key_id);
  EXPECT_EQ(again->function_environment(second_account), first->function_environment(second_account));
}

TEST_F(AccountsTest, accounts_are_twelve_digits_and_made_once) {
  auto accounts = load();
  for (const char* bad : {"", "12345678901", "1234567890123", "12345678901a", "operator"}) {
    EXPECT_EQ(run(accounts->create(AccountId(bad))).error().kind, Kind::invalid) << bad;
  }
  EXPECT_EQ(run(accounts->create(AccountId("000000000000"))).error().kind, Kind::conflict);
}

TEST_F(AccountsTest, accounts_and_keys_have_limits) {
  auto accounts = load();
  AccountId account("000000000000");
  for (size_t i = 1; i < Accounts::kMaxKeys; ++i) ASSERT_TRUE(run(accounts->new_key(account)));
  EXPECT_EQ(run(accounts->new_key(account)).error().kind, Kind::exhausted);
  for (size_t i = 1; i < Accounts::kMaxAccounts; ++i) {
    ASSERT_TRUE(run(accounts->create(AccountId(std::to_string(100'000'000'000 + i)))));
  }
  EXPECT_EQ(run(accounts->create(AccountId("999999999999"))).error().kind, Kind::exhausted);
  EXPECT_EQ(load()->list().size(), Accounts::kMaxAccounts);
}

TEST_F(AccountsTest, what_was_not_stored_is_not_seen) {
  auto accounts = load();
  registry_.broken = true;
  AccountId account("123456789012");
  EXPECT_FALSE(run(accounts->create(account)));
  EXPECT_FALSE(accounts->contains(account));
  EXPECT_EQ(accounts->list().size(), 1u);
}

TEST_F(AccountsTest, a_removed_accounts_keys_are_worth_nothing) {
  auto accounts = load();
  AccountId account("123456789012");
  auto key = run(accounts->create(account));
  ASSERT_TRUE(key);
  auto in_function = accounts->function_environment(account);
  ASSERT_TRUE(run(accounts->remove(account)));
  EXPECT_EQ(accounts->find(key->access_key_id), nullptr);
  EXPECT_EQ(accounts->find(in_function.at(0).second), nullptr);
  EXPECT_TRUE(accounts->function_environment(account).empty());
  EXPECT_EQ(run(accounts->remove(account)).error().kind, Kind::not_found);
  EXPECT_EQ(run(accounts->remove(AccountId("000000000000"))).error().kind, Kind::conflict);
}

TEST_F(AccountsTest, an_account_that_could_not_be_removed_is_as_before) {
  auto accounts = load();
  AccountId account("123456789012");
  auto key = run(accounts->create(account));
  ASSERT_TRUE(key);
  registry_.broken = true;
  EXPECT_FALSE(run(accounts->remove(account)));
  ASSERT_NE(accounts->find(key->access_key_id), nullptr);
  EXPECT_EQ(accounts->find(key->access_key_id)->account, account);
  registry_.broken = false;
  EXPECT_TRUE(run(accounts->remove(account)));
  EXPECT_EQ(accounts->find(key->access_key_id), nullptr);
}

TEST_F(AccountsTest, functions_get_temporary_credentials) {
  auto accounts = load();
  std::map<std::string, std::string> variables;
  for (auto& [name, value] : accounts->function_environment(AccountId("000000000000"))) variables[name] = value;
  EXPECT_TRUE(variables["AWS_ACCESS_KEY_ID"].starts_with("ASIA"));
  EXPECT_FALSE(variables["AWS_SESSION_TOKEN"].empty());
  EXPECT_EQ(variables.size(), 3u);
  const Caller* caller = accounts->find(variables["AWS_ACCESS_KEY_ID"]);
  ASSERT_NE(caller, nullptr);
  EXPECT_EQ(caller->account.str(), "000000000000");
  EXPECT_FALSE(caller->is_operator);
}

TEST_F(AccountsTest, credential_files_are_private_json) {
  char folder[] = "/tmp/hearth-accounts-XXXXXX";
  ASSERT_NE(::mkdtemp(folder), nullptr);
  config_.state = folder;
  auto accounts = load();
  ASSERT_TRUE(accounts->write_files("http://127.0.0.1:9120"));
  ASSERT_TRUE(accounts->write_files("http://127.0.0.1:9120"));  // again, over what is there
  for (const char* name : {"credentials", "operator"}) {
    std::string path = config_.state + "/" + name;
    struct stat status{};
    ASSERT_EQ(::stat(path.c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777, 0600u);
    std::ifstream file(path);
    std::stringstream text;
    text << file.rdbuf();
    auto object = json::parse(text.str()).as_object();
    EXPECT_EQ(object.at("endpoint"), "http://127.0.0.1:9120");
    EXPECT_EQ(object.at("region"), "us-east-1");
    EXPECT_EQ(object.at("account"), "000000000000");
    const Caller* caller = accounts->find(std::string(object.at("access_key_id").as_string()));
    ASSERT_NE(caller, nullptr);
    EXPECT_EQ(caller->is_operator, std::string(name) == "operator");
    EXPECT_EQ(json::value(caller->key.secret_access_key), object.at("secret_access_key"));
  }
  std::filesystem::remove_all(folder);
  EXPECT_FALSE(accounts->write_files("http://127.0.0.1:9120"));
}

}  // namespace
}  // namespace hearth::api
