#include "runtime/fake_warden_test.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace hearth::runtime {
namespace asio = boost::asio;
namespace {

Fd listen_on_loopback(uint16_t& port) {
  Fd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  (void)::bind(listener.get(), reinterpret_cast<sockaddr*>(&address), size);
  (void)::listen(listener.get(), 64);
  (void)::getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &size);
  port = ntohs(address.sin_port);
  return listener;
}

Fd twin(const Fd& fd) { return Fd(::fcntl(fd.get(), F_DUPFD_CLOEXEC, 3)); }

}  // namespace

FakeWarden::Container& FakeWarden::add(warden::ContainerState state) {
  auto made = std::make_unique<Container>();
  made->info = {ContainerId("c" + random_hex(16)), runtime, state};
  uint16_t unused = 0;
  made->runtime_api = listen_on_loopback(made->port);
  made->endpoint = listen_on_loopback(unused);
  int ends[2];
  (void)::pipe2(ends, O_CLOEXEC);
  made->log_read = Fd(ends[0]);
  made->log_write = Fd(ends[1]);
  (void)::fcntl(ends[1], F_SETFL, O_NONBLOCK);
  made->peak_memory = Fd(::memfd_create("peak", MFD_CLOEXEC));
  (void)!::write(made->peak_memory.get(), "31457280\n", 9);
  return *containers.emplace(made->info.container, std::move(made)).first->second;
}

ContainerId FakeWarden::leave(warden::ContainerState state) { return add(state).info.container; }

Result<WardenAnswer> FakeWarden::hand_out(Container& container) {
  WardenAnswer answer{warden::ContainerReply{container.info.container, "100.64.0.2"}, {}};
  answer.fds.push_back(twin(container.runtime_api));
  answer.fds.push_back(twin(container.endpoint));
  answer.fds.push_back(twin(container.log_read));
  answer.fds.push_back(twin(container.peak_memory));
  return answer;
}

asio::awaitable<Result<WardenAnswer>> FakeWarden::call(warden::Request request, std::chrono::milliseconds) {
  if (!is_connected) co_return fail(Kind::unavailable, "no warden");
  if (std::holds_alternative<warden::MakeContainer>(request)) {
    most_making = std::max(most_making, ++making);
    asio::steady_timer timer(executor_, make_time);
    co_await timer.async_wait(asio::use_awaitable);
    --making;
    if (!is_connected) co_return fail(Kind::unavailable, "no warden");
    if (make_failure) co_return std::unexpected(*make_failure);
    ++makes;
    co_return hand_out(add(warden::ContainerState::warm));
  }
  if (auto* to_bind = std::get_if<warden::Bind>(&request)) co_return bind(std::move(*to_bind));
  if (auto* to_kill = std::get_if<warden::Kill>(&request)) co_return kill(to_kill->container);
  if (auto* to_adopt = std::get_if<warden::AdoptContainer>(&request)) {
    ++adopts;
    if (adopt_failure) co_return std::unexpected(*adopt_failure);
    co_return hand_out(*containers.at(to_adopt->container));
  }
  if (std::holds_alternative<warden::ListContainers>(request)) {
    warden::ListContainersReply list;
    for (const auto& [id, container] : containers) list.containers.push_back(container->info);
    co_return WardenAnswer{std::move(list), {}};
  }
  co_return fail(Kind::invalid, "the test's warden does not know this op");
}

Result<WardenAnswer> FakeWarden::bind(warden::Bind bind) {
  if (bind_failure) return std::unexpected(*std::exchange(bind_failure, std::nullopt));
  const auto at = containers.find(bind.container);
  if (at == containers.end()) return fail(Kind::not_found, "no such container");
  auto& container = *at->second;
  if (container.info.state != warden::ContainerState::warm) return fail(Kind::conflict, "not warm");
  container.info.state = warden::ContainerState::bound;
  container.bound = bind;
  binds.push_back(bind);
  const auto start = json::parse(bind.start);
  const auto id = bind.container;
  container.shim = std::make_unique<FakeShim>(FakeShim::Options{
      .handler = std::string(start.at("handler").as_string()),
      .package = bind.package.str(),
      .port = container.port,
      .log = container.log_write.get(),
      .on_exit = [this, id](std::string cause, int64_t code, bool out_of_memory) {
        asio::post(executor_, [this, id, cause, code, out_of_memory] { gone(id, cause, code, out_of_memory); });
      }});
  return WardenAnswer{warden::BindReply{1000, 2000, 3000, 4000}, {}};
}

Result<WardenAnswer> FakeWarden::kill(const ContainerId& id) {
  if (!containers.contains(id)) return fail(Kind::not_found, "no such container");
  killed.push_back(id);
  auto& container = *containers.at(id);
  if (container.shim) container.shim->kill();
  asio::post(executor_, [this, id] { gone(id, "killed", 9, false); });
  return WardenAnswer{warden::Done{}, {}};
}

void FakeWarden::gone(const ContainerId& id, const std::string& cause, int64_t code, bool out_of_memory) {
  if (containers.erase(id) == 0) return;
  if (hooks.on_container_gone) hooks.on_container_gone(warden::ContainerGone{id, cause, code, out_of_memory});
}

void FakeWarden::lose(const ContainerId& container) { containers.erase(container); }

}  // namespace hearth::runtime
