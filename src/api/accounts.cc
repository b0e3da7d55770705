#include "api/accounts.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/random.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "base/fd.h"
#include "base/json.h"

namespace hearth::api {
namespace asio = boost::asio;

namespace {

constexpr std::string_view kPrefix = "account/";
constexpr std::string_view kOperator = "account/operator";

std::string random_text(size_t count, std::string_view alphabet) {
  std::string text;
  while (text.size() < count) {
    uint8_t bytes[64];
    if (getrandom(bytes, sizeof bytes, 0) != static_cast<ssize_t>(sizeof bytes)) std::abort();
    for (uint8_t byte : bytes) {
      // Bytes over the last whole round of the alphabet would make its first letters likelier.
      bool even = byte < 256 - 256 % alphabet.size();
      if (even && text.size() < count) text.push_back(alphabet[byte % alphabet.size()]);
    }
  }
  return text;
}

AccessKey make_key(std::string_view prefix) {
  constexpr std::string_view kIdLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
  constexpr std::string_view kLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
  return {std::string(prefix) + random_text(16, kIdLetters), random_text(40, kLetters), ""};
}

AccessKey make_function_key() {
  AccessKey key = make_key("ASIA");
  key.session_token =
      "IQoJb3JpZ2luX2Vj" + random_text(120, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789");
  return key;
}

json::object to_json(const AccessKey& key) {
  json::object object{{"access_key_id", key.access_key_id}, {"secret_access_key", key.secret_access_key}};
  if (!key.session_token.empty()) object["session_token"] = key.session_token;
  return object;
}

Result<AccessKey> read_key(const json::value& value, const std::string& path) {
  TRY_ASSIGN(auto reader, FieldReader::of(value, path));
  AccessKey key;
  TRY_ASSIGN(key.access_key_id, reader.text("access_key_id", 128));
  TRY_ASSIGN(key.secret_access_key, reader.text("secret_access_key", 128));
  TRY_ASSIGN(key.session_token, reader.text_or("session_token", 1024, ""));
  TRY(reader.finish());
  return key;
}

// Whole or not at all, whoever reads meanwhile.
Result<> write_private(const std::string& path, const std::string& text) {
  std::string fresh = path + ".new";
  Fd fd(::open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd.valid()) return fail_errno("open " + fresh);
  if (::fchmod(fd.get(), 0600) < 0) return fail_errno("chmod " + fresh);
  if (::write(fd.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
    return fail_errno("write " + fresh);
  }
  if (::fsync(fd.get()) < 0) return fail_errno("fsync " + fresh);
  if (::rename(fresh.c_str(), path.c_str()) < 0) return fail_errno("rename " + fresh);
  return {};
}

}  // namespace

Result<> check_account(const AccountId& account) {
  if (is_account(account.str())) return {};
  return fail(Kind::invalid, fmt::format("account '{}' is not 12 digits", account.str().substr(0, 64)));
}

std::string Accounts::encode(const Account& account) {
  json::array keys;
  for (const AccessKey& key : account.keys) keys.push_back(to_json(key));
  return json::serialize(json::object{{"keys", keys}, {"function_key", to_json(account.function_key)}});
}

Result<Accounts::Account> Accounts::decode(const store::Record& record) {
  TRY_ASSIGN(json::value value, parse_json(record.value, store::Registry::kMaxValue));
  TRY_ASSIGN(auto reader, FieldReader::of(value, record.key));
  Account account;
  account.version = record.version;
  TRY_ASSIGN(auto keys, reader.items_or_none("keys", kMaxKeys));
  for (const json::value* key : keys) {
    TRY_ASSIGN(AccessKey read, read_key(*key, record.key + ".keys"));
    account.keys.push_back(std::move(read));
  }
  TRY_ASSIGN(const json::value* function_key, reader.member("function_key"));
  TRY_ASSIGN(account.function_key, read_key(*function_key, record.key + ".function_key"));
  TRY(reader.finish());
  return account;
}

asio::awaitable<Result<std::unique_ptr<Accounts>>> Accounts::load(store::Registry& registry, const Config& config) {
  return filled(std::unique_ptr<Accounts>(new Accounts(registry, config)));
}

asio::awaitable<Result<std::unique_ptr<Accounts>>> Accounts::filled(std::unique_ptr<Accounts> accounts) {
  AccountId default_account(accounts->config_.default_account);
  CO_TRY(check_account(default_account));
  CO_TRY(co_await accounts->read_records());
  CO_TRY(co_await accounts->ensure_operator());
  if (!accounts->contains(default_account)) CO_TRY(co_await accounts->create(default_account));
  co_return accounts;
}

asio::awaitable<Result<>> Accounts::read_records() {
  CO_TRY_ASSIGN(auto records, co_await registry_.list(std::string(kPrefix), "", kMaxAccounts + 1));
  for (const store::Record& record : records) {
    if (record.key == kOperator) continue;
    CO_TRY_ASSIGN(Account account, decode(record));
    AccountId id(record.key.substr(kPrefix.size()));
    index(id, account);
    accounts_.emplace(id, std::move(account));
  }
  co_return Result<>();
}

asio::awaitable<Result<>> Accounts::ensure_operator() {
  auto record = co_await registry_.get(std::string(kOperator));
  if (record) {
    CO_TRY_ASSIGN(json::value value, parse_json(record->value, store::Registry::kMaxValue));
    CO_TRY_ASSIGN(operator_key_, read_key(value, record->key));
  } else if (record.error().kind == Kind::not_found) {
    operator_key_ = make_key("AKIA");
    std::string text = json::serialize(to_json(operator_key_));
    CO_TRY(co_await registry_.put(std::string(kOperator), std::move(text), 0));
  } else {
    co_return std::unexpected(record.error());
  }
  Caller caller{AccountId(config_.default_account), operator_key_, true};
  callers_.emplace(operator_key_.access_key_id, std::move(caller));
  co_return Result<>();
}

const Caller* Accounts::find(std::string_view access_key_id) const {
  auto found = callers_.find(access_key_id);
  return found == callers_.end() ? nullptr : &found->second;
}

std::vector<AccountId> Accounts::list() const {
  std::vector<AccountId> ids;
  for (const auto& [id, account] : accounts_) ids.push_back(id);
  return ids;
}

Result<AccessKey> Accounts::key_of(const AccountId& account) const {
  auto found = accounts_.find(account);
  if (found == accounts_.end()) return fail(Kind::not_found, "there is no account " + account.str());
  return found->second.keys.back();
}

asio::awaitable<Result<AccessKey>> Accounts::create(AccountId id) {
  CO_TRY(check_account(id));
  if (contains(id)) co_return fail(Kind::conflict, "account " + id.str() + " exists");
  if (accounts_.size() >= kMaxAccounts) co_return fail(Kind::exhausted, fmt::format("over {} accounts", kMaxAccounts));
  Account account;
  account.keys.push_back(make_key("AKIA"));
  account.function_key = make_function_key();
  AccessKey key = account.keys.back();
  CO_TRY(co_await save(id, std::move(account)));
  co_return key;
}

asio::awaitable<Result<AccessKey>> Accounts::new_key(AccountId id) {
  auto found = accounts_.find(id);
  if (found == accounts_.end()) co_return fail(Kind::not_found, "there is no account " + id.str());
  Account account = found->second;
  if (account.keys.size() >= kMaxKeys) {
    co_return fail(Kind::exhausted, fmt::format("account {} has {} keys", id.str(), kMaxKeys));
  }
  AccessKey key = account.keys.emplace_back(make_key("AKIA"));
  CO_TRY(co_await save(id, std::move(account)));
  co_return key;
}

asio::awaitable<Result<>> Accounts::remove(AccountId id) {
  if (!contains(id)) co_return fail(Kind::not_found, "there is no account " + id.str());
  if (id.str() == config_.default_account) co_return fail(Kind::conflict, "the default account stays");
  unindex(id);  // nobody gets in while it goes
  auto removed = co_await registry_.remove(std::string(kPrefix) + id.str(), std::nullopt);
  if (!removed && removed.error().kind != Kind::not_found) {
    unindex(id);  // a key may have been made meanwhile
    if (auto found = accounts_.find(id); found != accounts_.end()) index(id, found->second);
    co_return removed;
  }
  unindex(id);
  accounts_.erase(id);
  co_return removed;
}

asio::awaitable<Result<>> Accounts::save(AccountId id, Account account) {
  CO_TRY_ASSIGN(account.version,
                co_await registry_.put(std::string(kPrefix) + id.str(), encode(account), account.version));
  unindex(id);
  index(id, account);
  accounts_.insert_or_assign(id, std::move(account));
  co_return Result<>();
}

void Accounts::index(const AccountId& id, const Account& account) {
  for (const AccessKey& key : account.keys) callers_.emplace(key.access_key_id, Caller{id, key, false});
  callers_.emplace(account.function_key.access_key_id, Caller{id, account.function_key, false});
}

void Accounts::unindex(const AccountId& id) {
  std::erase_if(callers_, [&](const auto& entry) { return !entry.second.is_operator && entry.second.account == id; });
}

std::vector<std::pair<std::string, std::string>> Accounts::function_environment(const AccountId& account) const {
  auto found = accounts_.find(account);
  if (found == accounts_.end()) return {};
  const AccessKey& key = found->second.function_key;
  return {{"AWS_ACCESS_KEY_ID", key.access_key_id},
          {"AWS_SECRET_ACCESS_KEY", key.secret_access_key},
          {"AWS_SESSION_TOKEN", key.session_token}};
}

Result<> Accounts::write_files(const std::string& endpoint) const {
  auto text = [&](const AccessKey& key) {
    json::object object{{"endpoint", endpoint}};
    for (auto& member : to_json(key)) object.insert(member);
    object["region"] = config_.region;
    object["account"] = config_.default_account;
    return json::serialize(object) + "\n";
  };
  TRY_ASSIGN(AccessKey key, key_of(AccountId(config_.default_account)));
  TRY(write_private(config_.state + "/credentials", text(key)));
  return write_private(config_.state + "/operator", text(operator_key_));
}

}  // namespace hearth::api
