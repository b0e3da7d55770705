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

Result<void> print_lines(Context& context, const json::value& answer) {
  const json::value* lines = answer.is_object() ? answer.get_object().if_contains("lines") : nullptr;
  if (lines == nullptr || !lines->is_array()) return fail(Kind::internal, "hearthd's answer has no lines");
  for (const auto& line : lines->get_array()) {
    fmt::print("{}\n", context.json() ? json::serialize(json::object{{"line", cell(line)}}) : cell(line));
  }
  // A reader of a pipe sees a followed log at once; one who is gone ends it.
  if (fflush(stdout) != 0) return fail_errno("standard output");
  return {};
}

Result<int> show_log(Context& context, const Options& options) {
  TRY_ASSIGN(std::string account, context.account());
  const std::string path = "logs/" + account + "/" + options.name;
  TRY_ASSIGN(json::value answer, context.admin("GET", path, {{"tail", std::to_string(options.tail)}}));
  TRY(print_lines(context, answer));
  while (options.follow) {
    Query query{{"after", cell(answer, "next")}, {"wait_ms", kWaitMs}};
    if (query["after"].empty()) query["tail"] = "10000";  // there is no log yet: all of it is new
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
