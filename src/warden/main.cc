// hearth-warden: the privileged process. Makes containers and networks for hearthd and does nothing else.
//
//   hearth-warden --config FILE         serve until SIGTERM
//   hearth-warden purge --config FILE   remove all that the instance has on this host
#include <fcntl.h>
#include <pwd.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <csignal>
#include <filesystem>

#include "base/config.h"
#include "base/log.h"
#include "container/runtimes.h"
#include "gateway/function_network.h"
#include "kernel/cgroup.h"
#include "warden/purge.h"
#include "warden/warden.h"

namespace hearth {
namespace {

constexpr const char* kCgroupRoot = "/sys/fs/cgroup";
constexpr rlim_t kFilesEach = 8;    // of one container
constexpr rlim_t kFilesMore = 512;  // of all else

// The folder above the program's own: bin/, shims/, runtime/.
Result<std::string> home_folder() {
  std::error_code error;
  auto program = std::filesystem::read_symlink("/proc/self/exe", error);
  if (error) return fail_errno("read /proc/self/exe", error.value());
  return program.parent_path().parent_path().string();
}

gateway::FunctionNetwork::Options network_options(const Config& config, const std::string& home) {
  std::string outside = config.outside == "host" ? "" : config.outside;
  return {.instance = config.instance,
          .run_dir = config.run_dir,
          .gateway_program = home + "/bin/hearth-gateway",
          .gateway_image = home + "/gateway-image",
          .gateway_accelerator = config.gateway_accelerator,
          .outside_netns = outside,
          .gateway_said = [](std::string_view line) { log::info("{}", line); }};
}

Result<uid_t> user_id(const std::string& name) {
  const passwd* entry = getpwnam(name.c_str());
  if (entry == nullptr) return fail(Kind::not_found, "there is no user " + name + " on this host");
  return entry->pw_uid;
}

// hearthd's folder: made for it when it is not there yet.
Result<> make_state(const std::string& path, uid_t owner) {
  std::error_code error;
  bool made = std::filesystem::create_directories(path, error);
  if (error) return fail_errno("make " + path, error.value());
  if (made && chown(path.c_str(), owner, static_cast<gid_t>(-1)) != 0) return fail_errno("chown " + path);
  return {};
}

Result<Fd> stop_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  if (sigprocmask(SIG_BLOCK, &signals, nullptr) != 0) return fail_errno("sigprocmask");
  Fd stop(signalfd(-1, &signals, SFD_CLOEXEC));
  if (!stop.valid()) return fail_errno("signalfd");
  return stop;
}

// As many open files as `containers` need; where the host forbids more, as many as it allows.
Result<> raise_limits(int64_t containers) {
  rlimit files{};
  if (getrlimit(RLIMIT_NOFILE, &files) != 0) return fail_errno("getrlimit");
  rlim_t needed = static_cast<rlim_t>(containers) * kFilesEach + kFilesMore;
  rlimit wanted{needed, std::max(needed, files.rlim_max)};
  if (setrlimit(RLIMIT_NOFILE, &wanted) == 0) return {};
  log::warn("{} open files are allowed, {} may be needed for {} containers", files.rlim_max, needed, containers);
  files.rlim_cur = files.rlim_max;
  if (setrlimit(RLIMIT_NOFILE, &files) != 0) return fail_errno("setrlimit");
  return {};
}

Result<> serve_until(int stop, const Config& config) {
  TRY_ASSIGN(std::string home, home_folder());
  TRY_ASSIGN(uid_t client, user_id(config.user));
  TRY_ASSIGN(auto network, gateway::FunctionNetwork::open(network_options(config, home)));
  TRY(make_state(config.state, client));
  warden::Warden::Options options{.instance = config.instance,
                                  .run_dir = config.run_dir,
                                  .packages_dir = config.packages_dir(),
                                  .cgroup_root = kCgroupRoot,
                                  .client_uid = client,
                                  .max_containers = static_cast<size_t>(config.containers),
                                  .runtimes = container::find_runtimes(home)};
  TRY_ASSIGN(auto warden, warden::Warden::open(std::move(options), *network));
  log::info("hearth-warden serves {}", config.warden_socket());
  return warden->run(stop);
}

Result<> serve(const Config& config) {
  TRY(raise_limits(config.containers));
  TRY_ASSIGN(Fd stop, stop_signals());
  TRY_ASSIGN(Fd lock, warden::lock_instance(config.run_dir));
  TRY(kernel::expedite_rcu(warden::kRcuFolder, config.instance));
  auto served = serve_until(stop.get(), config);
  auto relaxed = kernel::relax_rcu(warden::kRcuFolder, config.instance);
  return served ? relaxed : served;
}

Result<> remove_all(const Config& config) {
  TRY_ASSIGN(Fd lock, warden::lock_instance(config.run_dir));
  TRY_ASSIGN(std::string home, home_folder());
  return warden::purge(kCgroupRoot, network_options(config, home));
}

int run(const std::string& path, bool purging) {
  auto config = Config::load(path, process_environment());
  if (!config) {
    log::error("{}", config.error().message);
    return 2;
  }
  log::start("hearth-warden", config->log_level);
  auto result = purging ? remove_all(*config) : serve(*config);
  if (result) return 0;
  log::error("{}", result.error().describe());
  return 1;
}

}  // namespace
}  // namespace hearth

int main(int argc, char** argv) {
  CLI::App app("The privileged process of Hearth: makes containers and networks for hearthd");
  std::string config;
  app.add_option("--config", config, "the configuration file");
  auto* purge = app.add_subcommand("purge", "remove all that the instance has on this host");
  purge->add_option("--config", config, "the configuration file");
  CLI11_PARSE(app, argc, argv);
  std::signal(SIGPIPE, SIG_IGN);
  return hearth::run(config, purge->parsed());
}
