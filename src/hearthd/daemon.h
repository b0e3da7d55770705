// Daemon: hearthd's parts, built in order, plugged into each other, stopped in reverse.
//
// Reading open() is reading the system: each part gets what it needs as a reference to an earlier one, or, where the
// need goes up or sideways, as a function that is called only after everything stands. Lives on the loop's thread.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/thread_pool.hpp>
#include <memory>
#include <set>
#include <string>

#include "api/accounts.h"
#include "api/admin/admin_service.h"
#include "api/code_links.h"
#include "api/ec2/service.h"
#include "api/ec2/sts_service.h"
#include "api/front_door.h"
#include "api/lambda/service.h"
#include "base/clock.h"
#include "base/config.h"
#include "base/fd.h"
#include "base/task_group.h"
#include "runtime/functions.h"
#include "runtime/invoker_service.h"
#include "runtime/logs.h"
#include "runtime/packages.h"
#include "runtime/runtimes.h"
#include "store/sqlite_store.h"
#include "vpc/networks.h"
#include "warden_client/client.h"

namespace hearth {

class Daemon {
 public:
  // `listener`: the front door's socket, bound before privileges were given up.
  Daemon(boost::asio::io_context& loop, const Config& config, Fd listener);
  // REQUIRES: stopped.
  ~Daemon();

  // Opens what survives and starts to serve. After an error the daemon must be stopped all the same.
  boost::asio::awaitable<Result<>> open();
  // Lets nobody in; calls under way have kDrain to end, and are refused (5xx) after that.
  boost::asio::awaitable<void> stop();

 private:
  using Done = boost::asio::awaitable<Result<>>;

  Done open_records();
  Done open_runtime();
  Result<> open_services();

  void on_warden_connected(const warden::HelloReply& hello);
  // Until there is no connection to the front door any more, but no longer than `limit`.
  boost::asio::awaitable<void> wait_for_answers(std::chrono::milliseconds limit);
  Done reset(AccountId account);
  void trim_logs_soon(const AccountId& account);
  boost::asio::awaitable<void> trim_logs(AccountId account);
  std::string metrics() const;
  std::vector<vpc::Use> uses_of(const AccountId& account) const;

  boost::asio::io_context& loop_;
  const Config& config_;
  const SystemClock clock_;
  Fd listener_;
  boost::asio::thread_pool blocking_{2};
  boost::asio::thread_pool uploads_{2};  // of code: seconds of work that must not hold up the rest
  TaskGroup tasks_;
  std::set<AccountId> trimming_;  // accounts whose logs will be trimmed

  std::unique_ptr<store::SqliteStore> store_;
  std::unique_ptr<api::Accounts> accounts_;
  std::unique_ptr<runtime::Runtimes> runtimes_;
  std::unique_ptr<runtime::Packages> packages_;
  std::unique_ptr<WardenClient> warden_;
  api::admin::WardenState warden_state_;
  std::unique_ptr<vpc::Networks> networks_;
  std::unique_ptr<runtime::Functions> functions_;
  std::unique_ptr<runtime::Logs> logs_;
  std::unique_ptr<runtime::InvokerService> invoker_;
  api::CodeLinks links_;
  std::unique_ptr<api::lambda::LambdaService> lambda_;
  std::unique_ptr<api::Ec2Service> ec2_;
  api::StsService sts_;
  std::unique_ptr<api::admin::AdminService> admin_;
  std::unique_ptr<api::FrontDoor> front_door_;
};

}  // namespace hearth
