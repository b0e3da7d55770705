// For tests only: a registry in memory, a warden that notes what it is asked, and a loop that runs a coroutine to its
// end. Tests of vpc and of api/ec2 stand on them.
#pragma once

#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <exception>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/task_group.h"
#include "store/registry.h"
#include "vpc/networks.h"
#include "warden_client/client.h"

namespace hearth::vpc {

class MemoryRegistry final : public store::Registry {
 public:
  std::map<std::string, std::string> records;
  bool broken = false;  // every change fails

  boost::asio::awaitable<Result<store::Record>> get(std::string key) override {
    auto found = records.find(key);
    if (found == records.end()) co_return fail(Kind::not_found, key);
    co_return store::Record{key, found->second, 1};
  }
  boost::asio::awaitable<Result<int64_t>> put(std::string key, std::string value, std::optional<int64_t>) override {
    if (broken) co_return fail(Kind::internal, "the disk is full");
    records[key] = std::move(value);
    co_return 1;
  }
  boost::asio::awaitable<Result<>> remove(std::string key, std::optional<int64_t>) override {
    if (broken) co_return fail(Kind::internal, "the disk is full");
    records.erase(key);
    co_return Result<>();
  }
  boost::asio::awaitable<Result<std::vector<store::Record>>> list(std::string prefix, std::string after,
                                                                  size_t limit) override {
    std::vector<store::Record> out;
    for (const auto& [key, value] : records)
      if (key.starts_with(prefix) && key > after && out.size() < limit) out.push_back({key, value, 1});
    co_return out;
  }
};

class FakeWarden final : public WardenClient {
 public:
  std::vector<warden::Request> requests;
  std::map<std::string, Error> failures;  // by op
  std::map<std::string, int> in_use;      // by op: for so many calls
  bool away = false;
  bool proven = true;
  std::map<std::string, int> packets;  // of attachments
  // By kind, in order; listed two names a page.
  std::map<std::string, std::vector<warden::NetworkName>> there;

  boost::asio::awaitable<Result<WardenAnswer>> call(warden::Request request, std::chrono::milliseconds) override {
    if (away) co_return fail(Kind::unavailable, "the warden is away");
    requests.push_back(request);
    auto failure = failures.find(std::string(warden::op_name(request)));
    if (failure != failures.end()) co_return std::unexpected(failure->second);
    if (int& left = in_use[std::string(warden::op_name(request))]; left > 0) {
      --left;
      co_return fail(Kind::conflict, "in use");
    }
    WardenAnswer answer;
    if (auto* attach = std::get_if<warden::EnsureAttachment>(&request))
      answer.reply = warden::AttachmentReply{7, "02:00:00:00:00:07", attach->address, proven};
    if (auto* list = std::get_if<warden::ListNetwork>(&request)) answer.reply = page(*list);
    if (auto* stats = std::get_if<warden::GatewayStats>(&request)) answer.reply = counted(*stats);
    co_return answer;
  }
  bool connected() const override { return !away; }
  void stop() override {}

  warden::ListNetworkReply page(const warden::ListNetwork& list) {
    warden::ListNetworkReply reply;
    for (const auto& named : there[list.kind]) {
      if (named.name <= list.after) continue;
      reply.more = reply.names.size() == 2;
      if (reply.more) break;
      reply.names.push_back(named);
    }
    return reply;
  }

  warden::GatewayStatsReply counted(const warden::GatewayStats& asked) const {
    EXPECT_LE(asked.attachments.size(), warden::kMaxStats);
    json::object attachments;
    for (const auto& name : asked.attachments)
      if (packets.contains(name)) attachments[name] = json::object{{"packets", packets.at(name)}};
    return {json::object{{"attachments", std::move(attachments)}, {"gateway", json::object{{"slots", 2}}}}};
  }

  // Ops since the last call, in order, and forgets them.
  std::vector<std::string> ops() {
    std::vector<std::string> out;
    for (const auto& request : requests) out.emplace_back(warden::op_name(request));
    requests.clear();
    return out;
  }
  // The last request of that type.
  template <typename T>
  T last() const {
    for (auto at = requests.rbegin(); at != requests.rend(); ++at)
      if (auto* request = std::get_if<T>(&*at)) return *request;
    ADD_FAILURE() << "the warden was not asked that";
    return {};
  }
};

// Networks on a registry and a warden of its own.
class NetworksTest : public ::testing::Test {
 protected:
  const AccountId ours{"111111111111"};
  const AccountId theirs{"222222222222"};

  void SetUp() override { load(); }
  void TearDown() override {
    tasks.stop();
    loop.restart();
    loop.run();
  }

  // As a restarted daemon: from what the registry holds.
  void load() {
    Networks::Options options;
    options.gateway_driver = "netns";
    options.resolv_conf = resolv_conf;
    options.release_after = std::chrono::milliseconds(1);
    options.first_retry = std::chrono::milliseconds(1);
    options.last_retry = std::chrono::milliseconds(2);
    options.ending = std::chrono::milliseconds(20);
    auto loaded = run(Networks::load(
        registry, [this]() -> WardenClient& { return warden; },
        [this](const AccountId& account) { return uses[account]; }, tasks, options));
    ASSERT_TRUE(loaded) << loaded.error().message;
    networks = std::move(*loaded);
  }

  template <typename T>
  T run(boost::asio::awaitable<T> work) {
    std::optional<T> result;
    boost::asio::co_spawn(loop, std::move(work), [&result](std::exception_ptr error, T value) {
      if (error) std::rethrow_exception(error);
      result = std::move(value);
    });
    loop.restart();
    while (!result && loop.run_one() > 0) {
    }
    return std::move(*result);
  }
  void run_until(const std::function<bool()>& holds) {
    loop.restart();
    while (!holds() && loop.run_one() > 0) {
    }
    EXPECT_TRUE(holds());
  }
  // Runs what is left to run, timers too.
  void run_all() {
    loop.restart();
    loop.run();
  }

  boost::asio::io_context loop;
  TaskGroup tasks{loop.get_executor()};
  MemoryRegistry registry;
  FakeWarden warden;
  std::map<AccountId, std::vector<Use>> uses;
  std::string resolv_conf = "/nonexistent";
  std::unique_ptr<Networks> networks;
};

}  // namespace hearth::vpc
