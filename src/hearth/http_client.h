// HttpClient: one signed request to hearthd, and its answer.
//
// Blocking. Signs with libcurl's SigV4, which (7.88) signs path and query as they are sent: so the query is encoded and
// put in order here, and a path holds only characters that need no escaping, else Kind::invalid. No answer from the
// daemon is Kind::unavailable and says how to start it.
#pragma once

#include <chrono>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/json.h"
#include "base/result.h"

namespace hearth::cli {

struct Credentials {
  std::string access_key_id;
  std::string secret_access_key;
  std::string region;
  std::string account;
};

struct HttpRequest {
  std::string method = "GET";
  std::string service;  // of the credential scope: "lambda", "hearth"
  std::string path;
  std::map<std::string, std::string> query;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
  std::chrono::seconds timeout{60};
};

struct HttpReply {
  int status = 0;
  std::map<std::string, std::string> headers;  // names in lower case
  std::string body;

  std::string header(const std::string& name) const;  // "" when it is missing
};

class HttpClient {
 public:
  static constexpr size_t kMaxReply = 64 * 1024 * 1024;

  // `address`: "127.0.0.1:9120".
  explicit HttpClient(std::string address) : address_(std::move(address)) {}

  Result<HttpReply> send(const Credentials& credentials, const HttpRequest& request) const;
  const std::string& address() const { return address_; }

 private:
  std::string address_;
};

// "a=1&b=x%20y": names in order, everything but the unreserved characters of RFC 3986 escaped.
std::string encode_query(const std::map<std::string, std::string>& query);

// The body as JSON, or what an answer of status 400 or more says went wrong.
Result<json::value> read_reply(const HttpReply& reply);

}  // namespace hearth::cli
