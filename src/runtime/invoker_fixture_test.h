// For tests: an InvokerService with all it needs around it, faked but for sockets, pipes and log files.
#pragma once

#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/thread_pool.hpp>
#include <deque>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "base/task_group.h"
#include "runtime/fake_warden_test.h"
#include "runtime/invoker_service.h"
#include "runtime/memory_registry_test.h"

namespace hearth::runtime {

// A catalogue that the test writes.
struct TableOfFunctions final : Functions {
  std::map<FunctionKey, Function> table;

  const Function* find(const FunctionKey& key) const override {
    const auto at = table.find(key);
    return at == table.end() ? nullptr : &at->second;
  }
  const Function* shown(const FunctionKey& key) const override { return find(key); }
  std::vector<const Function*> list(const AccountId& account, const std::string&, size_t) const override {
    std::vector<const Function*> all;
    for (const auto& [key, function] : table)
      if (key.account == account) all.push_back(&function);
    return all;
  }
  size_t count(const AccountId&) const override { return table.size(); }
  int64_t code_bytes(const AccountId&) const override { return 0; }

  template <typename T>
  static boost::asio::awaitable<Result<T>> not_asked_for() {
    co_return fail(Kind::internal, "not asked for");
  }
  boost::asio::awaitable<Result<Function>> create(Function) override { return not_asked_for<Function>(); }
  boost::asio::awaitable<Result<Function>> update(FunctionKey, std::string,
                                                  std::function<Result<>(Function&)>) override {
    return not_asked_for<Function>();
  }
  boost::asio::awaitable<Result<Function>> annotate(FunctionKey, std::function<Result<>(Function&)>) override {
    return not_asked_for<Function>();
  }
  boost::asio::awaitable<Result<>> remove(FunctionKey) override { return not_asked_for<void>(); }
  boost::asio::awaitable<Result<>> remove_all(AccountId) override { return not_asked_for<void>(); }
};

struct MemoryQueue final : store::Queue {
  explicit MemoryQueue(const Clock& of) : clock(of) {}
  struct Item {
    std::string queue;
    store::QueueItem item;
    WallTime due;
  };
  const Clock& clock;
  std::map<int64_t, Item> items;
  std::vector<std::chrono::milliseconds> delays;
  int64_t next_id = 1;

  boost::asio::awaitable<Result<int64_t>> enqueue(std::string queue, std::string body) override {
    const int64_t id = next_id++;
    items.emplace(id, Item{std::move(queue), {id, std::move(body), 0, clock.wall()}, clock.wall()});
    co_return id;
  }
  boost::asio::awaitable<Result<std::vector<store::QueueItem>>> lease(std::string queue, size_t limit,
                                                                      std::chrono::milliseconds lease) override {
    std::vector<store::QueueItem> leased;
    for (auto& [id, item] : items) {
      if (item.queue != queue || leased.size() >= limit || item.due > clock.wall()) continue;
      leased.push_back(item.item);
      ++item.item.attempts;
      item.due = clock.wall() + lease;
    }
    co_return leased;
  }
  boost::asio::awaitable<Result<>> acknowledge(int64_t id) override {
    items.erase(id);
    co_return Result<>{};
  }
  boost::asio::awaitable<Result<>> retry_later(int64_t id, std::chrono::milliseconds delay) override {
    const auto at = items.find(id);
    if (at == items.end()) co_return fail(Kind::not_found, "no such item");
    delays.push_back(delay);
    at->second.due = clock.wall() + delay;
    co_return Result<>{};
  }
  boost::asio::awaitable<Result<std::vector<std::string>>> names(std::string prefix) override {
    std::set<std::string> names;
    for (const auto& [id, item] : items)
      if (item.queue.starts_with(prefix)) names.insert(item.queue);
    co_return std::vector<std::string>(names.begin(), names.end());
  }
  boost::asio::awaitable<Result<>> clear(std::string queue) override {
    std::erase_if(items, [&](const auto& entry) { return entry.second.queue == queue; });
    co_return Result<>{};
  }
};

using Outcomes = std::deque<std::optional<Result<InvokeResult>>>;

class InvokerFixture : public testing::Test {
 protected:
  InvokerFixture();
  ~InvokerFixture() override;

  void start();  // with `config` and `policy` as they are
  void stop();

  // Adds a function of that handler; its name is the handler's.
  FunctionKey add(const std::string& handler, std::function<void(Function&)> change = {});
  // Begins an invocation; its outcome comes into outcomes[index], the index is answered.
  size_t begin(const FunctionKey& key, std::string payload = "{}", std::function<void(Invocation&)> change = {});
  // Invokes and waits; the answer, or one whose payload tells why there is none.
  Answer invoke(const FunctionKey& key, std::string payload = "{}", std::function<void(Invocation&)> change = {});
  std::string enqueue(const FunctionKey& key, std::string payload);

  void run_until(const std::function<bool()>& reached, std::chrono::milliseconds limit = std::chrono::seconds(10));
  bool done(size_t index) const { return outcomes[index].has_value(); }
  const Answer* answer(size_t index) const;
  size_t stock() const;
  std::vector<LogLine> log_of(const FunctionKey& key);
  std::vector<int> statuses_of_only_container() const;

  boost::asio::io_context loop;
  boost::asio::thread_pool blocking{1};
  SystemClock clock;
  Config config;
  EventPolicy policy;
  Crowd::Policy crowd;
  std::string dir;
  TableOfFunctions functions;
  MemoryRegistry registry{loop.get_executor()};
  MemoryQueue queue{clock};
  FakeWarden warden{loop.get_executor()};
  std::optional<Error> no_network;  // why functions have none
  std::unique_ptr<Runtimes> runtimes;
  std::unique_ptr<Logs> logs;
  std::unique_ptr<InvokerService> invoker;
  size_t endpoints = 0, endpoints_ended = 0;
  Outcomes outcomes;

 private:
  TaskGroup tasks_{loop.get_executor()};
};

}  // namespace hearth::runtime
