// Ec2Service: the part of the EC2 API that describes VPCs (query protocol, version 2016-11-15, replies in XML).
//
// An action that is not known is InvalidAction and names it. DryRun=true answers DryRunOperation instead of acting, as
// EC2 does for who may act. Runs on the loop's thread.
#pragma once

#include "api/service.h"
#include "vpc/networks.h"

namespace hearth::api {

class Ec2Service final : public Service {
 public:
  // REQUIRES: `networks` outlives the service.
  explicit Ec2Service(vpc::Networks& networks) : networks_(networks) {}

  boost::asio::awaitable<Reply> handle(Call call) override;
  Reply refuse(int status, std::string_view code, std::string_view message, std::string_view request_id) const override;

 private:
  vpc::Networks& networks_;
};

}  // namespace hearth::api
