// StsService: who is asking (GetCallerIdentity of the STS API, query protocol, version 2011-06-15).
//
// Clients of the EC2 API ask it before they name an owner: Ansible's ec2_security_group, Terraform's provider. Any
// other action is InvalidAction and names it. Runs on the loop's thread.
#pragma once

#include "api/service.h"

namespace hearth::api {

class StsService final : public Service {
 public:
  boost::asio::awaitable<Reply> handle(Call call) override;
  Reply refuse(int status, std::string_view code, std::string_view message, std::string_view request_id) const override;
};

}  // namespace hearth::api
