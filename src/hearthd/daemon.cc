#include "hearthd/daemon.h"

#include <fmt/format.h>

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "base/log.h"

namespace hearth {
namespace {

namespace asio = boost::asio;

constexpr std::chrono::seconds kTrimLogsAfter{5};
constexpr std::chrono::seconds kDrain{4};   // less than the 7 s that runit waits for a stop
constexpr std::chrono::seconds kRefuse{1};  // for the answers to what the invoker gave up
constexpr std::chrono::milliseconds kBetweenLooks{10};

std::optional<vpc::VpcConfig> vpc_config(const runtime::Function& function) {
  if (!function.vpc) return std::nullopt;
  return vpc::VpcConfig{function.vpc->subnets, function.vpc->groups};
}

}  // namespace

Daemon::Daemon(asio::io_context& loop, const Config& config, Fd listener)
    : loop_(loop), config_(config), listener_(std::move(listener)), tasks_(loop.get_executor()) {}

Daemon::~Daemon() = default;

asio::awaitable<Result<>> Daemon::open() {
  CO_TRY(co_await open_records());
  CO_TRY(co_await open_runtime());
  CO_TRY(open_services());
  co_return Result<>{};
}

Daemon::Done Daemon::open_records() {
  CO_TRY_ASSIGN(store_, store::SqliteStore::open(loop_.get_executor(), config_.state + "/hearth.db", clock_));
  CO_TRY_ASSIGN(accounts_, co_await api::Accounts::load(store_->registry(), config_));
  CO_TRY_ASSIGN(runtimes_, co_await runtime::Runtimes::load(store_->registry(), config_.runtime_aliases));
  CO_TRY_ASSIGN(packages_, runtime::Packages::open(config_.packages_dir(), uploads_));

  auto warden = [this]() -> WardenClient& { return *warden_; };
  auto uses = [this](const AccountId& account) { return uses_of(account); };
  vpc::Networks::Options options = vpc::Networks::Options::of(config_);
  CO_TRY_ASSIGN(networks_, co_await vpc::Networks::load(store_->registry(), warden, uses, tasks_, options));
  co_return Result<>{};
}

Daemon::Done Daemon::open_runtime() {
  // Functions that were Pending prepare their network at once, so the warden's client is there before they are loaded.
  WardenClient::Hooks warden_hooks{
      .on_connected = [this](const warden::HelloReply& hello) { on_warden_connected(hello); },
      .on_disconnected =
          [this] {
            warden_state_.connected = false;
            networks_->warden_disconnected();
            if (invoker_) invoker_->warden_disconnected();
          },
      .on_container_gone =
          [this](const warden::ContainerGone& gone) {
            if (invoker_) invoker_->container_gone(gone);
          },
  };
  runtime::Functions::Hooks function_hooks{
      .prepare_network = [this](runtime::Function function) -> Done {
        return networks_->prepare(function.key.account, vpc_config(function));
      },
      .on_changed =
          [this](const runtime::Function& function) {
            if (invoker_) invoker_->replace_instances(function.key);
            networks_->release_unused(function.key.account);
          },
      .on_deleted =
          [this](const runtime::FunctionKey& key) {
            if (invoker_) invoker_->replace_instances(key);
            networks_->release_unused(key.account);
            trim_logs_soon(key.account);
          },
  };
  warden_ = WardenClient::start(loop_.get_executor(), config_.warden_socket(), std::move(warden_hooks));
  CO_TRY_ASSIGN(functions_, co_await runtime::Functions::load(store_->registry(), *packages_, clock_, tasks_,
                                                              std::move(function_hooks)));
  // Which policies and attachments are needed, the functions say.
  if (warden_state_.connected) networks_->warden_connected();
  logs_ = std::make_unique<runtime::Logs>(loop_.get_executor(), blocking_, clock_,
                                          runtime::Logs::Options{.dir = config_.state + "/logs"});
  invoker_ = runtime::InvokerService::start({
      .executor = loop_.get_executor(),
      .config = config_,
      .clock = clock_,
      .functions = *functions_,
      .runtimes = *runtimes_,
      .warden = *warden_,
      .queue = store_->queue(),
      .logs = *logs_,
      .network_plan = [this](const runtime::Function& function) -> Result<runtime::NetworkPlan> {
        TRY_ASSIGN(vpc::Plan plan, networks_->plan(function.key.account, vpc_config(function)));
        return runtime::NetworkPlan{plan.attachment, plan.policy, plan.nameservers};
      },
      .credentials =
          [this](const runtime::Function& function) { return accounts_->function_environment(function.key.account); },
      .serve_endpoint = [this](Fd listener) { return front_door_->serve_endpoint(std::move(listener)); },
      .events = {},
  });
  co_return Result<>{};
}

Result<> Daemon::open_services() {
  lambda_ = std::make_unique<api::lambda::LambdaService>(api::lambda::Parts{
      .config = config_,
      .clock = clock_,
      .functions = *functions_,
      .packages = *packages_,
      .invoker = *invoker_,
      .links = links_,
      .blocking = uploads_,
      .runtime_available = [this](const std::string& name) { return runtimes_->resolve(name).has_value(); },
      .resolve_vpc =
          [this](const AccountId& account, const std::vector<SubnetId>& subnets, const std::vector<GroupId>& groups) {
            return networks_->resolve(account, vpc::VpcConfig{subnets, groups});
          },
  });
  ec2_ = std::make_unique<api::Ec2Service>(*networks_);
  admin_ = std::make_unique<api::admin::AdminService>(api::admin::Dependencies{
      .config = config_,
      .clock = clock_,
      .functions = *functions_,
      .invoker = *invoker_,
      .networks = *networks_,
      .runtimes = *runtimes_,
      .accounts = *accounts_,
      .logs = *logs_,
      .warden = [this] { return warden_state_; },
      .gateway_counters = [this] { return networks_->gateway_counters(); },
  });
  TRY_ASSIGN(
      front_door_,
      api::FrontDoor::open(
          loop_.get_executor(), std::move(listener_),
          {
              .config = config_,
              .clock = clock_,
              .accounts = *accounts_,
              .links = links_,
              .blocking = blocking_,
              .services = {{"lambda", lambda_.get()}, {"ec2", ec2_.get()}, {"sts", &sts_}, {"hearth", admin_.get()}},
              .metrics = [this] { return metrics(); },
              .zip_of = [this](PackageDigest digest) { return packages_->zip_of(digest); },
              .reset = [this](AccountId account) { return reset(account); },
          }));
  std::string endpoint = fmt::format("http://{}:{}", config_.listen, front_door_->port());
  TRY(accounts_->write_files(endpoint));
  log::info("hearthd answers on {}", endpoint);
  return {};
}

asio::awaitable<void> Daemon::stop() {
  if (front_door_) {
    front_door_->drain();
    co_await wait_for_answers(kDrain);
  }
  if (invoker_) co_await invoker_->stop();
  if (front_door_) {
    co_await wait_for_answers(kRefuse);
    front_door_->stop();
    co_await front_door_->join();
  }
  tasks_.stop();
  co_await tasks_.join();
  if (warden_) warden_->stop();
  if (logs_) co_await logs_->stop();
  uploads_.join();
  blocking_.join();
}

asio::awaitable<void> Daemon::wait_for_answers(std::chrono::milliseconds limit) {
  const auto end = clock_.monotonic() + limit;
  asio::steady_timer timer(loop_);
  while (front_door_->counters().open > 0 && clock_.monotonic() < end) {
    timer.expires_after(kBetweenLooks);
    co_await timer.async_wait(asio::use_awaitable);
  }
}

void Daemon::on_warden_connected(const warden::HelloReply& hello) {
  warden_state_ = {.connected = true, .cgroup = hello.cgroup};
  runtimes_->set_available(hello.runtimes);
  if (functions_) networks_->warden_connected();
  if (invoker_) invoker_->warden_connected(hello);
}

Daemon::Done Daemon::reset(AccountId account) {
  CO_TRY(co_await functions_->remove_all(account));
  CO_TRY(co_await invoker_->clear_events(account));
  co_return co_await networks_->reset(account);
}

// Once for the many deletions that may come together.
void Daemon::trim_logs_soon(const AccountId& account) {
  if (trimming_.insert(account).second) tasks_.spawn("trim logs", trim_logs(account));
}

asio::awaitable<void> Daemon::trim_logs(AccountId account) {
  asio::steady_timer timer(loop_, kTrimLogsAfter);
  co_await timer.async_wait(asio::use_awaitable);
  trimming_.erase(account);
  std::set<std::string> living;
  for (const auto* function : functions_->list(account, "", runtime::Functions::kMaxFunctions)) {
    living.insert(function->key.name);
  }
  auto trimmed = co_await logs_->trim(account, std::move(living));
  if (!trimmed) log::warn("logs of deleted functions stay: {}", trimmed.error().describe());
}

std::vector<vpc::Use> Daemon::uses_of(const AccountId& account) const {
  std::vector<vpc::Use> uses;
  if (!functions_) return uses;
  for (const runtime::Function* function : functions_->list(account, "", runtime::Functions::kMaxFunctions)) {
    // During an update both the configuration in force and the one asked for hold their subnets.
    const runtime::Function* in_force = functions_->find(function->key);
    for (const runtime::Function* each : {function, in_force}) {
      if (each != nullptr && each->vpc) uses.push_back({each->key.name, *vpc_config(*each)});
    }
  }
  return uses;
}

std::string Daemon::metrics() const {
  http::Counters http = front_door_->counters();
  return invoker_->metrics_text() + fmt::format(
                                        "# TYPE hearth_http_requests_total counter\nhearth_http_requests_total {}\n"
                                        "# TYPE hearth_http_refused_total counter\nhearth_http_refused_total {}\n"
                                        "# TYPE hearth_http_connections gauge\nhearth_http_connections {}\n",
                                        http.requests, http.refused, http.open);
}

}  // namespace hearth
