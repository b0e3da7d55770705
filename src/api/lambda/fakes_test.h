// Fakes of what the Lambda API stands on, for its tests: functions, packages and an invoker in memory.
#pragma once

#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <exception>
#include <fstream>
#include <map>
#include <optional>
#include <sstream>

#include "api/lambda/service.h"
#include "base/base64.h"
#include "base/run_test.h"
#include "base/sha256.h"

namespace hearth::api::lambda {

// As run(), of several that begin before the first of them ends.
template <typename T>
std::vector<T> run_all(std::vector<boost::asio::awaitable<T>> tasks) {
  boost::asio::io_context loop;
  std::vector<std::optional<T>> results(tasks.size());
  for (size_t i = 0; i < tasks.size(); ++i) {
    boost::asio::co_spawn(loop, std::move(tasks[i]), [&results, i](std::exception_ptr failed, T value) {
      if (failed) std::rethrow_exception(failed);
      results[i] = std::move(value);
    });
  }
  loop.run();
  std::vector<T> all;
  for (auto& result : results) all.push_back(std::move(*result));
  return all;
}

inline const AccountId kAccount{"000000000000"};
inline const AccountId kOther{"111111111111"};

class FakeClock final : public Clock {
 public:
  WallTime now{std::chrono::milliseconds(1'800'000'000'000)};
  WallTime wall() const override { return now; }
  MonotonicTime monotonic() const override { return MonotonicTime(now.time_since_epoch()); }
};

class FakeFunctions final : public runtime::Functions {
 public:
  std::map<runtime::FunctionKey, runtime::Function> all;
  int revisions = 0;
  std::optional<Error> refuse_create;
  bool activates = true;  // at once, as far as a client sees

  const runtime::Function* find(const runtime::FunctionKey& key) const override { return shown(key); }
  const runtime::Function* shown(const runtime::FunctionKey& key) const override {
    auto found = all.find(key);
    return found == all.end() ? nullptr : &found->second;
  }
  std::vector<const runtime::Function*> list(const AccountId& account, const std::string& after,
                                             size_t limit) const override {
    std::vector<const runtime::Function*> page;
    for (auto at = all.upper_bound({account, after}); at != all.end() && at->first.account == account; ++at) {
      if (page.size() < limit) page.push_back(&at->second);
    }
    return page;
  }
  size_t count(const AccountId& account) const override { return list(account, "", 1'000'000).size(); }
  int64_t code_bytes(const AccountId& account) const override {
    int64_t sum = 0;
    for (const auto* function : list(account, "", 1'000'000)) sum += function->code_size;
    return sum;
  }
  boost::asio::awaitable<Result<runtime::Function>> create(runtime::Function function) override {
    if (all.contains(function.key)) co_return fail(Kind::conflict, "taken");
    if (refuse_create) co_return std::unexpected(*refuse_create);
    stamp(function);
    function.state_reason = "The function is being created.";
    function.state_reason_code = "Creating";
    auto stored = function;
    if (activates) stored.state = "Active", stored.last_update_status = "Successful";
    if (activates) stored.state_reason.clear(), stored.state_reason_code.clear();
    all[function.key] = stored;
    co_return function;
  }
  boost::asio::awaitable<Result<runtime::Function>> update(
      runtime::FunctionKey key, std::string revision, std::function<Result<>(runtime::Function&)> change) override {
    auto found = all.find(key);
    if (found == all.end()) co_return fail(Kind::not_found, "gone");
    runtime::Function& function = found->second;
    if (!revision.empty() && revision != function.revision_id) co_return fail(Kind::denied, "precondition");
    if (function.state == "Pending" || function.last_update_status == "InProgress") {
      co_return fail(Kind::conflict, "busy");
    }
    CO_TRY(change(function));
    stamp(function);
    if (!activates) function.last_update_status = "InProgress";
    co_return function;
  }
  boost::asio::awaitable<Result<runtime::Function>> annotate(
      runtime::FunctionKey key, std::function<Result<>(runtime::Function&)> change) override {
    co_await boost::asio::post(boost::asio::use_awaitable);  // what is recorded is seen later
    auto found = all.find(key);
    if (found == all.end()) co_return fail(Kind::not_found, "gone");
    runtime::Function changed = found->second;
    CO_TRY(change(changed));
    found->second = changed;
    co_return changed;
  }
  boost::asio::awaitable<Result<>> remove(runtime::FunctionKey key) override {
    if (all.erase(key) == 0) co_return fail(Kind::not_found, "gone");
    co_return Result<>();
  }
  boost::asio::awaitable<Result<>> remove_all(AccountId account) override {
    std::erase_if(all, [&](const auto& entry) { return entry.first.account == account; });
    co_return Result<>();
  }

 private:
  void stamp(runtime::Function& function) { function.revision_id = "revision-" + std::to_string(++revisions); }
};

class FakePackages final : public runtime::Packages {
 public:
  std::map<std::string, std::string> zips;

