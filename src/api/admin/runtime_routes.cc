#include "api/admin/runtime_routes.h"

#include <algorithm>

namespace hearth::api::admin {

void RuntimeRoutes::add_to(Router& router) {
  router.add("GET", "runtimes", this, &RuntimeRoutes::list);
  router.add("PUT", "runtimes/aliases/{name}", this, &RuntimeRoutes::set_alias);
  router.add("DELETE", "runtimes/aliases/{name}", this, &RuntimeRoutes::remove_alias);
}

bool RuntimeRoutes::is_configured(const std::string& name, const std::string& target) const {
  auto configured = needs_.config.runtime_aliases.find(name);
  return configured != needs_.config.runtime_aliases.end() && configured->second == target;
}

boost::asio::awaitable<Outcome> RuntimeRoutes::list(Request request) {
  CO_TRY(request.only_query({}));
  json::array runtimes;
  const auto& installed = needs_.runtimes.available();
  for (const auto& name : installed) runtimes.push_back(json::object{{"runtime", name}, {"installed", true}});
  for (const auto& [name, target] : needs_.runtimes.aliases()) {
    bool works = std::ranges::find(installed, target) != installed.end();
    runtimes.push_back(json::object{{"runtime", name},
                                    {"alias_of", target},
                                    {"origin", is_configured(name, target) ? "configuration" : "operator"},
                                    {"installed", works}});
  }
  co_return json::object{{"runtimes", std::move(runtimes)}};
}

boost::asio::awaitable<Outcome> RuntimeRoutes::set_alias(Request request) {
  CO_TRY(request.only_query({}));
  CO_TRY_ASSIGN(json::value body, request.body());
  CO_TRY_ASSIGN(FieldReader reader, FieldReader::of(body, "body"));
  CO_TRY_ASSIGN(std::string target, reader.text("target", runtime::Runtimes::kMaxName));
  CO_TRY(reader.finish());
  CO_TRY(co_await needs_.runtimes.set_alias(request.parts[0], target));
  co_return json::object{{"runtime", request.parts[0]}, {"alias_of", target}};
}

boost::asio::awaitable<Outcome> RuntimeRoutes::remove_alias(Request request) {
  CO_TRY(request.only_query({}));
  CO_TRY(co_await needs_.runtimes.remove_alias(request.parts[0]));
  co_return json::object{};
}

}  // namespace hearth::api::admin
