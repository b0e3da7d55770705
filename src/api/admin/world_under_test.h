// For this folder's tests: a daemon's parts without a daemon: records in memory, a warden that says yes, functions and
// invocations that the test lists.
#pragma once

#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/thread_pool.hpp>
#include <exception>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "api/admin/admin_service.h"

namespace hearth::api::admin {

namespace asio = boost::asio;

class MemoryRegistry final : public store::Registry {
 public:
  asio::awaitable<Result<store::Record>> get(std::string key) override {
    auto found = records.find(key);
    if (found == records.end()) co_return fail(Kind::not_found, key);
    co_return found->second;
  }
  asio::awaitable<Result<int64_t>> put(std::string key, std::string value, std::optional<int64_t> expected) override {
    if (refuses) co_return fail(Kind::internal, "the disk is full");
    int64_t now = records.contains(key) ? records[key].version : 0;
    if (expected && *expected != now) co_return fail(Kind::conflict, key);
    records[key] = {key, std::move(value), now + 1};
    co_return now + 1;
  }
  asio::awaitable<Result<>> remove(std::string key, std::optional<int64_t>) override {
    records.erase(key);
    co_return Result<>();
  }
  asio::awaitable<Result<std::vector<store::Record>>> list(std::string prefix, std::string after,
                                                           size_t limit) override {
    std::vector<store::Record> found;
    for (const auto& [key, record] : records) {
      if (key.starts_with(prefix) && key > after && found.size() < limit) found.push_back(record);
    }
    co_return found;
  }

  std::map<std::string, store::Record> records;
  bool refuses = false;
};

class MovedClock final : public Clock {
 public:
  WallTime wall() const override { return real_.wall() + std::chrono::duration_cast<std::chrono::milliseconds>(ahead); }
  MonotonicTime monotonic() const override { return real_.monotonic() + ahead; }
  std::chrono::seconds ahead{0};

 private:
  SystemClock real_;
};

class WillingWarden final : public WardenClient {
 public:
  asio::awaitable<Result<WardenAnswer>> call(warden::Request request, std::chrono::milliseconds) override {
    if (away) co_return fail(Kind::unavailable, "hearth-warden is away");
    asked.emplace_back(warden::op_name(request));
    WardenAnswer answer;
    if (std::holds_alternative<warden::GatewayStats>(request)) answer.reply = warden::GatewayStatsReply{counters};
    if (std::holds_alternative<warden::EnsureAttachment>(request)) {
      warden::AttachmentReply reply;
      reply.proven = true;
      answer.reply = reply;
    }
    co_return answer;
  }
  bool connected() const override { return !away; }
  void stop() override {}

  bool away = false;
  std::vector<std::string> asked;
  json::object counters;
};

class ListedFunctions final : public runtime::Functions {
 public:
  const runtime::Function* find(const runtime::FunctionKey&) const override { return nullptr; }
  const runtime::Function* shown(const runtime::FunctionKey&) const override { return nullptr; }
  std::vector<const runtime::Function*> list(const AccountId&, const std::string&, size_t) const override { return {}; }
  size_t count(const AccountId& account) const override { return counts.contains(account) ? counts.at(account) : 0; }
  int64_t code_bytes(const AccountId&) const override { return 0; }
  asio::awaitable<Result<runtime::Function>> create(runtime::Function) override { co_return refused(); }
  asio::awaitable<Result<runtime::Function>> update(runtime::FunctionKey, std::string,
                                                    std::function<Result<>(runtime::Function&)>) override {
    co_return refused();
  }
  asio::awaitable<Result<runtime::Function>> annotate(runtime::FunctionKey,
                                                      std::function<Result<>(runtime::Function&)>) override {
    co_return refused();
  }
  asio::awaitable<Result<>> remove(runtime::FunctionKey) override { co_return refused(); }
  asio::awaitable<Result<>> remove_all(AccountId) override { co_return refused(); }

  std::map<AccountId, size_t> counts;

 private:
  static Failure refused() { return fail(Kind::internal, "this API changes no function"); }
};

class RecordedInvoker final : public runtime::Invoker {
 public:
  asio::awaitable<Result<runtime::InvokeResult>> invoke(runtime::Invocation) override {
    co_return fail(Kind::internal, "this API invokes nothing");
  }
  asio::awaitable<Result<std::string>> enqueue(runtime::Invocation) override {
    co_return fail(Kind::internal, "this API invokes nothing");
  }
  void replace_instances(const runtime::FunctionKey&) override {}
  std::vector<runtime::InvocationRecord> recent(std::optional<runtime::FunctionKey> function,
                                                size_t limit) const override {
    std::vector<runtime::InvocationRecord> found;
    for (const auto& record : records) {
      if ((!function || record.function == *function) && found.size() < limit) found.push_back(record);
    }
    return found;
  }
  json::object pool_status() const override { return {{"warm", 4}}; }

