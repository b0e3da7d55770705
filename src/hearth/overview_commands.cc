#include <fmt/format.h>

#include <memory>
#include <set>

#include "hearth/commands.h"
#include "hearth/table.h"

namespace hearth::cli {
namespace {

// In the order in which they happen; `bind` is the sum of the four after it.
constexpr const char* kPhases[] = {"total",   "queue",   "make", "pick",   "bind",    "mount", "limits",
                                   "network", "message", "shim", "import", "handler", "reply"};

std::string describe_status(const json::value& status) {
  bool warden = cell(status, "warden.connected") == "yes";
  std::string runtimes = cell(status, "warden.runtimes");
  std::erase_if(runtimes, [](char c) { return c == '[' || c == ']' || c == '"'; });
  const json::value* uptime = status.is_object() ? status.get_object().if_contains("uptime_seconds") : nullptr;
  bool known = uptime != nullptr && uptime->is_int64();
  return text_of_pairs({
      {"hearthd", fmt::format("{} on {}, instance {}, up {}", cell(status, "version"), cell(status, "listen"),
                              cell(status, "instance"), known ? duration(uptime->get_int64()) : "?")},
      {"hearth-warden", warden ? "connected, cgroup " + cell(status, "warden.cgroup") : "away"},
      {"runtimes", runtimes.empty() ? "-" : runtimes},
      {"region", cell(status, "region")},
      {"accounts", fmt::format("{} (default {})", cell(status, "accounts"), cell(status, "default_account"))},
      {"functions", cell(status, "functions")},
      {"VPCs", cell(status, "vpcs")},
  });
}

Result<int> show_status(Context& context) {
  TRY_ASSIGN(json::value status, context.admin("GET", "status"));
  print(context, status, [&] { return describe_status(status); });
  return 0;
}

// Phases that none of the records has are left out.
std::string describe_invocations(const json::array& records) {
  std::vector<std::string> shown;
  std::vector<std::string> headings = {"AT", "FUNCTION", "START", "OUTCOME"};
  for (const char* phase : kPhases) {
    std::string path = std::string("phases_ms.") + phase;
    bool any = false;
    for (const auto& record : records) any = any || !cell(record, path).empty();
    if (!any) continue;
    shown.push_back(path);
    std::string heading = phase;
    for (char& c : heading) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    headings.push_back(heading);
  }
  Table table(std::move(headings));
  for (const auto& record : records) {
    std::vector<std::string> cells = {cell(record, "at"), cell(record, "function"), cell(record, "start"),
                                      cell(record, "outcome")};
    for (const auto& path : shown) cells.push_back(cell(record, path));
    table.add(std::move(cells));
  }
  return table.text() + "(times in milliseconds)\n";
}

Result<int> show_invocations(Context& context, const std::string& function, int64_t limit) {
  TRY_ASSIGN(std::string account, context.account());
  Query query{{"account", account}, {"limit", std::to_string(limit)}};
  if (!function.empty()) query["function"] = function;
  TRY_ASSIGN(json::value answer, context.admin("GET", "invocations", query));
  TRY_ASSIGN(json::array records, list_in(answer, "invocations"));
  print(context, records, [&] { return describe_invocations(records); });
  return 0;
}

Result<int> show_pool(Context& context) {
  TRY_ASSIGN(json::value pool, context.admin("GET", "pool"));
  print(context, pool, [&] { return text_of_json(pool); });
  return 0;
}

Result<int> list_gateways(Context& context) {
  TRY_ASSIGN(json::value answer, context.admin("GET", "gateways"));
  TRY_ASSIGN(json::array interfaces, list_in(answer, "interfaces"));
  print(context, interfaces, [&] {
    Table table({"ADDRESS", "SUBNET", "VPC", "ACCOUNT", "MAC", "DRIVER"});
    for (const auto& item : interfaces) {
      table.add({cell(item, "address"), cell(item, "subnet"), cell(item, "vpc"), cell(item, "account"),
                 cell(item, "mac"), cell(item, "driver")});
    }
    return table.text();
  });
  return 0;
}

// The gateway's own and those of its attachments, side by side.
std::string describe_counters(const json::object& counters) {
  json::object groups;
  if (const auto* gateway = counters.if_contains("gateway")) groups["gateway"] = *gateway;
  const auto* attachments = counters.if_contains("attachments");
  if (attachments != nullptr && attachments->is_object()) {
    for (const auto& attachment : attachments->get_object()) groups[attachment.key()] = attachment.value();
  }
  return text_of_counters(groups);
}

Result<int> show_gateway_counters(Context& context) {
  TRY_ASSIGN(json::value answer, context.admin("GET", "gateways"));
  const json::value* counters = answer.is_object() ? answer.get_object().if_contains("counters") : nullptr;
  if (counters == nullptr) return fail(Kind::internal, "hearthd's answer has no counters");
  if (!counters->is_object()) return fail(Kind::internal, "hearthd's counters are no object");
  print(context, *counters, [&] { return describe_counters(counters->get_object()); });
  return 0;
}

// AWS's SDKs for Python and for other languages call the region's variable differently.
Result<int> show_environment(Context& context) {
  TRY_ASSIGN(Credentials key, context.credentials());
  TRY_ASSIGN(std::string address, context.address());
  const std::vector<std::pair<std::string, std::string>> variables = {{"AWS_ENDPOINT_URL", "http://" + address},
                                                                      {"AWS_REGION", key.region},
                                                                      {"AWS_DEFAULT_REGION", key.region},
                                                                      {"AWS_ACCESS_KEY_ID", key.access_key_id},
                                                                      {"AWS_SECRET_ACCESS_KEY", key.secret_access_key}};
  json::object object;
  for (const auto& [name, value] : variables) object[name] = value;
  print(context, object, [&] {
    std::string text;
    for (const auto& [name, value] : variables) text += fmt::format("export {}='{}'\n", name, value);
    return text;
  });
  return 0;
}

}  // namespace

void add_overview_commands(CLI::App& program, Actions& actions) {
  actions.on(program.add_subcommand("env", "Print the variables that make AWS's clients use Hearth"), show_environment);
  actions.on(program.add_subcommand("status", "What runs, and where"), show_status);

  auto name = std::make_shared<std::string>();
  auto limit = std::make_shared<int64_t>(20);
  auto* invocations = program.add_subcommand("invocations", "Recent invocations and where their time went");
  invocations->add_option("name", *name, "Function");
  invocations->add_option("--limit", *limit, "How many, the newest first")->check(CLI::Range(1, 1000));
  actions.on(invocations, [name, limit](Context& context) { return show_invocations(context, *name, *limit); });

  actions.on(program.add_subcommand("pool", "Warm containers and instances"), show_pool);

  auto* gateway = program.add_subcommand("gateway", "PAT gateways (alone: list)");
  gateway->require_subcommand(0, 1);
  actions.on_alone(gateway, list_gateways);
  actions.on(gateway->add_subcommand("list", "Their interfaces in the subnets that functions use"), list_gateways);
  actions.on(gateway->add_subcommand("stats", "Their counters"), show_gateway_counters);
}

}  // namespace hearth::cli
