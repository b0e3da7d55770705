#include "api/admin/router.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>

namespace hearth::api::admin {
namespace {

// Empty when there are more than kMaxSegments.
std::vector<std::string> split(std::string_view path) {
  std::vector<std::string> segments;
  for (size_t from = 0; from <= path.size();) {
    if (segments.size() == kMaxSegments) return {};
    size_t slash = std::min(path.find('/', from), path.size());
    segments.emplace_back(path.substr(from, slash - from));
    from = slash + 1;
  }
  return segments;
}

// What stood for each `{…}`; nullopt when the path is another one.
std::optional<std::vector<std::string>> match(const std::vector<std::string>& pattern,
                                              const std::vector<std::string>& path) {
  if (pattern.size() != path.size()) return std::nullopt;
  std::vector<std::string> parts;
  for (size_t i = 0; i < path.size(); ++i) {
    if (pattern[i].starts_with('{')) {
      if (path[i].empty()) return std::nullopt;
      parts.push_back(path[i]);
    } else if (pattern[i] != path[i]) {
      return std::nullopt;
    }
  }
  return parts;
}

}  // namespace

Result<> Request::only_query(std::initializer_list<std::string_view> names) const {
  for (const auto& [name, value] : call.query) {
    if (std::ranges::find(names, name) == names.end()) {
      return fail(Kind::invalid, fmt::format("query parameter {} is not known here", name));
    }
  }
  return {};
}

std::string Request::query_text(std::string_view name) const {
  auto entry = std::ranges::find(call.query, name, &std::pair<std::string, std::string>::first);
  return entry == call.query.end() ? "" : entry->second;
}

Result<int64_t> Request::query_integer(std::string_view name, int64_t min, int64_t max, int64_t fallback) const {
  std::string text = query_text(name);
  if (text.empty()) return fallback;
  int64_t number = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number < min || number > max) {
    return fail(Kind::invalid, fmt::format("{} must be an integer between {} and {}", name, min, max));
  }
  return number;
}

Result<json::value> Request::body() const { return parse_json(call.body, kMaxBody); }

int status_of(Kind kind) {
  switch (kind) {
    case Kind::invalid:
      return 400;
    case Kind::not_found:
      return 404;
    case Kind::conflict:
      return 409;
    case Kind::denied:
      return 403;
    case Kind::exhausted:
      return 429;
    case Kind::timeout:
      return 504;
    case Kind::unavailable:
      return 503;
    case Kind::internal:
      break;
  }
  return 500;
}

Reply error_reply(int status, std::string_view code, std::string_view message) {
  Reply reply;
  reply.status = status;
  reply.body = json::serialize(json::object{{"error", code}, {"message", message}});
  return reply;
}

Reply reply_of(const Outcome& outcome) {
  if (!outcome) {
    const Error& error = outcome.error();
    return error_reply(status_of(error.kind), to_string(error.kind), error.message);
  }
  Reply reply;
  reply.body = json::serialize(*outcome);
  return reply;
}

void Router::add(std::string method, const std::string& pattern, Handler handler) {
  routes_.push_back({std::move(method), split(pattern), std::move(handler)});
}

boost::asio::awaitable<Reply> Router::handle(Call call) const {
  std::string_view path = call.path;
  if (!path.starts_with(kRoot)) co_return error_reply(404, "not_found", fmt::format("no such path: {}", path));
  auto segments = split(path.substr(kRoot.size()));
  bool known_path = false;
  for (const auto& route : routes_) {
    auto parts = match(route.segments, segments);
    if (!parts) continue;
    known_path = true;
    if (route.method != call.method) continue;
    Request request{std::move(call), std::move(*parts)};
    Outcome outcome = co_await route.handler(std::move(request));
    co_return reply_of(outcome);
  }
  if (known_path) co_return error_reply(405, "invalid", fmt::format("{} is not served at {}", call.method, path));
  co_return error_reply(404, "not_found", fmt::format("no such path: {}", path));
}

}  // namespace hearth::api::admin