  std::vector<runtime::InvocationRecord> records;
};

class World {
 public:
  World() {
    config.default_account = "000000000000";
    config.state = "/state";
    accounts = must(run(Accounts::load(registry, config)));
    vpc::Networks::Options options;
    networks = must(run(vpc::Networks::load(
        registry, [this]() -> WardenClient& { return warden; },
        [](const AccountId&) { return std::vector<vpc::Use>(); }, tasks, options)));
    config.runtime_aliases = {{"python3.9", "python3.11"}};
    runtimes = must(run(runtime::Runtimes::load(registry, config.runtime_aliases)));
    runtimes->set_available({"python3.11"});
    runtime::Logs::Options log_options;
    log_options.dir = folder;
    log_options.flush = std::chrono::milliseconds(1);
    logs = std::make_unique<runtime::Logs>(loop.get_executor(), blocking, clock, log_options);
    Dependencies parts{config, clock, functions, invoker, *networks, *runtimes, *accounts, *logs, {}, {}};
    parts.warden = [this] { return WardenState{warden.connected(), "v1"}; };
    parts.gateway_counters = [this] { return count(); };
    service = std::make_unique<AdminService>(std::move(parts));
  }
  ~World() {
    service.reset();
    tasks.stop();
    run(end());
    std::filesystem::remove_all(folder);
  }

  // Runs the loop until the call has ended; what else is on it goes on at the next one.
  template <typename T>
  T run(asio::awaitable<T> call) {
    std::exception_ptr thrown;
    loop.restart();
    if constexpr (std::is_void_v<T>) {
      asio::co_spawn(loop, std::move(call), [&](std::exception_ptr error) {
        thrown = error;
        loop.stop();
      });
      loop.run();
      if (thrown) std::rethrow_exception(thrown);
    } else {
      std::optional<T> value;
      asio::co_spawn(loop, std::move(call), [&](std::exception_ptr error, T result) {
        thrown = error;
        value.emplace(std::move(result));
        loop.stop();
      });
      loop.run();
      if (thrown) std::rethrow_exception(thrown);
      return std::move(*value);
    }
  }
  template <typename T>
  static T must(Result<T> result) {
    if (!result) throw std::runtime_error(result.error().describe());
    return std::move(*result);
  }

  Reply send(const std::string& method, const std::string& path, const std::string& body = "", NameValues query = {}) {
    Call call;
    call.is_operator = true;
    call.method = method;
    call.path = std::string(kRoot) + path;
    call.body = body;
    call.query = std::move(query);
    return run(service->handle(std::move(call)));
  }
  // "404 there is no VPC x" or "200 {…}".
  std::string told(const std::string& method, const std::string& path, const std::string& body = "",
                   NameValues query = {}) {
    Reply reply = send(method, path, body, std::move(query));
    std::string text = reply.body;
    if (reply.status != 200) text = json::parse(reply.body).at("message").as_string();
    return std::to_string(reply.status) + " " + text;
  }
  json::value get(const std::string& path, NameValues query = {}) {
    Reply reply = send("GET", path, "", std::move(query));
    EXPECT_EQ(reply.status, 200) << reply.body;
    return json::parse(reply.body);
  }

  asio::io_context loop;
  Config config;
  MovedClock clock;
  MemoryRegistry registry;
  WillingWarden warden;
  ListedFunctions functions;
  RecordedInvoker invoker;
  TaskGroup tasks{loop.get_executor()};
  std::unique_ptr<Accounts> accounts;
  std::unique_ptr<vpc::Networks> networks;
  std::unique_ptr<runtime::Runtimes> runtimes;
  asio::thread_pool blocking{1};
  std::string folder = std::filesystem::temp_directory_path() / ("hearth-admin-test-" + random_hex(12));
  std::unique_ptr<runtime::Logs> logs;
  std::unique_ptr<AdminService> service;

 private:
  asio::awaitable<void> end() {
    co_await tasks.join();
    co_await logs->stop();
  }
  asio::awaitable<Result<json::object>> count() { co_return warden.counters; }
};

}  // namespace hearth::api::admin
