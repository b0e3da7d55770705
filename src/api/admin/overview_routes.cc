#include "api/admin/overview_routes.h"

#include <fmt/format.h>

#ifndef HEARTH_VERSION
#error "the build defines HEARTH_VERSION"
#endif

namespace hearth::api::admin {
namespace {

using runtime::Phases;

struct PhaseName {
  const char* name;
  int64_t Phases::* member;
};
// In the order in which they happen.
constexpr PhaseName kPhases[] = {
    {"queue", &Phases::queue},     {"make", &Phases::make},       {"pick", &Phases::pick},
    {"bind", &Phases::bind},       {"mount", &Phases::mount},     {"limits", &Phases::limits},
    {"network", &Phases::network}, {"message", &Phases::message}, {"shim", &Phases::shim},
    {"import", &Phases::import},   {"handler", &Phases::handler}, {"reply", &Phases::reply},
    {"total", &Phases::total},
};

std::string_view to_string(runtime::Start start) {
  switch (start) {
    case runtime::Start::pool_hit:
      return "pool_hit";
    case runtime::Start::pool_miss:
      return "pool_miss";
    case runtime::Start::warm:
      break;
  }
  return "warm";
}

json::array texts(const std::vector<std::string>& items) { return json::array(items.begin(), items.end()); }

}  // namespace

json::object describe(const runtime::InvocationRecord& record) {
  json::object phases;
  for (const auto& [name, member] : kPhases) {
    if (int64_t nanoseconds = record.phases.*member) phases[name] = static_cast<double>(nanoseconds) / 1e6;
  }
  return {{"at", iso_timestamp(record.at)},           {"request_id", record.request_id},
          {"account", record.function.account.str()}, {"function", record.function.name},
          {"start", to_string(record.start)},         {"outcome", record.outcome},
          {"container", record.container.str()},      {"phases_ms", std::move(phases)}};
}

OverviewRoutes::OverviewRoutes(const Dependencies& dependencies)
    : needs_(dependencies), started_(dependencies.clock.wall()) {}

void OverviewRoutes::add_to(Router& router) {
  router.add("GET", "status", this, &OverviewRoutes::status);
  router.add("GET", "config", this, &OverviewRoutes::config);
  router.add("GET", "pool", this, &OverviewRoutes::pool);
  router.add("GET", "invocations", this, &OverviewRoutes::invocations);
  router.add("GET", "gateways", this, &OverviewRoutes::gateways);
}

boost::asio::awaitable<Outcome> OverviewRoutes::status(Request request) {
  CO_TRY(request.only_query({}));
  const Config& config = needs_.config;
  auto accounts = needs_.accounts.list();
  size_t functions = 0;
  size_t vpcs = 0;
  for (const auto& account : accounts) {
    functions += needs_.functions.count(account);
    vpcs += needs_.networks.vpcs(account).size();
  }
  WardenState warden = needs_.warden();
  auto uptime = std::chrono::duration_cast<std::chrono::seconds>(needs_.clock.wall() - started_);
  co_return json::object{{"version", HEARTH_VERSION},
                         {"instance", config.instance},
                         {"listen", fmt::format("{}:{}", config.listen, config.port)},
                         {"region", config.region},
                         {"default_account", config.default_account},
                         {"started_at", iso_timestamp(started_)},
                         {"uptime_seconds", uptime.count()},
                         {"warden", json::object{{"connected", warden.connected},
                                                 {"cgroup", warden.cgroup},
                                                 {"runtimes", texts(needs_.runtimes.available())}}},
                         {"accounts", accounts.size()},
                         {"functions", functions},
                         {"vpcs", vpcs},
                         {"pool", needs_.invoker.pool_status()}};
}

boost::asio::awaitable<Outcome> OverviewRoutes::config(Request request) {
  CO_TRY(request.only_query({}));
  json::array items;
  for (const auto& item : needs_.config.items()) {
    items.push_back(json::object{{"key", item.key}, {"value", item.value}, {"origin", item.origin}});
  }
  co_return json::object{{"items", std::move(items)}};
}

boost::asio::awaitable<Outcome> OverviewRoutes::pool(Request request) {
  CO_TRY(request.only_query({}));
  co_return needs_.invoker.pool_status();
}

boost::asio::awaitable<Outcome> OverviewRoutes::invocations(Request request) {
  CO_TRY(request.only_query({"account", "function", "limit"}));
  CO_TRY_ASSIGN(int64_t limit, request.query_integer("limit", 1, kMaxInvocations, 20));
  std::string name = request.query_text("function");
  AccountId account(request.query_text("account"));
  if (account.empty()) account = AccountId(needs_.config.default_account);
  std::optional<runtime::FunctionKey> function;
  if (!name.empty()) function = runtime::FunctionKey{account, name};
  json::array list;
  // All records are asked for, since those of other accounts are left out.
  for (const auto& record : needs_.invoker.recent(function, std::numeric_limits<size_t>::max())) {
    if (record.function.account != account) continue;
    if (list.size() == static_cast<size_t>(limit)) break;
    list.push_back(describe(record));
  }
  co_return json::object{{"invocations", std::move(list)}};
}

boost::asio::awaitable<Outcome> OverviewRoutes::gateways(Request request) {
  CO_TRY(request.only_query({}));
  CO_TRY_ASSIGN(json::object counters, co_await needs_.gateway_counters());
  const json::value* driver = counters.if_contains("driver");
  json::array interfaces;
  for (const auto& account : needs_.accounts.list()) {
    for (const auto& interface : needs_.networks.interfaces(account)) {
      interfaces.push_back(json::object{{"account", account.str()},
                                        {"vpc", interface.vpc.str()},
                                        {"subnet", interface.subnet.str()},
                                        {"address", interface.address},
                                        {"mac", interface.mac},
                                        {"driver", driver == nullptr ? json::value("") : *driver}});
    }
  }
  co_return json::object{{"interfaces", std::move(interfaces)}, {"counters", std::move(counters)}};
}

}  // namespace hearth::api::admin
