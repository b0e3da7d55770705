#include "api/admin/account_routes.h"

#include <fmt/format.h>

namespace hearth::api::admin {

void AccountRoutes::add_to(Router& router) {
  router.add("GET", "accounts", this, &AccountRoutes::list);
  router.add("POST", "accounts", this, &AccountRoutes::create);
  router.add("GET", "accounts/{account}/credentials", this, &AccountRoutes::credentials);
  router.add("POST", "accounts/{account}/keys", this, &AccountRoutes::new_key);
  router.add("DELETE", "accounts/{account}", this, &AccountRoutes::remove);
}

Result<AccountId> AccountRoutes::account_of(const Request& request) const {
  TRY(request.only_query({}));
  AccountId account(request.parts[0]);
  TRY(check_account(account));
  if (!needs_.accounts.contains(account)) {
    return fail(Kind::not_found, fmt::format("there is no account {}", account.str()));
  }
  return account;
}

json::object AccountRoutes::describe(const AccountId& account, const AccessKey& key) const {
  const Config& config = needs_.config;
  bool is_v6 = config.listen.find(':') != config.listen.npos;
  return {{"account", account.str()},
          {"access_key_id", key.access_key_id},
          {"secret_access_key", key.secret_access_key},
          {"region", config.region},
          {"endpoint", is_v6 ? fmt::format("http://[{}]:{}", config.listen, config.port)
                             : fmt::format("http://{}:{}", config.listen, config.port)}};
}

boost::asio::awaitable<Outcome> AccountRoutes::list(Request request) {
  CO_TRY(request.only_query({}));
  json::array accounts;
  for (const auto& account : needs_.accounts.list()) {
    CO_TRY_ASSIGN(AccessKey key, needs_.accounts.key_of(account));
    accounts.push_back(json::object{{"account", account.str()},
                                    {"default", account.str() == needs_.config.default_account},
                                    {"access_key_id", key.access_key_id},
                                    {"functions", needs_.functions.count(account)},
                                    {"vpcs", needs_.networks.vpcs(account).size()}});
  }
  co_return json::object{{"accounts", std::move(accounts)}};
}

boost::asio::awaitable<Outcome> AccountRoutes::create(Request request) {
  CO_TRY(request.only_query({}));
  CO_TRY_ASSIGN(json::value body, request.body());
  CO_TRY_ASSIGN(FieldReader reader, FieldReader::of(body, "body"));
  CO_TRY_ASSIGN(std::string text, reader.text("account", 12));
  CO_TRY(reader.finish());
  AccountId account(text);
  CO_TRY(check_account(account));
  CO_TRY_ASSIGN(AccessKey key, co_await needs_.accounts.create(account));
  co_return describe(account, key);
}

boost::asio::awaitable<Outcome> AccountRoutes::credentials(Request request) {
  CO_TRY_ASSIGN(AccountId account, account_of(request));
  CO_TRY_ASSIGN(AccessKey key, needs_.accounts.key_of(account));
  co_return describe(account, key);
}

boost::asio::awaitable<Outcome> AccountRoutes::new_key(Request request) {
  CO_TRY_ASSIGN(AccountId account, account_of(request));
  CO_TRY_ASSIGN(AccessKey key, co_await needs_.accounts.new_key(account));
  co_return describe(account, key);
}

boost::asio::awaitable<Outcome> AccountRoutes::remove(Request request) {
  CO_TRY_ASSIGN(AccountId account, account_of(request));
  if (account.str() == needs_.config.default_account) {
    co_return fail(Kind::conflict,
                   fmt::format("account {} is the default account, which always is there", account.str()));
  }
  size_t functions = needs_.functions.count(account);
  size_t vpcs = needs_.networks.vpcs(account).size();
  if (functions + vpcs > 0) {
    co_return fail(Kind::conflict,
                   fmt::format("account {} is not empty: {} functions, {} VPCs", account.str(), functions, vpcs));
  }
  CO_TRY(co_await needs_.accounts.remove(account));
  co_return json::object{};
}

}  // namespace hearth::api::admin
