#include "api/front_door.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/blocking.h"
#include "base/json.h"
#include "base/log.h"

namespace hearth::api {
namespace asio = boost::asio;

namespace {

constexpr std::string_view kHealth = "/_hearth/health";
constexpr std::string_view kMetrics = "/metrics";
constexpr std::string_view kReset = "/_hearth/reset";

bool is_loopback(const std::string& address) { return address.starts_with("127.") || address == "::1"; }

bool is_open_path(std::string_view path) {
  return path == kHealth || path == kMetrics || path == kReset || path.starts_with(CodeLinks::kPath);
}

http::Response plain(int status, std::string text) {
  return {status, {{"Content-Type", "text/plain; charset=utf-8"}}, std::move(text), false};
}

sigv4::Message message_of(const http::Request& request) {
  return {request.head->method, request.head->path(), request.head->query(), request.head->headers, request.body};
}

std::unexpected<sigv4::Refusal> refuse(int status, std::string code, std::string message) {
  return std::unexpected(sigv4::Refusal{status, std::move(code), std::move(message)});
}

NameValues decoded_query(std::string_view query) {
  NameValues pairs;
  for (size_t at = 0; at < query.size();) {
    size_t end = std::min(query.find('&', at), query.size());
    auto item = query.substr(at, end - at);
    at = end + 1;
    if (item.empty()) continue;
    size_t equals = std::min(item.find('='), item.size());
    auto value = equals < item.size() ? item.substr(equals + 1) : std::string_view();
    pairs.emplace_back(sigv4::uri_decode(item.substr(0, equals)), sigv4::uri_decode(value));
  }
  return pairs;
}

NameValues lowered(const std::vector<http::Header>& headers) {
  NameValues pairs;
  pairs.reserve(headers.size());
  for (const http::Header& header : headers) {
    auto& [name, value] = pairs.emplace_back(header.name, header.value);
    for (char& c : name) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
  }
  return pairs;
}

// A refusal for which no service could be found, in the shape of most of them.
Reply refuse_plainly(int status, std::string_view code, std::string_view message) {
  Reply reply;
  reply.status = status;
  reply.headers.emplace_back("x-amzn-ErrorType", code);
  reply.body = json::serialize(json::object{{"message", json::string_view(message.data(), message.size())}});
  return reply;
}

http::Response response_of(Reply reply, std::string request_id) {
  http::Response response;
  response.status = reply.status;
  response.headers = std::move(reply.headers);
  bool has_id =
      std::ranges::any_of(response.headers, [](const auto& header) { return header.first == "x-amzn-RequestId"; });
  if (!has_id) response.headers.emplace_back("x-amzn-RequestId", std::move(request_id));
  if (!reply.content_type.empty()) response.headers.emplace_back("Content-Type", std::move(reply.content_type));
  response.body = std::move(reply.body);
  return response;
}

http::Response refusal_of(const Service* service, int status, std::string_view code, std::string_view message) {
  std::string id = random_uuid();
  Reply reply = service != nullptr ? service->refuse(status, code, message, id) : refuse_plainly(status, code, message);
  return response_of(std::move(reply), std::move(id));
}

}  // namespace

FrontDoor::FrontDoor(asio::any_io_executor executor, Parts parts)
    : executor_(executor), parts_(std::move(parts)), endpoints_(std::make_shared<Endpoints>(executor)) {}

FrontDoor::~FrontDoor() = default;

Result<std::unique_ptr<FrontDoor>> FrontDoor::open(asio::any_io_executor executor, Fd listener, Parts parts) {
  const Config& config = parts.config;
  bool for_tests = config.testing_auth == "open" || config.testing_reset;
  if (for_tests && !is_loopback(config.listen)) {
    return fail(Kind::invalid, fmt::format("testing.auth = \"open\" and testing.reset are for loopback only, and "
                                           "server.listen is {}",
                                           config.listen));
  }
  std::unique_ptr<FrontDoor> door(new FrontDoor(executor, std::move(parts)));
  FrontDoor* self = door.get();
  auto handler = [self](http::Request request) { return self->handle(Door::main, std::move(request)); };
  TRY_ASSIGN(door->main_, http::Server::start(executor, std::move(listener), door->options_for(Door::main), handler));
  return door;
}

http::Options FrontDoor::options_for(Door door) {
  http::Options options;
  options.connections = door == Door::main ? kConnections : kEndpointConnections;
  options.body_limit = [this, door](const http::Head& head) { return admit(door, head); };
  options.refuse = [this](int status, std::string_view reason, const http::Head* head) {
    return refuse_malformed(status, reason, head);
  };
  return options;
}

std::function<void()> FrontDoor::serve_endpoint(Fd listener) {
  auto handler = [this](http::Request request) { return handle(Door::container, std::move(request)); };
  auto started = http::Server::start(executor_, std::move(listener), options_for(Door::container), handler);
  if (!started) {
    log::error("cannot serve a container's endpoint: {}", started.error().describe());
    return [] {};
  }
  return endpoints_->add(std::move(*started));
}

void FrontDoor::stop() {
  main_->stop();
  endpoints_->stop();
}

asio::awaitable<void> FrontDoor::join() {
  co_await main_->join();
  co_await endpoints_->join();
}

// The service that the head names in its credential scope, before anything is checked; nullptr when it names none.
const Service* FrontDoor::service_of(const http::Head& head) const {
  sigv4::Message message{head.method, head.path(), head.query(), head.headers, {}};
  auto claim = sigv4::read_claim(message);
  auto found = claim ? parts_.services.find(claim->service) : parts_.services.find("lambda");
  return found == parts_.services.end() ? nullptr : found->second;
}

std::variant<http::BodyPermit, http::Response> FrontDoor::admit(Door door, const http::Head& head) {
  bool has_body = head.content_length.value_or(1) > kUnsignedBody || head.header("transfer-encoding").has_value();
  if (!has_body || is_open_path(head.path())) return http::BodyPermit{kUnsignedBody, nullptr};
  // A body worth speaking of: only for who is known, and as large as the operation has it.
  sigv4::Message message{head.method, head.path(), head.query(), head.headers, {}};
  auto claim = sigv4::read_claim(message);
  const Service* service = service_of(head);
  auto caller = claim ? caller_of(door, *claim) : std::unexpected(claim.error());
  if (!caller) {
    return refusal_of(service, caller.error().status, caller.error().code, caller.error().message);
  }
  if (service == nullptr) return http::BodyPermit{kUnsignedBody, nullptr};
  BodyLimit limit = service->body_limit(head.method, head.path());
  if (head.content_length.value_or(0) > limit.bytes) {
    return refusal_of(service, 413, "RequestTooLargeException",
                      fmt::format("Request must be smaller than {} bytes for the {} operation", limit.bytes,
                                  limit.operation.empty() ? "requested" : limit.operation));
  }
  size_t bytes = std::max<size_t>(1, head.content_length.value_or(limit.bytes));
  auto held = bodies_.take(caller->account.str(), bytes);
  if (held != nullptr) return http::BodyPermit{limit.bytes, std::move(held)};
  auto busy = refusal_of(service, 503, "ServiceUnavailableException", "Too many large requests are under way.");
  busy.headers.emplace_back("Retry-After", "1");
  return busy;
}

http::Response FrontDoor::refuse_malformed(int status, std::string_view reason, const http::Head* head) const {
  const Service* service = head != nullptr ? service_of(*head) : nullptr;
  std::string_view code = status == 413 ? "RequestTooLargeException" : "InvalidRequestException";
  if (status == 408) code = "RequestTimeoutException";
  return refusal_of(service, status, code, reason);
}

asio::awaitable<http::Response> FrontDoor::handle(Door door, http::Request request) {
  if (is_open_path(request.path())) co_return co_await handle_open(door, std::move(request));
  const http::Head& head = *request.head;
  auto call = co_await authenticate(door, std::move(request));
  if (!call) co_return refusal_of(service_of(head), call.error().status, call.error().code, call.error().message);
  auto id = call->request_id;
  Service* service = parts_.services.find(call->service)->second;
  Reply reply = co_await service->handle(std::move(*call));
  co_return response_of(std::move(reply), std::move(id));
}

std::expected<Caller, sigv4::Refusal> FrontDoor::caller_of(Door door, const sigv4::Claim& claim) const {
  const Caller* known = parts_.accounts.find(claim.access_key);
  bool usable = known != nullptr && !(known->is_operator && door == Door::container);
  if (usable) return *known;
  if (is_open() && door == Door::main) {
    std::string account = is_account(claim.access_key) ? std::string(claim.access_key) : parts_.config.default_account;
    return Caller{AccountId(account), {}, false};
  }
  return refuse(403, "UnrecognizedClientException", "The security token included in the request is invalid.");
}

std::expected<void, sigv4::Refusal> FrontDoor::check_claim(const sigv4::Claim& claim, const Caller& caller) const {
  if (!parts_.services.contains(claim.service)) {
    std::string offered;
    for (const auto& [name, service] : parts_.services) offered += (offered.empty() ? "" : ", ") + name;
    return refuse(501, "ServiceNotOfferedException",
                  fmt::format("Hearth does not offer the service '{}'; it offers {}.", claim.service, offered));
  }
  if (is_open()) return {};
  if (claim.region != parts_.config.region) {
    return refuse(403, "InvalidSignatureException",
                  fmt::format("Credential should be scoped to a valid region, not '{}'. Hearth's region is '{}'.",
                              claim.region, parts_.config.region));
  }
  if (caller.key.session_token != claim.session_token) {
    return refuse(403, "UnrecognizedClientException", "The security token included in the request is invalid.");
  }
  return {};
}

asio::awaitable<std::expected<Call, sigv4::Refusal>> FrontDoor::authenticate(Door door, http::Request request) {
  auto message = message_of(request);
  auto claim = sigv4::read_claim(message);
  if (!claim) co_return std::unexpected(claim.error());
  auto caller = caller_of(door, *claim);
  if (!caller) co_return std::unexpected(caller.error());
  if (auto checked = check_claim(*claim, *caller); !checked) co_return std::unexpected(checked.error());
  bool must_verify = !is_open() || door == Door::container;
  if (must_verify) {
    if (request.body.size() > kHashOnLoop) {
      std::string_view body = request.body;
      auto hash = [body] { return Sha256::of(body); };
      message.body_hash = co_await run_blocking(parts_.blocking, hash);
    }
    auto verified = verifier_.verify(message, *claim, caller->key.secret_access_key, parts_.clock.wall());
    if (!verified) co_return std::unexpected(verified.error());
  }
  Call call;
  call.request_id = random_uuid();
  call.account = caller->account;
  call.region = parts_.config.region;
  call.service = claim->service;
  call.is_operator = caller->is_operator;
  call.method = request.head->method;
  call.path = request.head->path();
  call.query = decoded_query(request.head->query());
  call.headers = lowered(request.head->headers);
  call.body = std::move(request.body);
  call.held = std::move(request.held);
  co_return call;
}

asio::awaitable<http::Response> FrontDoor::handle_open(Door door, http::Request request) {
  auto path = request.path();
  bool reads = request.method() == "GET" || request.method() == "HEAD";
  if (path.starts_with(CodeLinks::kPath) && reads) {
    co_return co_await send_code(std::string(path.substr(CodeLinks::kPath.size())));
  }
  if (door == Door::main && path == kHealth && reads) co_return plain(200, "ok\n");
  if (door == Door::main && path == kMetrics && reads && parts_.metrics) {
    http::Response response = plain(200, parts_.metrics());
    response.headers[0].second = "text/plain; version=0.0.4";
    co_return response;
  }
  bool may_reset = door == Door::main && parts_.config.testing_reset && parts_.reset;
  if (may_reset && path == kReset && request.method() == "POST") {
    co_return co_await reset_account(std::string(request.head->query()));
  }
  co_return plain(404, "there is nothing here\n");
}

asio::awaitable<http::Response> FrontDoor::send_code(std::string token) {
  auto digest = parts_.links.open(token, parts_.clock.wall());
  if (!digest) co_return plain(403, digest.error().message + "\n");
  auto zip = co_await parts_.zip_of(*digest);
  if (!zip) co_return plain(zip.error().kind == Kind::not_found ? 404 : 500, zip.error().message + "\n");
  http::Response response;
  response.headers.emplace_back("Content-Type", "application/zip");
  response.body = std::move(*zip);
  co_return response;
}

asio::awaitable<http::Response> FrontDoor::reset_account(std::string query) {
  std::string account = parts_.config.default_account;
  for (auto& [name, value] : decoded_query(query)) {
    if (name == "account") account = value;
  }
  if (auto valid = check_account(AccountId(account)); !valid) co_return plain(400, valid.error().message + "\n");
  auto done = co_await parts_.reset(AccountId(account));
  if (done) co_return plain(200, "account " + account + " is empty\n");
  log::error("resetting account {}: {}", account, done.error().describe());
  co_return plain(500, done.error().message + "\n");
}

}  // namespace hearth::api
