#include "hearth/invoke.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <iostream>
#include <memory>

#include "base/base64.h"
#include "hearth/commands.h"
#include "hearth/table.h"

namespace hearth::cli {
namespace {

// The longest a function may run, and some time for a queue of the network.
constexpr std::chrono::seconds kLongest{900 + 60};

struct Options {
  std::string name;
  std::string payload = "{}";
  std::string qualifier;
  bool async = false;
  bool log = false;
};

Result<std::string> read_stream(std::istream& stream, const std::string& what) {
  std::string text(kMaxPayload + 1, '\0');
  stream.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (stream.bad()) return fail(Kind::internal, fmt::format("{} could not be read", what));
  text.resize(static_cast<size_t>(stream.gcount()));
  if (text.size() > kMaxPayload) return fail(Kind::invalid, fmt::format("payload is over {} bytes", kMaxPayload));
  return text;
}

HttpRequest request_of(const Options& options, std::string payload) {
  HttpRequest request;
  request.method = "POST";
  request.service = "lambda";
  request.path = "/2015-03-31/functions/" + options.name + "/invocations";
  if (!options.qualifier.empty()) request.query["Qualifier"] = options.qualifier;
  request.headers.emplace_back("Content-Type", "application/json");
  if (options.async) request.headers.emplace_back("X-Amz-Invocation-Type", "Event");
  if (options.log) request.headers.emplace_back("X-Amz-Log-Type", "Tail");
  request.body = std::move(payload);
  request.timeout = kLongest;
  return request;
}

json::object describe(const HttpReply& reply, const std::string& log) {
  json::object object{{"status", reply.status}, {"request_id", reply.header("x-amzn-requestid")}};
  auto payload = parse_json(reply.body, HttpClient::kMaxReply);
  if (payload) object["payload"] = *payload;
  if (auto error = reply.header("x-amz-function-error"); !error.empty()) object["function_error"] = error;
  if (auto version = reply.header("x-amz-executed-version"); !version.empty()) object["executed_version"] = version;
  if (!log.empty()) object["log"] = log;
  return object;
}

Result<int> invoke(Context& context, const Options& options) {
  TRY_ASSIGN(std::string payload, read_payload(options.payload));
  TRY_ASSIGN(HttpReply reply, context.call(request_of(options, std::move(payload))));
  if (reply.status >= 400) TRY(read_reply(reply));
  auto log = base64_decode(reply.header("x-amz-log-result"));
  if (!log) return fail(Kind::invalid, "hearthd's answer holds bad base64");
  const bool failed = !reply.header("x-amz-function-error").empty();
  if (context.json()) {
    fmt::print("{}\n", json::serialize(describe(reply, *log)));
    return failed ? 1 : 0;
  }
  fmt::print(stderr, "{}", *log);
  if (failed) return fail(Kind::invalid, "the function failed: " + describe_function_error(reply.body));
  if (options.async)
    fmt::print("request {}\n", reply.header("x-amzn-requestid"));
  else
    fmt::print("{}\n", reply.body);
  return 0;
}

}  // namespace

Result<std::string> read_payload(const std::string& text) {
  if (text == "-") return read_stream(std::cin, "standard input");
  if (!text.starts_with('@')) return text;
  std::ifstream file(text.substr(1), std::ios::binary);
  if (!file) return fail(Kind::not_found, fmt::format("cannot read {}", text.substr(1)));
  return read_stream(file, text.substr(1));
}

std::string describe_function_error(const std::string& payload) {
  auto value = parse_json(payload, HttpClient::kMaxReply);
  if (!value || !value->is_object()) return payload;
  std::string type = cell(*value, "errorType");
  std::string message = cell(*value, "errorMessage");
  if (type.empty() && message.empty()) return payload;
  std::string text = type + (type.empty() || message.empty() ? "" : ": ") + message;
  const json::value* trace = value->get_object().if_contains("stackTrace");
  if (trace == nullptr || !trace->is_array()) return text;
  for (const auto& line : trace->get_array()) {
    std::string shown = cell(line);
    while (shown.ends_with('\n')) shown.pop_back();
    text += "\n" + shown;
  }
  return text;
}

void add_invoke_command(CLI::App& program, Actions& actions) {
  auto options = std::make_shared<Options>();
  auto* command = program.add_subcommand("invoke", "Invoke a function and print its answer");
  command->add_option("name", options->name, "Function")->required();
  command->add_option("--payload", options->payload, "JSON, @file, or - for standard input (default: {})");
  command->add_option("--qualifier", options->qualifier, "Version or alias");
  command->add_flag("--async", options->async, "Queue it and do not wait for the answer");
  command->add_flag("--log", options->log, "Also print the end of its log, to standard error");
  actions.on(command, [options](Context& context) { return invoke(context, *options); });
}

}  // namespace hearth::cli
