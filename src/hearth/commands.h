// The command groups of the CLI. Each adds its commands to the program; a command parsed is an Action chosen.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <utility>

#include "base/result.h"
#include "hearth/context.h"

namespace hearth::cli {

// What a command does, after everything was parsed: its exit status, or why it failed.
using Action = std::function<Result<int>(Context&)>;

class Actions {
 public:
  // `command` chooses `action`.
  void on(CLI::App* command, Action action) {
    command->callback([this, chosen = std::move(action)] { chosen_ = chosen; });
  }
  // `group`, when none of its commands follows.
  void on_alone(CLI::App* group, Action action) {
    group->callback([this, group, chosen = std::move(action)] {
      if (group->get_subcommands().empty()) chosen_ = chosen;
    });
  }
  const Action& chosen() const { return chosen_; }

 private:
  Action chosen_;
};

void add_overview_commands(CLI::App& program, Actions& actions);  // status, invocations, pool, gateway, env
void add_function_commands(CLI::App& program, Actions& actions);  // functions
void add_invoke_command(CLI::App& program, Actions& actions);
void add_log_command(CLI::App& program, Actions& actions);
void add_vpc_commands(CLI::App& program, Actions& actions);
void add_account_commands(CLI::App& program, Actions& actions);
void add_runtime_commands(CLI::App& program, Actions& actions);
void add_config_commands(CLI::App& program, Actions& actions);

// The member `name` of an answer, an array of objects; Kind::internal when it is something else.
Result<json::array> list_in(const json::value& answer, std::string_view name);

}  // namespace hearth::cli
