#include "api/front_door.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>
#include <future>
#include <thread>

#include "api/registry_in_memory_test.h"

namespace hearth::api {
namespace {

namespace asio = boost::asio;

class TestClock final : public Clock {
 public:
  std::atomic<int64_t> milliseconds{1'800'000'000'000};
  WallTime wall() const override { return WallTime(std::chrono::milliseconds(milliseconds.load())); }
  MonotonicTime monotonic() const override { return {}; }
};

// Answers who called and with what.
class Mirror final : public Service {
 public:
  asio::awaitable<Reply> handle(Call call) override {
    Reply reply;
    reply.body = call.account.str() + (call.is_operator ? " operator " : " ") + call.service + " " + call.method + " " +
                 call.path + " " + std::string(call.query_value("q").value_or("-")) + " " + call.body;
    co_return reply;
  }
  Reply refuse(int status, std::string_view code, std::string_view message, std::string_view) const override {
    Reply reply;
    reply.status = status;
    reply.headers.emplace_back("x-amzn-ErrorType", code);
    reply.body = message;
    return reply;
  }
  BodyLimit body_limit(std::string_view, std::string_view path) const override {
    return path == "/large" ? BodyLimit{4 * 1024 * 1024, "Large"} : BodyLimit{};
  }
};

struct Sent {
  int status = 0;
  std::string head;
  std::string body;
  std::string code;
};

class FrontDoorTest : public testing::Test {
 protected:
  void open() {
    accounts_ = asio::co_spawn(loop_, load(), asio::use_future).get();
    auto listener = http::listen_tcp("127.0.0.1", 0);
    ASSERT_TRUE(listener);
    FrontDoor::Parts parts{config_, clock_, *accounts_, links_, pool_, {}, {}, {}, {}};
    parts.services = {{"lambda", &mirror_}, {"hearth", &mirror_}};
    parts.metrics = [] { return std::string("# TYPE a counter\n"); };
    parts.zip_of = zip_of;
    parts.reset = [this](AccountId account) { return reset(account); };
    auto door = FrontDoor::open(loop_.get_executor(), std::move(*listener), std::move(parts));
    ASSERT_TRUE(door) << door.error().describe();
    door_ = std::move(*door);
    port_ = door_->port();
  }
  asio::awaitable<std::unique_ptr<Accounts>> load() {
    auto accounts = co_await Accounts::load(registry_, config_);
    auto made = co_await (*accounts)->create(AccountId("111111111111"));
    EXPECT_TRUE(made);
    co_return std::move(*accounts);
  }
  static asio::awaitable<Result<std::string>> zip_of(PackageDigest digest) {
    if (digest.str() != "abc") co_return fail(Kind::not_found, "none");
    co_return "PK the zip";
  }
  asio::awaitable<Result<>> reset(AccountId account) {
    reset_ = account.str();
    co_return Result<>();
  }
  void TearDown() override {
    if (door_) {
      asio::co_spawn(loop_, stop(), asio::use_future).get();
    }
    work_.reset();
    thread_.join();
  }
  asio::awaitable<void> stop() {
    door_->stop();
    co_await door_->join();
  }

  Fd send_all(const std::string& text) {
    Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port_);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    timeval limit{10, 0};
    ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    EXPECT_EQ(::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    for (size_t at = 0; at < text.size();) {
      ssize_t sent = ::send(fd.get(), text.data() + at, text.size() - at, MSG_NOSIGNAL);
      if (sent <= 0) break;
      at += static_cast<size_t>(sent);
    }
    return fd;
  }
  Sent exchange(const std::string& text) {
    Fd fd = send_all(text);
    ::shutdown(fd.get(), SHUT_WR);
    std::string all;
    char piece[65536];
    for (ssize_t got = 0; (got = ::recv(fd.get(), piece, sizeof piece, 0)) > 0;) {
      all.append(piece, static_cast<size_t>(got));
    }
    Sent sent;
    if (all.size() < 12) return sent;
    sent.status = std::stoi(all.substr(9, 3));
    sent.head = all.substr(0, all.find("\r\n\r\n"));
    sent.body = all.substr(std::min(all.size(), sent.head.size() + 4));
    size_t type = sent.head.find("x-amzn-ErrorType: ");
    if (type != sent.head.npos) sent.code = sent.head.substr(type + 18, sent.head.find('\r', type) - type - 18);
    return sent;
  }
  Sent get(const std::string& path, const std::string& method = "GET") {
    return exchange(method + " " + path + " HTTP/1.1\r\nHost: x\r\n\r\n");
  }

