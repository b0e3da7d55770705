#include <fmt/format.h>

#include <memory>

#include "hearth/commands.h"
#include "hearth/table.h"

namespace hearth::cli {
namespace {

constexpr const char* kFunctions = "/2015-03-31/functions/";
constexpr int kMaxPages = 1000;

HttpRequest lambda(std::string method, std::string path) {
  HttpRequest request;
  request.method = std::move(method);
  request.service = "lambda";
  request.path = std::move(path);
  return request;
}

std::string size_cell(const json::value& function) {
  const json::value* size = function.get_object().if_contains("CodeSize");
  return size != nullptr && size->is_int64() ? bytes(size->get_int64()) : "";
}

std::string describe_list(const json::array& functions) {
  Table table({"NAME", "RUNTIME", "HANDLER", "MEMORY", "TIMEOUT", "CODE", "VPC", "MODIFIED"});
  for (const auto& function : functions) {
    table.add({cell(function, "FunctionName"), cell(function, "Runtime"), cell(function, "Handler"),
               cell(function, "MemorySize") + " MiB", cell(function, "Timeout") + " s", size_cell(function),
               cell(function, "VpcConfig.VpcId"), cell(function, "LastModified")});
  }
  return table.text();
}

Result<int> list_functions(Context& context) {
  json::array functions;
  HttpRequest request = lambda("GET", kFunctions);
  for (int page = 0; page < kMaxPages; ++page) {
    TRY_ASSIGN(HttpReply reply, context.call(request));
    TRY_ASSIGN(json::value answer, read_reply(reply));
    TRY_ASSIGN(json::array some, list_in(answer, "Functions"));
    functions.insert(functions.end(), some.begin(), some.end());
    std::string marker = cell(answer, "NextMarker");
    if (marker.empty()) break;
    request.query["Marker"] = marker;
  }
  print(context, functions, [&] { return describe_list(functions); });
  return 0;
}

std::string describe_function(const json::value& answer) {
  std::vector<std::pair<std::string, std::string>> pairs;
  const json::object* members = answer.if_object();
  const json::value* configuration = members == nullptr ? nullptr : members->if_contains("Configuration");
  if (configuration != nullptr && configuration->is_object()) {
    for (const auto& member : configuration->get_object()) {
      pairs.emplace_back(std::string(member.key()), cell(member.value()));
    }
  }
  std::string reserved = cell(answer, "Concurrency.ReservedConcurrentExecutions");
  if (!reserved.empty()) pairs.emplace_back("ReservedConcurrentExecutions", reserved);
  std::string tags = cell(answer, "Tags");
  if (!tags.empty()) pairs.emplace_back("Tags", tags);
  return text_of_pairs(pairs);
}

Result<int> show_function(Context& context, const std::string& name) {
  TRY_ASSIGN(HttpReply reply, context.call(lambda("GET", kFunctions + name)));
  TRY_ASSIGN(json::value answer, read_reply(reply));
  if (!answer.is_object()) return fail(Kind::internal, "hearthd's answer is no object");
  print(context, answer, [&] { return describe_function(answer); });
  return 0;
}

Result<int> delete_function(Context& context, const std::string& name) {
  TRY_ASSIGN(HttpReply reply, context.call(lambda("DELETE", kFunctions + name)));
  TRY(read_reply(reply));
  print(context, json::object{{"deleted", name}}, [&] { return fmt::format("{} is deleted\n", name); });
  return 0;
}

}  // namespace

void add_function_commands(CLI::App& program, Actions& actions) {
  auto* functions = program.add_subcommand("functions", "Functions of an account (alone: list)");
  functions->require_subcommand(0, 1);
  actions.on_alone(functions, list_functions);
  actions.on(functions->add_subcommand("list", "All of them"), list_functions);

  auto name = std::make_shared<std::string>();
  auto* show = functions->add_subcommand("show", "One of them");
  show->add_option("name", *name, "Function")->required();
  actions.on(show, [name](Context& context) { return show_function(context, *name); });
  auto* remove = functions->add_subcommand("delete", "Delete one");
  remove->add_option("name", *name, "Function")->required();
  actions.on(remove, [name](Context& context) { return delete_function(context, *name); });
}

}  // namespace hearth::cli
