#include <fmt/format.h>

#include "hearth/commands.h"
#include "hearth/table.h"

namespace hearth::cli {
namespace {

json::array list_of(const std::vector<Config::Item>& items) {
  json::array list;
  for (const auto& item : items) {
    list.push_back(json::object{{"key", item.key},
                                {"value", item.value},
                                {"origin", item.origin},
                                {"environment", item.environment},
                                {"accepts", item.accepts}});
  }
  return list;
}

// Reads the configuration as the daemons do; they need not run.
Result<int> show_config(Context& context) {
  TRY_ASSIGN(Config config, context.config());
  auto items = config.items();
  print(context, list_of(items), [&] {
    Table table({"KEY", "VALUE", "FROM"});
    for (const auto& item : items) table.add({item.key, item.value.empty() ? "\"\"" : item.value, item.origin});
    return table.text();
  });
  return 0;
}

// The table of docs/configuration.md: every key with its default.
Result<int> show_reference(Context& context) {
  auto items = Config().items();
  print(context, list_of(items), [&] {
    std::string text = "| key | variable | default | accepts | meaning |\n|---|---|---|---|---|\n";
    for (const auto& item : items) {
      std::string value = item.value.empty() ? "" : "`" + item.value + "`";
      text += fmt::format("| `{}` | `{}` | {} | {} | {} |\n", item.key, item.environment, value, item.accepts,
                          item.meaning);
    }
    return text;
  });
  return 0;
}

}  // namespace

void add_config_commands(CLI::App& program, Actions& actions) {
  auto* config = program.add_subcommand("config", "The configuration (alone: show)");
  config->require_subcommand(0, 1);
  actions.on_alone(config, show_config);
  actions.on(config->add_subcommand("show", "What holds, and from where"), show_config);
  actions.on(config->add_subcommand("reference", "Every key, as a table in Markdown"), show_reference);
}

}  // namespace hearth::cli
