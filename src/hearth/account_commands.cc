#include <fmt/format.h>

#include <memory>

#include "hearth/commands.h"
#include "hearth/table.h"

namespace hearth::cli {
namespace {

Result<int> list_accounts(Context& context) {
  TRY_ASSIGN(json::value answer, context.admin("GET", "accounts"));
  TRY_ASSIGN(json::array accounts, list_in(answer, "accounts"));
  print(context, accounts, [&] {
    Table table({"ACCOUNT", "DEFAULT", "FUNCTIONS", "VPCS", "ACCESS KEY ID"});
    for (const auto& account : accounts) {
      table.add({cell(account, "account"), cell(account, "default"), cell(account, "functions"), cell(account, "vpcs"),
                 cell(account, "access_key_id")});
    }
    return table.text();
  });
  return 0;
}

void print_key(Context& context, const json::value& key) {
  print(context, key, [&] {
    return text_of_pairs({{"account", cell(key, "account")},
                          {"access key id", cell(key, "access_key_id")},
                          {"secret access key", cell(key, "secret_access_key")}});
  });
}

Result<int> create_account(Context& context, const std::string& account) {
  TRY_ASSIGN(json::value key, context.admin("POST", "accounts", {}, json::object{{"account", account}}));
  print_key(context, key);
  return 0;
}

Result<int> make_key(Context& context, const std::string& account) {
  TRY_ASSIGN(json::value key, context.admin("POST", "accounts/" + account + "/keys"));
  print_key(context, key);
  return 0;
}

Result<int> delete_account(Context& context, const std::string& account) {
  TRY(context.admin("DELETE", "accounts/" + account));
  print(context, json::object{{"deleted", account}}, [&] { return fmt::format("account {} is deleted\n", account); });
  return 0;
}

}  // namespace

void add_account_commands(CLI::App& program, Actions& actions) {
  auto* group = program.add_subcommand("account", "Accounts and their keys (alone: list)");
  group->require_subcommand(0, 1);
  actions.on_alone(group, list_accounts);
  actions.on(group->add_subcommand("list", "All accounts"), list_accounts);
  auto account = std::make_shared<std::string>();
  auto add = [&](const char* name, const char* meaning, Result<int> (*action)(Context&, const std::string&)) {
    auto* command = group->add_subcommand(name, meaning);
    command->add_option("account", *account, "12 digits")->required();
    actions.on(command, [account, action](Context& context) { return action(context, *account); });
  };
  add("create", "Make one and print its key", create_account);
  add("key", "Make a new key for one and print it", make_key);
  add("delete", "Delete one that holds no function and no VPC", delete_account);
}

}  // namespace hearth::cli
