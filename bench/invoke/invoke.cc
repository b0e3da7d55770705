// bench_invoke: what a warm invocation costs hearthd, without its front door and without Python.
//
// One loop with an InvokerService; containers are threads on real sockets that echo. Prints, for 1 and 16 callers, the
// processor time of the loop's thread an invocation, invocations a second, and the caller's p50 and p99.
#include <fmt/format.h>
#include <time.h>

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/thread_pool.hpp>
#include <cstdlib>
#include <filesystem>
#include <map>

#include "base/task_group.h"
#include "runtime/fake_warden_test.h"
#include "runtime/invoker_service.h"

namespace {

using namespace hearth;
using namespace hearth::runtime;
namespace asio = boost::asio;

template <typename T>
asio::awaitable<Result<T>> none() {
  co_return fail(Kind::internal, "the benchmark does not change functions");
}

struct OneFunction final : Functions {
  Function function;
  const Function* find(const FunctionKey&) const override { return &function; }
  const Function* shown(const FunctionKey&) const override { return &function; }
  std::vector<const Function*> list(const AccountId&, const std::string&, size_t) const override { return {&function}; }
  size_t count(const AccountId&) const override { return 1; }
  int64_t code_bytes(const AccountId&) const override { return 0; }
  using Change = std::function<Result<>(Function&)>;
  asio::awaitable<Result<Function>> create(Function) override { return none<Function>(); }
  asio::awaitable<Result<Function>> update(FunctionKey, std::string, Change) override { return none<Function>(); }
  asio::awaitable<Result<Function>> annotate(FunctionKey, Change) override { return none<Function>(); }
  asio::awaitable<Result<>> remove(FunctionKey) override { return none<void>(); }
  asio::awaitable<Result<>> remove_all(AccountId) override { return none<void>(); }
};

struct NoQueue final : store::Queue {
  asio::awaitable<Result<int64_t>> enqueue(std::string, std::string) override { return none<int64_t>(); }
  asio::awaitable<Result<std::vector<store::QueueItem>>> lease(std::string, size_t,
                                                               std::chrono::milliseconds) override {
    co_return std::vector<store::QueueItem>();
  }
  asio::awaitable<Result<>> acknowledge(int64_t) override { return none<void>(); }
  asio::awaitable<Result<>> retry_later(int64_t, std::chrono::milliseconds) override { return none<void>(); }
  asio::awaitable<Result<std::vector<std::string>>> names(std::string) override {
    co_return std::vector<std::string>();
  }
  asio::awaitable<Result<>> clear(std::string) override { return none<void>(); }
};

struct NoRegistry final : store::Registry {
  asio::awaitable<Result<store::Record>> get(std::string) override { return none<store::Record>(); }
  asio::awaitable<Result<int64_t>> put(std::string, std::string, std::optional<int64_t>) override {
    return none<int64_t>();
  }
  asio::awaitable<Result<>> remove(std::string, std::optional<int64_t>) override { return none<void>(); }
  asio::awaitable<Result<std::vector<store::Record>>> list(std::string, std::string, size_t) override {
    co_return std::vector<store::Record>();
  }
};

int64_t nanos(clockid_t clock) {
  timespec time{};
  ::clock_gettime(clock, &time);
  return time.tv_sec * 1'000'000'000 + time.tv_nsec;
}

struct Run {
  std::vector<int64_t> times;
  size_t failures = 0;
};

asio::awaitable<void> call(InvokerService& invoker, FunctionKey key, size_t count, Run& run) {
  for (size_t i = 0; i < count; ++i) {
    Invocation invocation;
    invocation.function = key;
    invocation.payload = R"({"key1":"value1","key2":"value2"})";
    const auto began = nanos(CLOCK_MONOTONIC);
    auto result = co_await invoker.invoke(std::move(invocation));
    run.times.push_back(nanos(CLOCK_MONOTONIC) - began);
    if (!result || !std::holds_alternative<Answer>(*result)) ++run.failures;
  }
}

asio::awaitable<void> measure(InvokerService& invoker, TaskGroup& tasks, FunctionKey key, size_t callers,
                              size_t count) {
  Run warm_up;
  for (size_t i = 0; i < callers; ++i) tasks.spawn("warm up", call(invoker, key, 50, warm_up));
  co_await tasks.join();
  Run run;
  const auto cpu = nanos(CLOCK_THREAD_CPUTIME_ID);
  const auto wall = nanos(CLOCK_MONOTONIC);
  for (size_t i = 0; i < callers; ++i) tasks.spawn("caller", call(invoker, key, count / callers, run));
  co_await tasks.join();
  const auto cpu_ns = static_cast<double>(nanos(CLOCK_THREAD_CPUTIME_ID) - cpu);
  const auto wall_ns = static_cast<double>(nanos(CLOCK_MONOTONIC) - wall);
  std::ranges::sort(run.times);
  const auto calls = static_cast<double>(run.times.size());
  fmt::print(
      "callers {:>3}  loop cpu {:.1f} us/invocation  {:.0f} invocations/s  p50 {:.1f} us  p99 {:.1f} us  failed {}\n",
      callers, cpu_ns / calls / 1e3, calls / wall_ns * 1e9, static_cast<double>(run.times[run.times.size() / 2]) / 1e3,
      static_cast<double>(run.times[run.times.size() * 99 / 100]) / 1e3, run.failures);
}

struct World {
  asio::io_context& loop;
  std::string dir;
  size_t count;
  asio::thread_pool blocking{1};
  SystemClock clock = {};
  Config config = {};
  OneFunction functions = {};
  NoQueue queue = {};
  NoRegistry registry = {};
  FakeWarden warden{loop.get_executor()};
};

asio::awaitable<void> bench(World& world) {
  auto& function = world.functions.function;
  function.key = {AccountId("000000000000"), "hello"};
  function.runtime = "python3.11";
  function.handler = "echo";
  function.state = "Active";
  auto loaded = co_await Runtimes::load(world.registry, {});
  auto& runtimes = *loaded;
  Logs logs(world.loop.get_executor(), world.blocking, world.clock, Logs::Options{.dir = world.dir});
  auto invoker = InvokerService::start({
      .executor = world.loop.get_executor(),
      .config = world.config,
      .clock = world.clock,
      .functions = world.functions,
      .runtimes = *runtimes,
      .warden = world.warden,
      .queue = world.queue,
      .logs = logs,
      .network_plan = [](const Function&) { return NetworkPlan{}; },
      .credentials = [](const Function&) { return std::vector<std::pair<std::string, std::string>>(); },
      .serve_endpoint = [](Fd) { return [] {}; },
      .events = {},
  });
  world.warden.hooks.on_container_gone = [&](const warden::ContainerGone& gone) { invoker->container_gone(gone); };
  invoker->warden_connected(warden::HelloReply{warden::kProtocolVersion, {"python3.11"}, ""});
  TaskGroup tasks(world.loop.get_executor());
  co_await measure(*invoker, tasks, function.key, 1, world.count);
  co_await measure(*invoker, tasks, function.key, 16, world.count);
  co_await invoker->stop();
  co_await logs.stop();
  world.warden.hooks = {};
  world.warden.containers.clear();
}

}  // namespace

int main(int argc, char** argv) {
  asio::io_context loop(1);
  char dir[] = "/tmp/hearth-bench-XXXXXX";
  World world{.loop = loop, .dir = ::mkdtemp(dir), .count = argc > 1 ? std::strtoul(argv[1], nullptr, 10) : 20'000};
  TaskGroup tasks(loop.get_executor());
  tasks.spawn("bench", bench(world));
  loop.run();
  std::filesystem::remove_all(world.dir);
}
