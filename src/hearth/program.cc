#include "hearth/program.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>

#include "hearth/commands.h"

namespace hearth::cli {
namespace {

constexpr int kFailed = 1;
constexpr int kWrongUsage = 2;

void complain(const std::string& message) { fmt::print(stderr, "hearth: {}\n", message); }

// "functions show": the commands that were understood.
std::string path_of(const CLI::App& program) {
  std::string path;
  for (auto below = program.get_subcommands(); !below.empty(); below = below.back()->get_subcommands()) {
    path += below.back()->get_name() + " ";
  }
  return path;
}

// One line; CLI11 would call for a command where there is one that it does not know.
std::string message_of(const CLI::App& program, const CLI::ParseError& error) {
  auto unknown = program.remaining(true);
  if (error.get_name() == "RequiredError" && !unknown.empty()) {
    return fmt::format("\"{}\" is no command", unknown.front());
  }
  std::string message = error.what();
  return message.substr(0, message.find('\n'));
}

void add_global_options(CLI::App& program, Globals& globals) {
  program.add_option("--config", globals.config_file, "Configuration file (default: /etc/hearth/hearth.toml if there)");
  program.add_option("--account", globals.account, "Account to act in (default: account.default)")
      ->check([](const std::string& text) {
        bool digits = text.size() == 12 && text.find_first_not_of("0123456789") == text.npos;
        return digits ? std::string() : std::string("an account is 12 digits");
      });
  program.add_flag("--json", globals.json, "Print JSON for scripts");
  program.set_version_flag("--version", "hearth " HEARTH_VERSION);
}

// Output that could not be written is a failure too: a full disk must not look like success.
int finish_output(int status) {
  if (fflush(stdout) == 0 && ferror(stdout) == 0) return status;
  complain("standard output could not be written");
  return kFailed;
}

int perform(const Actions& actions, Globals globals, std::vector<std::string> environment) {
  Context context(std::move(globals), std::move(environment));
  auto status = actions.chosen()(context);
  if (status) return finish_output(*status);
  complain(status.error().message);
  return kFailed;
}

}  // namespace

int run(std::vector<std::string> arguments, std::vector<std::string> environment) {
  CLI::App program("Hearth: functions in warm containers, in your own network", "hearth");
  Globals globals;
  Actions actions;
  program.require_subcommand(1);
  program.fallthrough();
  add_global_options(program, globals);
  add_overview_commands(program, actions);
  add_function_commands(program, actions);
  add_invoke_command(program, actions);
  add_log_command(program, actions);
  add_vpc_commands(program, actions);
  add_account_commands(program, actions);
  add_runtime_commands(program, actions);
  add_config_commands(program, actions);
  std::ranges::reverse(arguments);  // CLI11 takes them from the back
  try {
    program.parse(std::move(arguments));
  } catch (const CLI::Success& shown) {  // --help, --version
    return finish_output(program.exit(shown));
  } catch (const CLI::ParseError& error) {
    complain(fmt::format("{} (hearth {}--help)", message_of(program, error), path_of(program)));
    return kWrongUsage;
  }
  return perform(actions, std::move(globals), std::move(environment));
}

Result<json::array> list_in(const json::value& answer, std::string_view name) {
  const json::value* list = nullptr;
  if (answer.is_object()) list = answer.get_object().if_contains(json::string_view(name.data(), name.size()));
  bool good = list != nullptr && list->is_array() &&
              std::ranges::all_of(list->get_array(), [](const json::value& item) { return item.is_object(); });
  if (!good) return fail(Kind::internal, fmt::format("hearthd's answer has no list {}", name));
  return list->get_array();
}

}  // namespace hearth::cli
