// Accounts: who may call: accounts of 12 digits, their access keys, and the operator's.
//
// Durable in the registry ("account/<12 digits>", "account/operator"); a key is seen once it is. The default account
// and the operator get their keys at the first start. Every account also has one set of temporary-looking credentials
// (ASIA…, with a session token) which its functions get.
// Refuses: an account that is not 12 digits, one that is there, more than kMaxAccounts or kMaxKeys.
//
// Pointers that find() answers are good until the next co_await. Owned by the loop's thread.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/config.h"
#include "base/ids.h"
#include "base/result.h"
#include "store/registry.h"

namespace hearth::api {

struct AccessKey {
  std::string access_key_id;
  std::string secret_access_key;
  std::string session_token;  // "" unless temporary
};

// Whom a key speaks for.
struct Caller {
  AccountId account;
  AccessKey key;
  bool is_operator = false;
};

class Accounts {
 public:
  static constexpr size_t kMaxAccounts = 1000;
  static constexpr size_t kMaxKeys = 10;  // an account

  static boost::asio::awaitable<Result<std::unique_ptr<Accounts>>> load(store::Registry& registry,
                                                                        const Config& config);

  // nullptr when nobody has that key.
  const Caller* find(std::string_view access_key_id) const;
  std::vector<AccountId> list() const;
  bool contains(const AccountId& account) const { return accounts_.contains(account); }
  // Its newest.
  Result<AccessKey> key_of(const AccountId& account) const;
  const AccessKey& operator_key() const { return operator_key_; }

  boost::asio::awaitable<Result<AccessKey>> create(AccountId account);
  boost::asio::awaitable<Result<AccessKey>> new_key(AccountId account);
  boost::asio::awaitable<Result<>> remove(AccountId account);

  // AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN for a function of the account; nothing for an
  // account that is gone.
  std::vector<std::pair<std::string, std::string>> function_environment(const AccountId& account) const;

  // Writes <state>/credentials (the default account's) and <state>/operator, mode 0600, for the CLI and scripts.
  // `endpoint`: "http://127.0.0.1:9120".
  Result<> write_files(const std::string& endpoint) const;

 private:
  struct Account {
    std::vector<AccessKey> keys;  // oldest first
    AccessKey function_key;
    int64_t version = 0;  // of the record
  };
  struct TextHash {
    using is_transparent = void;
    size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
  };

  Accounts(store::Registry& registry, const Config& config) : registry_(registry), config_(config) {}
  static boost::asio::awaitable<Result<std::unique_ptr<Accounts>>> filled(std::unique_ptr<Accounts> accounts);
  boost::asio::awaitable<Result<>> read_records();
  boost::asio::awaitable<Result<>> ensure_operator();
  boost::asio::awaitable<Result<>> save(AccountId id, Account account);
  void index(const AccountId& id, const Account& account);
  void unindex(const AccountId& id);
  static std::string encode(const Account& account);
  static Result<Account> decode(const store::Record& record);

  store::Registry& registry_;
  const Config& config_;
  std::map<AccountId, Account> accounts_;
  AccessKey operator_key_;
  std::unordered_map<std::string, Caller, TextHash, std::equal_to<>> callers_;
};

// Kind::invalid unless it is 12 digits.
Result<> check_account(const AccountId& account);

}  // namespace hearth::api
