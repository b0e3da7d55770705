#include <fmt/format.h>

#include <memory>

#include "hearth/commands.h"
#include "hearth/table.h"

namespace hearth::cli {
namespace {

Result<int> list_runtimes(Context& context) {
  TRY_ASSIGN(json::value answer, context.admin("GET", "runtimes"));
  TRY_ASSIGN(json::array runtimes, list_in(answer, "runtimes"));
  print(context, runtimes, [&] {
    Table table({"RUNTIME", "INSTALLED", "ALIAS OF", "SET BY"});
    for (const auto& runtime : runtimes) {
      table.add(
          {cell(runtime, "runtime"), cell(runtime, "installed"), cell(runtime, "alias_of"), cell(runtime, "origin")});
    }
    return table.text();
  });
  return 0;
}

Result<int> add_alias(Context& context, const std::string& name, const std::string& target) {
  TRY_ASSIGN(json::value alias, context.admin("PUT", "runtimes/aliases/" + name, {}, json::object{{"target", target}}));
  print(context, alias, [&] { return fmt::format("{} now means {}\n", name, target); });
  return 0;
}

Result<int> remove_alias(Context& context, const std::string& name) {
  TRY(context.admin("DELETE", "runtimes/aliases/" + name));
  print(context, json::object{{"removed", name}}, [&] { return fmt::format("{} is no alias any more\n", name); });
  return 0;
}

}  // namespace

void add_runtime_commands(CLI::App& program, Actions& actions) {
  auto* group = program.add_subcommand("runtime", "Language runtimes and aliases among them (alone: list)");
  group->require_subcommand(0, 1);
  actions.on_alone(group, list_runtimes);
  actions.on(group->add_subcommand("list", "What functions may ask for"), list_runtimes);
  auto name = std::make_shared<std::string>();
  auto target = std::make_shared<std::string>();
  auto* alias = group->add_subcommand("alias", "Let functions that ask for NAME get TARGET");
  alias->add_option("name", *name, "Runtime that is not installed here")->required();
  alias->add_option("target", *target, "Runtime that is")->required();
  actions.on(alias, [name, target](Context& context) { return add_alias(context, *name, *target); });
  auto* unalias = group->add_subcommand("unalias", "Undo alias");
  unalias->add_option("name", *name, "Alias")->required();
  actions.on(unalias, [name](Context& context) { return remove_alias(context, *name); });
}

}  // namespace hearth::cli
