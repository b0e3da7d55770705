#include "api/admin/runtime_routes.h"

#include <fmt/format.h>

#include <algorithm>

namespace hearth::api::admin {

void RuntimeRoutes::add_to(Router& router) {
  router.add("GET", "runtimes", this, &RuntimeRoutes::list);
  router.add("PUT", "runtimes/aliases/{name}", this, &RuntimeRoutes::set_alias);
  router.add("DELETE", "runtimes/aliases/{name}", this, &RuntimeRoutes::remove_alias);
}

boost::asio::awaitable<Outcome> RuntimeRoutes::list(Request request) {
  CO_TRY(request.only_query({}));
  json::array runtimes;
  auto installed = needs_.warden().runtimes;
  for (const auto& name : installed) runtimes.push_back(json::object{{"runtime", name}, {"installed", true}});
  for (const auto& [name, target] : needs_.aliases.all()) {
    bool works = std::ranges::find(installed, target) != installed.end();
    runtimes.push_back(json::object{{"runtime", name},
                                    {"alias_of", target},
                                    {"origin", needs_.aliases.is_configured(name) ? "configuration" : "operator"},
                                    {"installed", works}});
  }
  co_return json::object{{"runtimes", std::move(runtimes)}};
}

boost::asio::awaitable<Outcome> RuntimeRoutes::set_alias(Request request) {
  CO_TRY(request.only_query({}));
  CO_TRY_ASSIGN(json::value body, request.body());
  CO_TRY_ASSIGN(FieldReader reader, FieldReader::of(body, "body"));
  CO_TRY_ASSIGN(std::string target, reader.text("target", RuntimeAliases::kMaxName));
  CO_TRY(reader.finish());
  const std::string name = request.parts[0];
  WardenState warden = needs_.warden();
  if (!warden.connected) co_return fail(Kind::unavailable, "hearth-warden is away, so its runtimes are not known");
  if (std::ranges::find(warden.runtimes, target) == warden.runtimes.end()) {
    co_return fail(Kind::invalid, fmt::format("target {} is not installed here", target));
  }
  if (std::ranges::find(warden.runtimes, name) != warden.runtimes.end()) {
    co_return fail(Kind::invalid, fmt::format("alias {} is installed here itself", name));
  }
  CO_TRY(co_await needs_.aliases.set(name, target));
  co_return json::object{{"runtime", name}, {"alias_of", target}};
}

boost::asio::awaitable<Outcome> RuntimeRoutes::remove_alias(Request request) {
  CO_TRY(request.only_query({}));
  CO_TRY(co_await needs_.aliases.remove(request.parts[0]));
  co_return json::object{};
}

}  // namespace hearth::api::admin