  std::string signed_text(const AccessKey& key, const std::string& method, const std::string& path,
                          const std::string& query, const std::string& body, const std::string& service = "lambda",
                          const std::string& region = "us-east-1") {
    std::vector<http::Header> headers{{"Host", "x"}};
    sigv4::Message message{method, path, query, headers, body};
    sigv4::Credentials credentials{key.access_key_id, key.secret_access_key, key.session_token};
    std::string text = method + " " + path + (query.empty() ? "" : "?" + query) + " HTTP/1.1\r\nHost: x\r\n";
    for (const auto& [name, value] : sigv4::sign(message, credentials, clock_.wall(), region, service)) {
      text += name + ": " + value + "\r\n";
    }
    return text + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
  }
  AccessKey default_key() { return *accounts_->key_of(AccountId("000000000000")); }
  AccessKey second_key() { return *accounts_->key_of(AccountId("111111111111")); }
  AccessKey function_key() {
    auto variables = accounts_->function_environment(AccountId("111111111111"));
    return {variables[0].second, variables[1].second, variables[2].second};
  }

  Config config_;
  TestClock clock_;
  RegistryInMemory registry_;
  CodeLinks links_;
  Mirror mirror_;
  asio::thread_pool pool_{1};
  asio::io_context loop_;
  asio::executor_work_guard<asio::io_context::executor_type> work_{loop_.get_executor()};
  std::thread thread_{[this] { loop_.run(); }};
  std::unique_ptr<Accounts> accounts_;
  std::unique_ptr<FrontDoor> door_;
  uint16_t port_ = 0;
  std::string reset_;
};

TEST_F(FrontDoorTest, a_signed_call_reaches_its_service_as_its_account) {
  open();
  auto sent = exchange(signed_text(default_key(), "POST", "/a%3Ab", "q=%24L", "body"));
  EXPECT_EQ(sent.status, 200) << sent.body;
  EXPECT_EQ(sent.body, "000000000000 lambda POST /a%3Ab $L body");
  EXPECT_NE(sent.head.find("x-amzn-RequestId: "), std::string::npos);
  EXPECT_EQ(exchange(signed_text(second_key(), "GET", "/", "", "")).body, "111111111111 lambda GET / - ");
  EXPECT_EQ(exchange(signed_text(function_key(), "GET", "/", "", "")).body, "111111111111 lambda GET / - ");
  auto by_operator = exchange(signed_text(accounts_->operator_key(), "GET", "/", "", "", "hearth"));
  EXPECT_EQ(by_operator.body, "000000000000 operator hearth GET / - ");
}

TEST_F(FrontDoorTest, everything_else_is_403_in_aws_words) {
  open();
  auto unsigned_call = get("/2015-03-31/functions");
  EXPECT_EQ(unsigned_call.status, 403);
  EXPECT_EQ(unsigned_call.code, "MissingAuthenticationTokenException");
  auto key = default_key();
  key.secret_access_key[0] ^= 1;
  EXPECT_EQ(exchange(signed_text(key, "GET", "/", "", "")).code, "InvalidSignatureException");
  key.access_key_id = "AKIANOBODY";
  EXPECT_EQ(exchange(signed_text(key, "GET", "/", "", "")).code, "UnrecognizedClientException");
  auto temporary = function_key();
  temporary.session_token.clear();
  EXPECT_EQ(exchange(signed_text(temporary, "GET", "/", "", "")).code, "UnrecognizedClientException");
  auto elsewhere = exchange(signed_text(default_key(), "GET", "/", "", "", "lambda", "eu-west-1"));
  EXPECT_EQ(elsewhere.code, "InvalidSignatureException");
  EXPECT_NE(elsewhere.body.find("not 'eu-west-1'"), std::string::npos);
  auto late = signed_text(default_key(), "GET", "/", "", "");
  clock_.milliseconds += 16 * 60 * 1000;
  EXPECT_NE(exchange(late).body.find("Signature expired"), std::string::npos);
  EXPECT_EQ(get("/", "OPTIONS").status, 403);
  EXPECT_EQ(get("/", "HEAD").status, 403);
}

TEST_F(FrontDoorTest, a_service_that_is_not_offered_is_named) {
  open();
  auto sent = exchange(signed_text(default_key(), "GET", "/", "", "", "s3"));
  EXPECT_EQ(sent.status, 501);
  EXPECT_NE(sent.body.find("'s3'"), std::string::npos);
}

TEST_F(FrontDoorTest, open_paths_need_no_signature) {
  open();
  EXPECT_EQ(get("/_hearth/health").body, "ok\n");
  EXPECT_EQ(get("/metrics").body, "# TYPE a counter\n");
  auto code = get(links_.path_to(PackageDigest("abc"), clock_.wall()));
  EXPECT_EQ(code.body, "PK the zip");
  EXPECT_NE(code.head.find("application/zip"), std::string::npos);
  EXPECT_EQ(get(links_.path_to(PackageDigest("other"), clock_.wall())).status, 404);
  EXPECT_EQ(get("/_hearth/code/abc.99999999999.0000").status, 403);
  EXPECT_EQ(get("/_hearth/health", "POST").status, 404);
  EXPECT_EQ(get("/_hearth/reset", "POST").status, 404);
  EXPECT_EQ(reset_, "");
}

TEST_F(FrontDoorTest, an_account_is_reset_when_the_configuration_lets) {
  config_.testing_reset = true;
  open();
  EXPECT_EQ(get("/_hearth/reset", "GET").status, 404);
  EXPECT_EQ(get("/_hearth/reset", "POST").status, 200);
  EXPECT_EQ(reset_, "000000000000");
  EXPECT_EQ(get("/_hearth/reset?account=111111111111", "POST").status, 200);
  EXPECT_EQ(reset_, "111111111111");
  EXPECT_EQ(get("/_hearth/reset?account=x", "POST").status, 400);
}

TEST_F(FrontDoorTest, testing_switches_are_for_loopback_only) {
  config_.listen = "0.0.0.0";
  config_.testing_auth = "open";
  accounts_ = asio::co_spawn(loop_, load(), asio::use_future).get();
  auto try_it = [&] {
    FrontDoor::Parts parts{config_, clock_, *accounts_, links_, pool_, {}, {}, {}, {}};
    auto door = FrontDoor::open(loop_.get_executor(), Fd(), std::move(parts));
    return door ? Kind::internal : door.error().kind;
  };
  EXPECT_EQ(try_it(), Kind::invalid);
  config_.testing_auth = "signed";
  config_.testing_reset = true;
  EXPECT_EQ(try_it(), Kind::invalid);
}

TEST_F(FrontDoorTest, an_open_door_takes_any_signature) {
  config_.testing_auth = "open";
  open();
  AccessKey any{"test", "test", ""};
  EXPECT_EQ(exchange(signed_text(any, "GET", "/", "", "")).body, "000000000000 lambda GET / - ");
  any.access_key_id = "222222222222";
  EXPECT_EQ(exchange(signed_text(any, "GET", "/", "", "", "lambda", "eu-west-1")).body, "222222222222 lambda GET / - ");
  EXPECT_EQ(get("/").status, 403);
}

TEST_F(FrontDoorTest, large_bodies_are_for_known_keys_and_operations_that_have_them) {
  open();
  std::string large(2 * 1024 * 1024, 'x');
  auto sent = exchange(signed_text(default_key(), "POST", "/large", "", large));
  EXPECT_EQ(sent.status, 200) << sent.code;
  EXPECT_TRUE(sent.body.ends_with("xxx"));
  auto refused = exchange(signed_text(default_key(), "POST", "/small", "", large));
  EXPECT_EQ(refused.status, 413);
  EXPECT_EQ(refused.code, "RequestTooLargeException");
  auto over = exchange(signed_text(default_key(), "POST", "/large", "", large + large + "x"));
  EXPECT_EQ(over.body, "Request must be smaller than 4194304 bytes for the Large operation");
  auto key = default_key();
  key.access_key_id = "AKIANOBODY";
  EXPECT_EQ(exchange(signed_text(key, "POST", "/large", "", large)).code, "UnrecognizedClientException");
  EXPECT_EQ(exchange("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2000000\r\n\r\n" + large).code,
            "MissingAuthenticationTokenException");
  std::string tampered = signed_text(default_key(), "POST", "/large", "", large);
  tampered.back() = 'y';
  EXPECT_EQ(exchange(tampered).code, "InvalidSignatureException");
}

TEST_F(FrontDoorTest, bodies_under_way_have_a_budget_by_account) {
  open();
  auto promise = [&](const AccessKey& key) {
    std::string text = signed_text(key, "POST", "/large", "", "");
    const std::string none = "Content-Length: 0\r\n";
    text.replace(text.find(none), none.size(), "Content-Length: 4194304\r\nExpect: 100-continue\r\n");
    Fd fd = send_all(text);
    char status[12] = {};
    EXPECT_EQ(::recv(fd.get(), status, sizeof status, MSG_WAITALL), 12);
    return std::pair(std::move(fd), std::string(status + 9, 3));
  };
  std::vector<Fd> admitted;
  for (size_t bytes = 0; bytes < FrontDoor::kBodiesOfAccount; bytes += 4 * 1024 * 1024) {
    auto [fd, status] = promise(default_key());
    ASSERT_EQ(status, "100");
    admitted.push_back(std::move(fd));
  }
  std::string large(2 * 1024 * 1024, 'x');
  auto busy = exchange(signed_text(default_key(), "POST", "/large", "", large));
  EXPECT_EQ(busy.status, 503);
  EXPECT_EQ(busy.code, "ServiceUnavailableException");
  EXPECT_NE(busy.head.find("Retry-After: 1"), std::string::npos);
  EXPECT_EQ(exchange(signed_text(default_key(), "POST", "/large", "", "small")).status, 200);
  EXPECT_EQ(exchange(signed_text(second_key(), "POST", "/large", "", large)).status, 200);
  admitted.pop_back();  // the client leaves; the server sees it when it can
  auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  int status = 503;
  while (status == 503 && std::chrono::steady_clock::now() < end) {
    status = exchange(signed_text(default_key(), "POST", "/large", "", large)).status;
  }
  EXPECT_EQ(status, 200);
}

TEST_F(FrontDoorTest, a_containers_endpoint_serves_signed_calls_only) {
  config_.testing_auth = "open";
  config_.testing_reset = true;
  open();
  auto listener = http::listen_tcp("127.0.0.1", 0);
  ASSERT_TRUE(listener);
  sockaddr_in address{};
  socklen_t size = sizeof address;
  ASSERT_EQ(::getsockname(listener->get(), reinterpret_cast<sockaddr*>(&address), &size), 0);
  auto serve = [&] { return door_->serve_endpoint(std::move(*listener)); };
  auto end = asio::post(loop_, asio::use_future(serve)).get();
  port_ = ntohs(address.sin_port);
  EXPECT_EQ(exchange(signed_text(function_key(), "GET", "/", "", "")).body, "111111111111 lambda GET / - ");
  // None of what the main listener lets in.
  AccessKey any{"000000000000", "test", ""};
  EXPECT_EQ(exchange(signed_text(any, "GET", "/", "", "")).code, "UnrecognizedClientException");
  EXPECT_EQ(exchange(signed_text(accounts_->operator_key(), "GET", "/", "", "", "hearth")).code,
            "UnrecognizedClientException");
  for (const char* path : {"/metrics", "/_hearth/health", "/_hearth/reset"}) EXPECT_EQ(get(path).status, 404) << path;
  EXPECT_EQ(get("/_hearth/reset", "POST").status, 404);
  EXPECT_EQ(get(links_.path_to(PackageDigest("abc"), clock_.wall())).status, 200);
  asio::post(loop_, asio::use_future(end)).get();
  port_ = door_->port();
  EXPECT_EQ(get("/_hearth/health").status, 200);
}

TEST_F(FrontDoorTest, an_endpoint_may_be_ended_twice_late_or_never) {
  open();
  auto serve = [this] { return door_->serve_endpoint(std::move(*http::listen_tcp("127.0.0.1", 0))); };
  auto twice = asio::post(loop_, asio::use_future(serve)).get();
  auto late = asio::post(loop_, asio::use_future(serve)).get();
  asio::post(loop_, asio::use_future(serve)).get();  // dropped
  asio::post(loop_, asio::use_future(twice)).get();
  asio::post(loop_, asio::use_future(twice)).get();
  asio::co_spawn(loop_, stop(), asio::use_future).get();
  asio::post(loop_, asio::use_future(late)).get();
  auto destroy = [this] { door_.reset(); };
  asio::post(loop_, asio::use_future(destroy)).get();
  asio::post(loop_, asio::use_future(late)).get();
}

}  // namespace
}  // namespace hearth::api
