// Service: one AWS service (or Hearth's own) behind the front door.
//
// The front door has read the request within its limits, checked its signature and found account, region and service
// (from the credential scope); a service turns one authenticated call into one reply and never throws. Runs on the
// loop's thread.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/ids.h"

namespace hearth::api {

using NameValues = std::vector<std::pair<std::string, std::string>>;

struct Call {
  std::string request_id;  // x-amzn-RequestId of the reply
  AccountId account;
  std::string region;
  std::string service;       // of the credential scope: "lambda"
  bool is_operator = false;  // signed with the operator's key: may use service "hearth"
  std::string method;
  std::string path;    // as sent, percent-encoded
  NameValues query;    // decoded, in order
  NameValues headers;  // names in lower case
  std::string body;
  std::shared_ptr<void> held;  // the body's share of the front door's memory; goes where the body goes

  // First value of that name; nullopt when there is none.
  std::optional<std::string_view> header(std::string_view name) const;
  std::optional<std::string_view> query_value(std::string_view name) const;
};

struct Reply {
  int status = 200;
  std::string content_type = "application/json";
  NameValues headers;
  std::string body;
};

// How large a request's body may be, and the operation that says so.
struct BodyLimit {
  size_t bytes = 1024 * 1024;
  std::string_view operation = "";
};

class Service {
 public:
  virtual ~Service() = default;
  // Asked before the body is read.
  virtual BodyLimit body_limit(std::string_view /*method*/, std::string_view /*path*/) const { return {}; }
  virtual boost::asio::awaitable<Reply> handle(Call call) = 0;
  // A failure that the front door found before the service was asked (signature, size …), in this service's shape.
  // `code` is AWS's ("InvalidSignatureException").
  virtual Reply refuse(int status, std::string_view code, std::string_view message,
                       std::string_view request_id) const = 0;
};

}  // namespace hearth::api
