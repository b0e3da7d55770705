#include "warden/warden.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/log.h"
#include "kernel/unix_socket.h"
#include "warden/network_ops.h"

namespace hearth::warden {
namespace {

constexpr int kRequestsATurn = 64;  // then others have their turn
constexpr std::chrono::seconds kEndDeadline{30};

// The folder around it is the client's, who may have put a link at its place, even since mkdir.
Result<Fd> open_packages(const std::string& path, uid_t owner) {
  bool made = mkdir(path.c_str(), 0755) == 0;
  if (!made && errno != EEXIST) return fail_errno("mkdir " + path);
  Fd directory(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!directory.valid()) return fail_errno("open " + path);
  if (made && fchown(directory.get(), owner, static_cast<gid_t>(-1)) != 0) return fail_errno("chown " + path);
  return directory;
}

}  // namespace

Result<std::unique_ptr<Warden>> Warden::open(Options options, gateway::FunctionNetwork& network) {
  TRY_ASSIGN(auto home, kernel::HomeNamespaces::open());
  TRY_ASSIGN(auto cgroups, kernel::CgroupHost::open(options.cgroup_root, options.instance));
  TRY_ASSIGN(auto state_files, StateFiles::open(options.run_dir + "/containers"));
  TRY_ASSIGN(auto poller, Poller::make());
  TRY_ASSIGN(Fd packages, open_packages(options.packages_dir, options.client_uid));
  std::unique_ptr<Warden> warden(new Warden(std::move(options), network, std::move(cgroups), std::move(home),
                                            std::move(state_files), std::move(poller), std::move(packages)));
  const Options& kept = warden->options_;
  TRY_ASSIGN(auto zygotes,
             Zygotes::open(kept.runtimes, kept.run_dir, warden->poller_, warden->home_, kept.spawns_of_a_zygote));
  warden->zygotes_.emplace(std::move(zygotes));
  Containers::Parts parts{network,         warden->cgroups_,  warden->home_,           warden->state_files_,
                          warden->poller_, *warden->zygotes_, warden->packages_.get(), kept.max_containers};
  Containers::Hooks hooks{[w = warden.get()](ReplyTo to, Result<Reply> result, std::span<const int> fds) {
                            w->reply(to, std::move(result), fds);
                          },
                          [w = warden.get()](const ContainerGone& gone) { w->send(encode(gone), {}); }};
  warden->containers_.emplace(parts, std::move(hooks));
  TRY(warden->containers_->recover());
  TRY(warden->listen());
  return warden;
}

Warden::Warden(Options options, gateway::FunctionNetwork& network, kernel::CgroupHost cgroups,
               kernel::HomeNamespaces home, StateFiles state_files, Poller poller, Fd packages)
    : options_(std::move(options)),
      network_(network),
      cgroups_(std::move(cgroups)),
      home_(std::move(home)),
      state_files_(std::move(state_files)),
      poller_(std::move(poller)),
      packages_(std::move(packages)) {}

Warden::~Warden() = default;

Result<> Warden::listen() {
  TRY_ASSIGN(listener_, kernel::listen_seqpacket(options_.run_dir + "/warden.sock", options_.client_uid, 0660));
  return poller_.add(listener_.get(), {Source::listener, 0});
}

// ---- the loop

Result<> Warden::run(int stop) {
  bool stopping = false;
  while (!stopping) {
    TRY_ASSIGN(bool busy, turn(stop, stopping));
    containers_->work(!busy);
  }
  return end_containers();
}

Result<> Warden::end_containers() {
  connection_.reset();
  listener_.reset();
  // Whatever fails of these, the containers are to end.
  if (unlink((options_.run_dir + "/warden.sock").c_str()) != 0 && errno != ENOENT) {
    log::error("{}", fail_errno("unlink warden.sock").error().describe());
  }
  containers_->kill_all();
  if (auto stopped = containers_->stop_making(); !stopped) log::error("{}", stopped.error().describe());
  auto deadline = std::chrono::steady_clock::now() + kEndDeadline;
  bool stopping = false;
  while (!containers_->empty()) {
    if (std::chrono::steady_clock::now() > deadline) return fail(Kind::timeout, "not all containers ended");
    TRY(turn(-1, stopping));
    containers_->work(false);
  }
  return {};
}

int Warden::wait_ms(int network_deadline) const {
  int wait = containers_->work_wait_ms();
  if (network_deadline >= 0) wait = wait < 0 ? network_deadline : std::min(wait, network_deadline);
  if (auto deadline = containers_->next_deadline()) {
    auto left = std::chrono::ceil<std::chrono::milliseconds>(*deadline - std::chrono::steady_clock::now()).count();
    int until = static_cast<int>(std::max<int64_t>(left, 0));
    wait = wait < 0 ? until : std::min(wait, until);
  }
  return wait;
}

Result<bool> Warden::turn(int stop, bool& stopping) {
  std::vector<pollfd> entries = {{poller_.fd(), POLLIN, 0}, {stop, POLLIN, 0}};
  for (int fd : network_.poll_fds()) entries.push_back({fd, POLLIN, 0});
  int network_deadline = network_.next_deadline_ms();
  int count = poll(entries.data(), entries.size(), wait_ms(network_deadline));
  if (count < 0 && errno != EINTR) return fail_errno("poll");
  bool network_ready = std::any_of(entries.begin() + 2, entries.end(), [](const pollfd& p) { return p.revents != 0; });
  if (network_ready || network_deadline == 0 || (count == 0 && network_deadline > 0)) network_.dispatch();
  containers_->expire(std::chrono::steady_clock::now());
  if (count <= 0) return false;
  if (entries[1].revents != 0) stopping = true;
  if (entries[0].revents == 0) return true;
  TRY_ASSIGN(auto events, poller_.ready());
  for (const auto& event : events) dispatch(event);
  return true;
}

void Warden::dispatch(const Poller::Event& event) {
  switch (event.watch.source) {
    case Source::listener:
      return accept();
    case Source::connection:
      if (!connection_ || connection_->serial() != event.watch.key) return;
      if (event.writable) {
        if (auto flushed = connection_->flush(); !flushed) return close_connection(flushed.error().describe());
        if (!connection_->has_queued()) (void)poller_.change(connection_->fd(), event.watch, false);
      }
      if (event.readable) read_requests();
      return;
    case Source::zygote:
    case Source::control:
    case Source::process:
    case Source::memory:
      return containers_->handle(event.watch);
  }
}

// ---- the connection

void Warden::accept() {
  auto socket = kernel::accept_connection(listener_.get());
  if (!socket) return log::warn("{}", socket.error().describe());
  auto uid = kernel::peer_uid(socket->get());
  if (!uid || *uid != options_.client_uid) {
    return log::warn("a connection of user {} is refused", uid ? static_cast<int64_t>(*uid) : -1);
  }
  uint64_t serial = next_connection_++;
  auto connection = Connection::adopt(*std::move(socket), serial);
  if (!connection) return log::warn("{}", connection.error().describe());
  if (connection_) close_connection("another one replaces it");
  if (auto added = poller_.add(connection->fd(), {Source::connection, serial}); !added) {
    return log::warn("{}", added.error().describe());
  }
  connection_.emplace(*std::move(connection));
}

void Warden::close_connection(const std::string& why) {
  if (!connection_) return;
  if (connection_->greeted || why != last_refusal_) log::info("the connection to hearthd is closed: {}", why);
  last_refusal_ = connection_->greeted ? "" : why;
  connection_.reset();
}

void Warden::read_requests() {
  for (int i = 0; i < kRequestsATurn && connection_; ++i) {
    if (!read_one()) return;
  }
}

bool Warden::read_one() {
  auto bytes = connection_->receive();
  if (!bytes) {
    close_connection(bytes.error().describe());
    return false;
  }
  if (!*bytes) return false;
  std::optional<int64_t> id;
  auto frame = decode_request(**bytes, &id);
  if (frame) {
    answer(*frame);
  } else {
    answer_undecoded(id, frame.error());
  }
  return true;
}

void Warden::answer_undecoded(std::optional<int64_t> id, const Error& error) {
  if (!id || !connection_->greeted) return close_connection(error.message);
  ++connection_->unanswered;
  reply({connection_->serial(), *id}, std::unexpected(error), {});
}

void Warden::answer(const RequestFrame& frame) {
  ReplyTo to{connection_->serial(), frame.id};
  if (++connection_->unanswered > kMaxOutstanding) {
    return reply(to, fail(Kind::exhausted, fmt::format("{} requests are under way", kMaxOutstanding)), {});
  }
  auto simple = [&](auto result) {
    if (!result) return reply(to, std::unexpected(std::move(result).error()), {});
    if constexpr (std::is_void_v<typename decltype(result)::value_type>) {
      reply(to, Reply(Done{}), {});
    } else {
      reply(to, Reply(*std::move(result)), {});
    }
  };
  if (const auto* hello = std::get_if<Hello>(&frame.request)) {
    if (hello->version != kProtocolVersion) {
      return close_connection(fmt::format("it speaks version {}, not {}", hello->version, kProtocolVersion));
    }
    connection_->greeted = true;
    const char* version = cgroups_.version() == kernel::CgroupVersion::v1 ? "v1" : "v2";
    return reply(to, Reply(HelloReply{kProtocolVersion, zygotes_->runtimes(), version}), {});
  }
  if (!connection_->greeted) return close_connection("its first request is not hello");
  if (const auto* r = std::get_if<MakeContainer>(&frame.request)) return containers_->make(*r, to);
  if (const auto* r = std::get_if<AdoptContainer>(&frame.request)) return containers_->adopt(*r, to);
  if (const auto* r = std::get_if<Bind>(&frame.request)) return simple(containers_->bind(*r));
  if (const auto* r = std::get_if<Kill>(&frame.request)) return simple(containers_->kill(r->container));
  if (const auto* r = std::get_if<Freeze>(&frame.request)) return simple(containers_->freeze(*r));
  if (std::holds_alternative<ListContainers>(frame.request)) return reply(to, Reply(containers_->list()), {});
  ReplyWith reply_with = [this, to](Result<Reply> result) { reply(to, std::move(result), {}); };
  if (!answer_network_request(network_, frame.request, reply_with)) {
    reply(to, fail(Kind::internal, "the warden has no answer to this request"), {});
  }
}

void Warden::reply(ReplyTo to, Result<Reply> result, std::span<const int> fds) {
  if (!connection_ || connection_->serial() != to.connection) return;
  --connection_->unanswered;
  if (!result) log::info("request {} failed: {}", to.id, result.error().describe());
  std::string bytes = encode(ReplyFrame{to.id, std::move(result)});
  if (bytes.size() > kMaxMessage) {
    log::error("request {} is answered with an error: its reply has {} bytes", to.id, bytes.size());
    bytes = encode(ReplyFrame{to.id, fail(Kind::internal, "the reply is over the protocol's limit")});
  }
  send(std::move(bytes), fds);
}

void Warden::send(std::string bytes, std::span<const int> fds) {
  if (!connection_) return;
  if (auto sent = connection_->send(std::move(bytes), fds); !sent) return close_connection(sent.error().describe());
  if (connection_->has_queued()) {
    (void)poller_.change(connection_->fd(), {Source::connection, connection_->serial()}, true);
  }
}

}  // namespace hearth::warden
