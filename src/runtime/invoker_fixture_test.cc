#include "runtime/invoker_fixture_test.h"

#include <unistd.h>

namespace hearth::runtime {
namespace asio = boost::asio;
using namespace std::chrono_literals;
namespace {

// The references are of the fixture and its tests, which outlive the loop.
// NOLINTBEGIN(*-reference-coroutine-parameters)
asio::awaitable<void> store_outcome(InvokerService& invoker, Invocation invocation,
                                    std::optional<Result<InvokeResult>>& outcome) {
  outcome = co_await invoker.invoke(std::move(invocation));
}

asio::awaitable<void> store_id(InvokerService& invoker, Invocation invocation, std::optional<Result<std::string>>& id) {
  id = co_await invoker.enqueue(std::move(invocation));
}

asio::awaitable<void> load_runtimes(store::Registry& registry, std::unique_ptr<Runtimes>& runtimes) {
  std::map<std::string, std::string> configured{{"python3.13", "python3.11"}};
  auto loaded = co_await Runtimes::load(registry, std::move(configured));
  EXPECT_TRUE(loaded);
  if (loaded) runtimes = std::move(*loaded);
}

asio::awaitable<void> store_tail(Logs& logs, FunctionKey key, std::optional<std::vector<LogLine>>& lines) {
  auto tail = co_await logs.tail(std::move(key), 10'000);
  EXPECT_TRUE(tail);
  lines = tail ? *tail : std::vector<LogLine>();
}

asio::awaitable<void> stop_all(InvokerService& invoker, Logs& logs, bool& stopped) {
  co_await invoker.stop();
  co_await logs.stop();
  stopped = true;
}
// NOLINTEND(*-reference-coroutine-parameters)

}  // namespace

InvokerFixture::InvokerFixture() {
  char name[] = "/tmp/hearth-runtime-XXXXXX";
  dir = ::mkdtemp(name);
  config.pool_min = 2;
  config.pool_max = 8;
  policy.poll = 10ms;
}

InvokerFixture::~InvokerFixture() {
  if (invoker) stop();
  std::filesystem::remove_all(dir);
}

void InvokerFixture::start() {
  tasks_.spawn("load runtimes", load_runtimes(registry, runtimes));
  run_until([&] { return runtimes != nullptr; });
  logs = std::make_unique<Logs>(loop.get_executor(), blocking, clock, Logs::Options{.dir = dir, .flush = 5ms});
  invoker = InvokerService::start({.executor = loop.get_executor(),
                                   .config = config,
                                   .clock = clock,
                                   .functions = functions,
                                   .runtimes = *runtimes,
                                   .warden = warden,
                                   .queue = queue,
                                   .logs = *logs,
                                   .network_plan = [this](const Function&) -> Result<NetworkPlan> {
                                     if (no_network) return std::unexpected(*no_network);
                                     return NetworkPlan{"outside", "", {"100.64.0.1"}};
                                   },
                                   .credentials =
                                       [](const Function&) {
                                         return std::vector<std::pair<std::string, std::string>>{
                                             {"AWS_ACCESS_KEY_ID", "AKIATEST"}};
                                       },
                                   .serve_endpoint = [this](Fd listener) -> std::function<void()> {
                                     EXPECT_TRUE(listener.valid());
                                     ++endpoints;
                                     return [this] { ++endpoints_ended; };
                                   },
                                   .events = policy,
                                   .crowd = crowd});
  warden.hooks = {.on_connected = [this](const warden::HelloReply& hello) { invoker->warden_connected(hello); },
                  .on_disconnected = [this] { invoker->warden_disconnected(); },
                  .on_container_gone = [this](const warden::ContainerGone& gone) { invoker->container_gone(gone); }};
  warden.hooks.on_connected(warden::HelloReply{warden::kProtocolVersion, {"python3.11"}, "v1"});
}

void InvokerFixture::stop() {
  bool stopped = false;
  tasks_.spawn("stop", stop_all(*invoker, *logs, stopped));
  run_until([&] { return stopped && tasks_.size() == 0; });
  warden.hooks = {};
  warden.containers.clear();
  invoker.reset();
  logs.reset();
  runtimes.reset();
}

FunctionKey InvokerFixture::add(const std::string& handler, std::function<void(Function&)> change) {
  Function function;
  function.key = {AccountId("000000000000"), handler};
  function.region = "us-east-1";
  function.runtime = "python3.11";
  function.handler = handler;
  function.package = PackageDigest(std::string(64, 'a'));
  function.state = "Active";
  function.last_update_status = "Successful";
  if (change) change(function);
  functions.table[function.key] = function;
  return function.key;
}

size_t InvokerFixture::begin(const FunctionKey& key, std::string payload, std::function<void(Invocation&)> change) {
  Invocation invocation;
  invocation.function = key;
  invocation.payload = std::move(payload);
  if (change) change(invocation);
  auto& outcome = outcomes.emplace_back();
  tasks_.spawn("invoke", store_outcome(*invoker, std::move(invocation), outcome));
  return outcomes.size() - 1;
}

Answer InvokerFixture::invoke(const FunctionKey& key, std::string payload, std::function<void(Invocation&)> change) {
  const auto index = begin(key, std::move(payload), std::move(change));
  run_until([&] { return done(index); });
  if (const auto* got = answer(index)) return *got;
  Answer none;
  if (!outcomes[index]) {
    none.payload = "no outcome";
  } else if (!*outcomes[index]) {
    none.payload = "error: " + outcomes[index]->error().message;
  } else {
    none.payload = "throttled: " + std::get<Throttled>(**outcomes[index]).reason;
  }
  return none;
}

std::string InvokerFixture::enqueue(const FunctionKey& key, std::string payload) {
  Invocation invocation;
  invocation.function = key;
  invocation.payload = std::move(payload);
  std::optional<Result<std::string>> id;
  tasks_.spawn("enqueue", store_id(*invoker, std::move(invocation), id));
  run_until([&] { return id.has_value(); });
  return id && *id ? **id : "";
}

void InvokerFixture::run_until(const std::function<bool()>& reached, std::chrono::milliseconds limit) {
  const auto end = std::chrono::steady_clock::now() + limit;
  while (!reached()) {
    ASSERT_LT(std::chrono::steady_clock::now(), end) << "did not happen in time";
    if (loop.stopped()) loop.restart();
    loop.run_one_for(5ms);
  }
}

const Answer* InvokerFixture::answer(size_t index) const {
  const auto& outcome = outcomes[index];
  return outcome && *outcome ? std::get_if<Answer>(&**outcome) : nullptr;
}

size_t InvokerFixture::stock() const {
  size_t all = 0;
  const auto status = invoker->pool_status();
  for (const auto& pool : status.at("pools").as_array()) all += pool.at("stock").to_number<size_t>();
  return all;
}

std::vector<LogLine> InvokerFixture::log_of(const FunctionKey& key) {
  std::optional<std::vector<LogLine>> lines;
  tasks_.spawn("tail", store_tail(*logs, key, lines));
  run_until([&] { return lines.has_value(); });
  return lines.value_or(std::vector<LogLine>());
}

std::vector<int> InvokerFixture::statuses_of_only_container() const {
  const FakeShim* only = nullptr;
  for (const auto& [id, container] : warden.containers)
    if (container->shim) {
      EXPECT_EQ(only, nullptr);
      only = container->shim.get();
    }
  return only != nullptr ? only->statuses() : std::vector<int>();
}

}  // namespace hearth::runtime
