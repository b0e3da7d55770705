#include "api/admin/admin_service.h"

#include "api/admin/account_routes.h"
#include "api/admin/log_routes.h"
#include "api/admin/overview_routes.h"
#include "api/admin/runtime_routes.h"
#include "api/admin/vpc_routes.h"

namespace hearth::api::admin {

AdminService::AdminService(Dependencies dependencies)
    : dependencies_(std::move(dependencies)),
      overview_(std::make_unique<OverviewRoutes>(dependencies_)),
      runtimes_(std::make_unique<RuntimeRoutes>(dependencies_)),
      accounts_(std::make_unique<AccountRoutes>(dependencies_)),
      logs_(std::make_unique<LogRoutes>(dependencies_)),
      vpcs_(std::make_unique<VpcRoutes>(dependencies_)) {
  overview_->add_to(router_);
  runtimes_->add_to(router_);
  accounts_->add_to(router_);
  logs_->add_to(router_);
  vpcs_->add_to(router_);
}

AdminService::~AdminService() = default;

BodyLimit AdminService::body_limit(std::string_view, std::string_view) const {
  return {.bytes = kMaxBody, .operation = ""};
}

boost::asio::awaitable<Reply> AdminService::handle(Call call) {
  if (!call.is_operator) {
    co_return error_reply(403, "AccessDenied",
                          "only the operator's key may use this API; see the file `operator` of the state folder");
  }
  co_return co_await router_.handle(std::move(call));
}

Reply AdminService::refuse(int status, std::string_view code, std::string_view message, std::string_view) const {
  return error_reply(status, code, message);
}

}  // namespace hearth::api::admin