  boost::asio::awaitable<Result<runtime::PackageInfo>> add(std::string zip) override {
    if (!zip.starts_with("PK")) {
      co_return fail(Kind::invalid, "Could not unzip uploaded file. Please check your file, then try to upload again.");
    }
    runtime::PackageInfo info;
    auto digest = Sha256::of(zip);
    info.digest = PackageDigest(hex(digest));
    info.code_sha256 = base64_encode(as_text(digest));
    info.code_size = static_cast<int64_t>(zip.size());
    zips[info.digest.str()] = std::move(zip);
    co_return info;
  }
  boost::asio::awaitable<Result<std::string>> zip_of(PackageDigest digest) override {
    auto found = zips.find(digest.str());
    if (found == zips.end()) co_return fail(Kind::not_found, "no such package");
    co_return found->second;
  }
  boost::asio::awaitable<Result<>> collect(std::set<PackageDigest>) override { co_return Result<>(); }
};

class FakeInvoker final : public runtime::Invoker {
 public:
  std::vector<runtime::Invocation> invoked, enqueued;
  std::function<Result<runtime::InvokeResult>(const runtime::Invocation&)> answer;

  boost::asio::awaitable<Result<runtime::InvokeResult>> invoke(runtime::Invocation invocation) override {
    invoked.push_back(invocation);
    if (answer) co_return answer(invocation);
    runtime::Answer echo;
    echo.request_id = "the-request";
    echo.payload = std::move(invocation.payload);
    echo.log_tail = "END";
    co_return runtime::InvokeResult(std::move(echo));
  }
  boost::asio::awaitable<Result<std::string>> enqueue(runtime::Invocation invocation) override {
    enqueued.push_back(std::move(invocation));
    co_return "the-event";
  }
  void replace_instances(const runtime::FunctionKey&) override {}
  std::vector<runtime::InvocationRecord> recent(std::optional<runtime::FunctionKey>, size_t) const override {
    return {};
  }
  json::object pool_status() const override { return {}; }
};

// The service over fakes; call() is one request of kAccount's (or another's) as the front door hands it over.
class LambdaTest : public testing::Test {
 protected:
  Config config_;
  FakeClock clock_;
  FakeFunctions functions_;
  FakePackages packages_;
  FakeInvoker invoker_;
  CodeLinks links_;
  boost::asio::thread_pool pool_{1};
  LambdaService service_{Parts{config_, clock_, functions_, packages_, invoker_, links_, pool_, available, resolve}};

  static bool available(const std::string& name) { return name == "python3.11" || name == "provided.al2023"; }
  static Result<VpcId> resolve(const AccountId&, const std::vector<SubnetId>& subnets, const std::vector<GroupId>&) {
    if (subnets[0].str() == "subnet-1") return VpcId("vpc-1");
    return fail(
        Kind::invalid,
        "Error occurred while DescribeSubnets. EC2 Error Code: InvalidSubnetID.NotFound. EC2 Error Message: The "
        "subnet ID '" +
            subnets[0].str() + "' does not exist");
  }

  Call request(std::string method, std::string path, std::string body = "", NameValues query = {},
               NameValues headers = {}) {
    Call call;
    call.request_id = "id";
    call.account = kAccount;
    call.region = "us-east-1";
    call.method = std::move(method);
    call.path = std::move(path);
    call.query = std::move(query);
    call.headers = std::move(headers);
    call.headers.emplace_back("host", "127.0.0.1:9120");
    call.body = std::move(body);
    return call;
  }
  Reply send(Call call) { return run(service_.handle(std::move(call))); }
  Reply send(std::string method, std::string path, std::string body = "", NameValues query = {},
             NameValues headers = {}) {
    return send(request(std::move(method), std::move(path), std::move(body), std::move(query), std::move(headers)));
  }

  static json::object create_body(const std::string& name) {
    return {{"FunctionName", name},
            {"Runtime", "python3.11"},
            {"Role", "arn:aws:iam::000000000000:role/r"},
            {"Handler", "app.handler"},
            {"Code", json::object{{"ZipFile", base64_encode("PK zip")}}}};
  }
  Reply create(const json::object& body) { return send("POST", "/2015-03-31/functions", json::serialize(body)); }
  void make(const std::string& name) { ASSERT_EQ(create(create_body(name)).status, 201); }

  static json::object parsed(const Reply& reply) { return json::parse(reply.body).as_object(); }
  static std::string header(const Reply& reply, std::string_view name) {
    for (const auto& [key, value] : reply.headers) {
      if (key == name) return value;
    }
    return "";
  }
  // "status code message" of a refusal, or "ok".
  static std::string verdict(const Reply& reply) {
    if (reply.status < 400) return "ok";
    json::object body = parsed(reply);
    const auto* message = body.if_contains("message");
    if (message == nullptr) message = body.if_contains("Message");
    return std::to_string(reply.status) + " " + header(reply, "x-amzn-ErrorType") + " " +
           std::string(message == nullptr ? "<no message>" : std::string(message->as_string()));
  }
};

inline std::string data_file(const std::string& name) {
  const char* given = std::getenv("HEARTH_DATA");
  std::string source = __FILE__;
  std::string folders[] = {given != nullptr ? given : "", "../shared/data",
                           source.substr(0, source.rfind('/')) + "/../../../../shared/data"};
  for (const auto& folder : folders) {
    std::ifstream file(folder + "/" + name);
    if (folder.empty() || !file) continue;
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
  }
  return "";
}

}  // namespace hearth::api::lambda
