#include <fmt/format.h>

#include <cstdio>
#include <memory>

#include "hearth/commands.h"
#include "hearth/table.h"

namespace hearth::cli {
namespace {

constexpr const char* kWaitMs = "20000";  // one long poll

struct Options {
  std::string name;
  int64_t tail = 100;
  bool follow = false;
};

Result<> print_lines(const Context& context, const json::value& answer) {
  TRY_ASSIGN(json::array lines, list_in(answer, "lines"));
  for (const auto& line : lines) {
    if (context.json())
      fmt::print("{}\n", json::serialize(line));
    else
      fmt::print("{}  {}\n", cell(line, "at"), cell(line, "text"));
  }
  if (auto dropped = cell(answer, "dropped"); !dropped.empty()) {
    fmt::print(stderr, "hearth: {} lines came faster than they were read\n", dropped);
  }
  // A reader of a pipe sees a followed log at once; one who is gone ends it.
  if (fflush(stdout) != 0) return fail_errno("standard output");
  return {};
}

Result<int> show_log(Context& context, const Options& options) {
  TRY_ASSIGN(std::string account, context.account());
  const std::string path = "logs/" + account + "/" + options.name;
  Query query{{"tail", std::to_string(options.tail)}};
  if (options.follow) query["follow"] = "true";
  TRY_ASSIGN(json::value answer, context.admin("GET", path, query));
  TRY(print_lines(context, answer));
  while (options.follow) {
    query = {{"after", cell(answer, "next")}, {"wait_ms", kWaitMs}};
    TRY_ASSIGN(answer, context.admin("GET", path, query));
    TRY(print_lines(context, answer));
  }
  return 0;
}

}  // namespace

void add_log_command(CLI::App& program, Actions& actions) {
  auto options = std::make_shared<Options>();
  auto* command = program.add_subcommand("logs", "What a function wrote");
  command->add_option("name", options->name, "Function")->required();
  command->add_option("--tail", options->tail, "How many lines, the last ones (default: 100)")
      ->check(CLI::Range(0, 10'000));
  command->add_flag("-f,--follow", options->follow, "Go on with what it writes");
  actions.on(command, [options](Context& context) { return show_log(context, *options); });
}

}  // namespace hearth::cli
