// Router: the routes of Hearth's own API, below /_hearth/v1/.
//
// A pattern is made of segments, `{…}` stands for any one ("vpcs/{vpc}/hosts"). A handler reads a Request and answers
// JSON or an Error, whose Kind is the HTTP status. Every request must name only what its route knows: an unknown query
// parameter or body member is Kind::invalid, as is a body over kMaxBody. Answers: 200 and the value, else
// {"error":KIND,"message":TEXT}.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <functional>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "api/service.h"
#include "base/json.h"
#include "base/result.h"

namespace hearth::api::admin {

constexpr std::string_view kRoot = "/_hearth/v1/";
constexpr size_t kMaxBody = 64 * 1024;
constexpr size_t kMaxSegments = 8;

struct Request {
  Call call;
  std::vector<std::string> parts;  // what stood for each `{…}` of the pattern

  // Refuses query parameters other than these.
  Result<> only_query(std::initializer_list<std::string_view> names) const;
  std::string query_text(std::string_view name) const;  // "" when it is missing
  Result<int64_t> query_integer(std::string_view name, int64_t min, int64_t max, int64_t fallback) const;
  // The body, which must be JSON.
  Result<json::value> body() const;
};

using Outcome = Result<json::value>;
using Handler = std::function<boost::asio::awaitable<Outcome>(Request)>;

int status_of(Kind kind);
Reply reply_of(const Outcome& outcome);
Reply error_reply(int status, std::string_view code, std::string_view message);

class Router {
 public:
  void add(std::string method, const std::string& pattern, Handler handler);

  // A member coroutine of `owner`, which must outlive the router.
  template <typename Owner>
  void add(std::string method, const std::string& pattern, Owner* owner,
           boost::asio::awaitable<Outcome> (Owner::*handler)(Request)) {
    add(std::move(method), pattern,
        [owner, handler](Request request) { return (owner->*handler)(std::move(request)); });
  }

  // Unknown path: 404. Known path and another method: 405.
  boost::asio::awaitable<Reply> handle(Call call) const;

 private:
  struct Route {
    std::string method;
    std::vector<std::string> segments;
    Handler handler;
  };
  std::vector<Route> routes_;
};

}  // namespace hearth::api::admin
