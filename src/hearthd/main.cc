// hearthd: the unprivileged daemon that answers the APIs and runs functions.
//
//   hearthd [--config FILE]     serve until SIGTERM or SIGINT
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <csignal>
#include <exception>

#include "base/http_server.h"
#include "base/log.h"
#include "hearthd/daemon.h"
#include "hearthd/privileges.h"

namespace hearth {
namespace {

namespace asio = boost::asio;

// The references are of run(), which outlives the loop.
asio::awaitable<Result<>> serve_until_signal(asio::io_context& loop, const Config& config,
                                             Fd listener) {  // NOLINT(*-reference-coroutine-parameters)
  asio::signal_set signals(loop, SIGTERM, SIGINT);
  Daemon daemon(loop, config, std::move(listener));
  auto opened = co_await daemon.open();
  if (opened) {
    int signal = co_await signals.async_wait(asio::use_awaitable);
    log::info("signal {}: hearthd stops", signal);
  }
  co_await daemon.stop();
  co_return opened;
}

Result<> run(const Config& config) {
  TRY(prepare_folder(config.state, config.user));
  TRY(raise_descriptor_limit());
  TRY_ASSIGN(Fd listener, http::listen_tcp(config.listen, config.port));
  TRY(become(config.user));
  std::signal(SIGPIPE, SIG_IGN);

  asio::io_context loop(1);
  Result<> result;
  asio::co_spawn(loop, serve_until_signal(loop, config, std::move(listener)),
                 [&](std::exception_ptr exception, Result<> served) {
                   if (exception) std::rethrow_exception(exception);
                   result = std::move(served);
                 });
  loop.run();
  return result;
}

int start(const std::string& path) {
  auto config = Config::load(path, process_environment());
  if (!config) {
    log::error("{}", config.error().message);
    return 2;
  }
  log::start("hearthd", config->log_level);
  auto result = run(*config);
  if (result) return 0;
  log::error("{}", result.error().describe());
  return 1;
}

}  // namespace
}  // namespace hearth

int main(int argc, char** argv) {
  CLI::App app("The daemon of Hearth: answers the AWS APIs and runs functions");
  std::string config;
  app.add_option("--config", config, "the configuration file");
  CLI11_PARSE(app, argc, argv);
  return hearth::start(config);
}
