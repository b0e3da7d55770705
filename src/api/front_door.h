// FrontDoor: HTTP in, one authenticated Call to the service of its credential scope, HTTP out.
//
// Order for each request: head → open path (below) or service and body limit → body → signature → Call → Reply, with
// x-amzn-RequestId. What is refused here is worded in the service's shape (Service::refuse).
// Open paths, without a signature, on the main listener only: GET /_hearth/health, GET /metrics,
// GET /_hearth/code/<token>, and POST /_hearth/reset?account=… when testing.reset is set.
// A container's endpoint (serve_endpoint) serves signed calls and code links, never the operator's, always checks
// signatures, and has few connections.
// Refuses at open(): testing.auth = "open" or testing.reset on a listener that is not loopback.
//
// testing.auth = "open": any signature passes; a key id of 12 digits names the account, other unknown keys the default.
// Owned by the loop's thread.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/thread_pool.hpp>
#include <expected>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <variant>

#include "api/accounts.h"
#include "api/code_links.h"
#include "api/endpoints.h"
#include "api/service.h"
#include "base/byte_budget.h"
#include "base/clock.h"
#include "base/config.h"
#include "base/http_server.h"
#include "base/sigv4.h"

namespace hearth::api {

class FrontDoor {
 public:
  static constexpr size_t kConnections = 4096;
  static constexpr size_t kEndpointConnections = 64;  // of one container
  static constexpr size_t kUnsignedBody = 64 * 1024;  // of a request whose key is not known
  static constexpr size_t kHashOnLoop = 1024 * 1024;  // larger bodies are hashed on the blocking pool
  // Bodies over kUnsignedBody in memory, of all connections and of one account; more is 503. A chunked one counts as
  // the largest that its operation takes. While code is unpacked it is there up to three times.
  static constexpr size_t kBodies = 512 * 1024 * 1024;
  static constexpr size_t kBodiesOfAccount = 256 * 1024 * 1024;

  // What it stands on, handed over by main; references outlive it.
  struct Parts {
    const Config& config;
    const Clock& clock;
    const Accounts& accounts;
    const CodeLinks& links;
    boost::asio::thread_pool& blocking;
    std::map<std::string, Service*, std::less<>> services;  // by signing name: lambda, ec2, hearth
    std::function<std::string()> metrics;                   // Prometheus text
    std::function<boost::asio::awaitable<Result<std::string>>(PackageDigest)> zip_of;
    std::function<boost::asio::awaitable<Result<>>(AccountId)> reset;
  };

  // `listener`: from http::listen_tcp(config.listen, config.port).
  static Result<std::unique_ptr<FrontDoor>> open(boost::asio::any_io_executor executor, Fd listener, Parts parts);
  // REQUIRES: stopped and joined.
  ~FrontDoor();

  // Serves a listening socket inside a container until the returned function is called; that of runtime/invoker.h.
  // It may be called or dropped at any time, also when this is gone.
  std::function<void()> serve_endpoint(Fd listener);

  uint16_t port() const { return main_->port(); }
  http::Counters counters() const { return main_->counters(); }

  // Nobody is let in any more, and answers under way are given: see http::Server. Containers' endpoints go on.
  void drain() { main_->drain(); }
  void stop();
  boost::asio::awaitable<void> join();

 private:
  enum class Door { main, container };

  FrontDoor(boost::asio::any_io_executor executor, Parts parts);

  std::variant<http::BodyPermit, http::Response> admit(Door door, const http::Head& head);
  http::Response refuse_malformed(int status, std::string_view reason, const http::Head* head) const;
  boost::asio::awaitable<http::Response> handle(Door door, http::Request request);
  boost::asio::awaitable<http::Response> handle_open(Door door, http::Request request);
  boost::asio::awaitable<http::Response> send_code(std::string token);
  boost::asio::awaitable<http::Response> reset_account(std::string query);
  boost::asio::awaitable<std::expected<Call, sigv4::Refusal>> authenticate(Door door, http::Request request);

  std::expected<Caller, sigv4::Refusal> caller_of(Door door, const sigv4::Claim& claim) const;
  std::expected<void, sigv4::Refusal> check_claim(const sigv4::Claim& claim, const Caller& caller) const;
  bool is_open() const { return parts_.config.testing_auth == "open"; }
  const Service* service_of(const http::Head& head) const;
  http::Options options_for(Door door);

  boost::asio::any_io_executor executor_;
  Parts parts_;
  sigv4::Verifier verifier_;
  ByteBudget bodies_{kBodies, kBodiesOfAccount};
  std::unique_ptr<http::Server> main_;
  std::shared_ptr<Endpoints> endpoints_;
};

}  // namespace hearth::api
