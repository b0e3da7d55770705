// AdminService: Hearth's own API, /_hearth/v1/…, for the operator (service "hearth" of the credential scope).
//
// Only calls signed with the operator's key are served; every other is AccessDenied. The operator sees all accounts.
// Bodies and answers are JSON with snake_case members; docs/operations.md lists the routes.
//
// Owned by the loop's thread.
#pragma once

#include <memory>

#include "api/admin/dependencies.h"
#include "api/admin/router.h"
#include "api/service.h"

namespace hearth::api::admin {

class AccountRoutes;
class LogRoutes;
class OverviewRoutes;
class RuntimeRoutes;
class VpcRoutes;

class AdminService : public Service {
 public:
  explicit AdminService(Dependencies dependencies);
  ~AdminService() override;

  BodyLimit body_limit(std::string_view method, std::string_view path) const override;
  boost::asio::awaitable<Reply> handle(Call call) override;
  Reply refuse(int status, std::string_view code, std::string_view message, std::string_view request_id) const override;

 private:
  const Dependencies dependencies_;
  std::unique_ptr<OverviewRoutes> overview_;
  std::unique_ptr<RuntimeRoutes> runtimes_;
  std::unique_ptr<AccountRoutes> accounts_;
  std::unique_ptr<LogRoutes> logs_;
  std::unique_ptr<VpcRoutes> vpcs_;
  Router router_;
};

}  // namespace hearth::api::admin
