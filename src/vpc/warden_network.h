// WardenNetwork: what Networks asks of the warden, one method a thing, each with its deadline.
//
// ensure_* may be said again at any time; drop_* are content when the thing is gone already. No records are changed
// here. Owned by the loop's thread.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <functional>
#include <string>
#include <vector>

#include "vpc/model.h"
#include "warden_client/client.h"

namespace hearth::vpc {

class WardenNetwork {
 public:
  static constexpr int kProofAttempts = 3;  // of about a second each
  static constexpr int kMaxPages = 100;     // of list()

  WardenNetwork(std::function<WardenClient&()> client, std::string driver)
      : client_(std::move(client)), driver_(std::move(driver)) {}

  bool connected() const { return client_().connected(); }
  boost::asio::awaitable<Result<>> ensure_gateway();
  boost::asio::awaitable<Result<>> ensure_outside();
  // The VPC and the subnet's switch in it.
  boost::asio::awaitable<Result<>> ensure_subnet(Subnet subnet);
  // REQUIRES: the subnet has its gateway_address. Unavailable when the path could not be proven.
  boost::asio::awaitable<Result<warden::AttachmentReply>> ensure_attachment(Subnet subnet);
  boost::asio::awaitable<Result<>> ensure_policy(std::string name, std::vector<warden::EgressRule> egress);
  boost::asio::awaitable<Result<>> add_host(Subnet subnet, std::string name, std::string address);
  boost::asio::awaitable<Result<>> tie(Subnet subnet);

  boost::asio::awaitable<Result<>> drop_attachment(SubnetId subnet);
  boost::asio::awaitable<Result<>> drop_policy(std::string name);
  boost::asio::awaitable<Result<>> drop_host(std::string name);
  boost::asio::awaitable<Result<>> drop_tie(VpcId vpc, SubnetId subnet);
  // With its attachment, hosts and ties.
  boost::asio::awaitable<Result<>> drop_subnet(Subnet subnet);
  boost::asio::awaitable<Result<>> drop_vpc(VpcId vpc);

  // All that the warden has of a kind (warden::ListNetwork).
  boost::asio::awaitable<Result<std::vector<warden::NetworkName>>> list(std::string kind);
  boost::asio::awaitable<Result<>> drop_listed(std::string kind, warden::NetworkName thing);

  // Of the gateway itself and of these attachments, as warden::GatewayStatsReply has them.
  boost::asio::awaitable<Result<json::object>> counters(std::vector<std::string> attachments);

 private:
  boost::asio::awaitable<Result<>> ensure(warden::Request request, std::chrono::milliseconds deadline);
  boost::asio::awaitable<Result<>> drop(warden::Request request);

  std::function<WardenClient&()> client_;
  std::string driver_;
};

}  // namespace hearth::vpc
