#include "gateway/agent/agent.h"

#include <arpa/inet.h>
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <random>

#include "gateway/agent/frames.h"
#include "kernel/netlink.h"
#include "kernel/unix_socket.h"

namespace hearth::gateway {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

// Events and packets are the kernel's own; the router's address is what a container sees errors come from.
constexpr uint32_t kRouterAddress = 0x64400001;  // 100.64.0.1

// A POSIX lock, so that F_GETLK tells everybody the agent's pid.
Result<Fd> take_lock(const std::string& path) {
  Fd file(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!file.valid()) return fail_errno("open " + path);
  struct flock whole{};
  whole.l_type = F_WRLCK;
  whole.l_whence = SEEK_SET;
  if (fcntl(file.get(), F_SETLK, &whole) != 0) return fail(Kind::conflict, "another agent holds " + path);
  return file;
}

uint64_t monotonic_ns() {
  const auto now = steady_clock::now().time_since_epoch();
  return static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(now).count());
}

// Never that of an agent before, nor one that its overflows count up to; fits a signed number.
uint64_t random_epoch() {
  std::random_device random;
  return ((uint64_t{random()} << 32 | random()) >> 2) + 1;
}

}  // namespace

Agent::Agent(AgentOptions options) : options_(std::move(options)), neighbours_(world()), journal_(random_epoch()) {}

Agent::~Agent() {
  if (ring_ != nullptr) ring_buffer__free(ring_);
}

Result<std::unique_ptr<Agent>> Agent::open(AgentOptions options) {
  std::unique_ptr<Agent> agent(new Agent(std::move(options)));
  TRY(agent->start());
  return agent;
}

Result<> Agent::start() {
  if (!options_.lock.empty()) {
    TRY_ASSIGN(lock_, take_lock(options_.lock));
  }
  TRY(open_wires());
  TRY_ASSIGN(pat_, Pat::open(options_.pat));
  ring_ = ring_buffer__new(pat_->events_map(), on_event, this, nullptr);
  if (ring_ == nullptr) return fail_errno("open ring buffer");
  TRY(begin_journal());
  next_collect_ = steady_clock::now() + milliseconds(kCollectMs);
  for (const auto& key : pat_->pending_neighbours()) neighbours_.ask_again(key.tag, key.address, steady_clock::now());
  return open_control();
}

Result<> Agent::open_wires() {
  // Protocol 0: receives nothing.
  wire_ = Fd(socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0));
  if (!wire_.valid()) return fail_errno("socket(packet)");
  return {};
}

Result<> Agent::open_control() {
  if (options_.control_fd >= 0) {
    connection_ = ControlLine(Fd(options_.control_fd));
    fcntl(connection_.fd(), F_SETFD, FD_CLOEXEC);
  }
  if (options_.listen.empty()) return {};
  TRY_ASSIGN(listener_, kernel::listen_seqpacket(options_.listen, geteuid(), 0600));
  return {};
}

Neighbours::World Agent::world() {
  return {
      .attachment_of = [this](uint32_t tag) -> std::optional<attachment> {
        auto at = pat_->get(tag);
        if (!at || at->state != kAttachmentActive) return std::nullopt;
        return *at;
      },
      .look_up = [this](const neighbour_key& key) -> std::optional<neighbour> {
        auto entry = pat_->get_neighbour(key);
        if (!entry) return std::nullopt;
        return *entry;
      },
      .set_pending =
          [this](const neighbour_key& key) {
            neighbour entry{};
            entry.state = kNeighbourPending;
            // One that is there stays: it is only asked again. A full table refuses, and so does one that has just
            // gone: the question ends unanswered.
            auto set = pat_->set_neighbour(key, entry, BPF_NOEXIST);
            if (!set && set.error().errno_value != EEXIST && set.error().errno_value != E2BIG &&
                set.error().kind != Kind::not_found)
              std::fprintf(stderr, "hearth-gateway: %s\n", set.error().describe().c_str());
          },
      .set_stale =
          [this](const neighbour_key& key, neighbour entry) {
            entry.state = kNeighbourStale;
            // Gone meanwhile: it is asked like any other.
            auto set = pat_->set_neighbour(key, entry, BPF_EXIST);
            if (!set && set.error().kind != Kind::not_found)
              std::fprintf(stderr, "hearth-gateway: %s\n", set.error().describe().c_str());
          },
      .forget =
          [this](const neighbour_key& key) {
            if (auto removed = pat_->remove_neighbour(key); !removed)
              std::fprintf(stderr, "hearth-gateway: %s\n", removed.error().describe().c_str());
          },
      .send =
          [this](uint32_t tag, const std::string& frame) {
            if (options_.pat.nic1 != 0) return send(options_.pat.nic1, frame);
            send(options_.pat.port_base + tag, untagged(frame));
          },
  };
}

void Agent::send(uint32_t nic, const std::string& frame) {
  sockaddr_ll to{};
  to.sll_family = AF_PACKET;
  to.sll_ifindex = static_cast<int>(nic);
  // What the frame itself says.
  std::memcpy(&to.sll_protocol, frame.data() + 12, sizeof to.sll_protocol);
  // A full queue or a port that has just gone drops the frame, as a wire would: ARP is asked again, packets are sent
  // again by their senders.
  if (sendto(wire_.get(), frame.data(), frame.size(), MSG_DONTWAIT, reinterpret_cast<sockaddr*>(&to), sizeof to) < 0 &&
      errno != EAGAIN && errno != ENOBUFS && errno != ENXIO && errno != ENETDOWN)
    std::fprintf(stderr, "hearth-gateway: send: %s\n", std::strerror(errno));
}

// ---- events -----------------------------------------------------------------------------------------------------

int Agent::on_event(void* self, void* data, size_t size) {
  event head;
  if (size < sizeof head) return 0;
  std::memcpy(&head, data, sizeof head);
  const auto* bytes = static_cast<const uint8_t*>(data) + sizeof head;
  const size_t length = std::min<size_t>(head.length, size - sizeof head);
  static_cast<Agent*>(self)->handle_event(head, {bytes, length});
  return 0;
}

void Agent::handle_event(const event& head, std::span<const uint8_t> packet) {
  const auto now = steady_clock::now();
  switch (head.type) {
    case kEventMiss:
      return neighbours_.missed(head.tag, head.address, packet, now);
    case kEventLearned:
      return neighbours_.learned(head.tag, head.address);
    case kEventStale:
      return neighbours_.stale(head.tag, head.address, now);
    case kEventIcmp:
      return answer_with_icmp(head, packet);
    case kEventBlock:
      // Which container had which ports when (RFC 6888 REQ-12): blocks, never flows or destinations.
      std::fprintf(stderr, "hearth-gateway: ports attachment=%u container=%s generation=%u ports=%u-%u\n", head.tag,
                   kernel::address_text(ntohl(head.address)).c_str(), head.generation, head.port,
                   head.port + kBlockPorts - 1);
      return note(BlockChange::kGiven,
                  {head.tag, pat_->external_of(head.tag), head.address, head.generation, head.port}, head.at);
    default:
      return;
  }
}

void Agent::answer_with_icmp(const event& head, std::span<const uint8_t> packet) {
  auto frame = icmp_error(packet, head.tag, htonl(kRouterAddress), head.icmp_type, head.icmp_code);
  if (!frame) return;
  send(options_.pat.nic0, *frame);
}

// ---- control ----------------------------------------------------------------------------------------------------

// A port stays; the next warden finds nothing of the last one's in it.
void Agent::end_connection() {
  ++connection_number_;
  port_open_ = false;
  asked_.reset();
  unsent_.clear();
  if (options_.control_port) return connection_.drain();
  connection_.reset();
}

void Agent::serve_control() {
  send_replies();
  if (!unsent_.empty()) return;
  auto message = connection_.receive(sizeof(ControlRequest));
  if (!message) return end_connection();
  if (!*message) return;
  auto request = decode_control_request(**message);
  if (!request) {
    std::fprintf(stderr, "hearth-gateway: %s\n", request.error().describe().c_str());
    return end_connection();
  }
  handle(*request);
}

// virtio-serial says "nobody has the other end" for as long as that is so, and nothing when it changes.
bool Agent::port_is_open() {
  if (!options_.control_port || port_open_) return true;
  pollfd port{connection_.fd(), 0, 0};
  port_open_ = poll(&port, 1, 0) == 0;
  return port_open_;
}

void Agent::handle(const ControlRequest& request) {
  if (request.op == ControlOp::prove) {
    auto at = pat_->get(request.tag);
    if (!at || at->state != kAttachmentActive || proofs_ >= kMaxProofs) {
      const Error error{at && at->state == kAttachmentActive ? Kind::exhausted : Kind::not_found, "can't prove"};
      return reply(failed_reply(request.sequence, error));
    }
    ++proofs_;
    const auto prove_done = [this, sequence = request.sequence, number = connection_number_](bool proven) {
      --proofs_;
      ControlReply answer;
      answer.sequence = sequence;
      answer.proven = proven;
      if (number == connection_number_) reply(answer);
    };
    return neighbours_.prove(request.tag, at->router, prove_done, steady_clock::now());
  }
  if (request.op == ControlOp::take) return take(request);
  auto done = carry_out(request);
  if (!done) return reply(failed_reply(request.sequence, done.error()));
  done->sequence = request.sequence;
  reply(*done);
}

Result<ControlReply> Agent::carry_out(const ControlRequest& request) {
  switch (request.op) {
    case ControlOp::set_attachment:
      TRY(set_attachment(request));
      return ControlReply{};
    case ControlOp::remove_attachment: {
      neighbours_.forget_attachment(request.tag);
      const uint32_t external = pat_->external_of(request.tag);
      TRY(pat_->remove(request.tag));
      note_cleared(request.tag, external);
      return ControlReply{};
    }
    case ControlOp::release:
      TRY(release(request));
      return ControlReply{};
    case ControlOp::stats:
      return stats(request.tag);
    default:
      return ControlReply{};
  }
}

Result<> Agent::set_attachment(const ControlRequest& request) {
  TRY_ASSIGN(const attachment before, pat_->get(request.tag));
  TRY(pat_->set(request.tag, request.at));
  if (before.state != 0 && before.address != request.at.address) note_cleared(request.tag, before.address);
  return {};
}

Result<> Agent::release(const ControlRequest& request) {
  // What it was given is told before what it gives back.
  ring_buffer__consume(ring_);
  TRY_ASSIGN(const auto freed, pat_->release(request.tag, request.address, request.generation));
  for (const auto& block : freed) note(BlockChange::kReleased, block, monotonic_ns());
  return {};
}

ControlReply Agent::stats(uint32_t tag) {
  ControlReply answer;
  if (auto counters = pat_->counters(tag)) answer.counters = *counters;
  answer.free_blocks = pat_->free_blocks(tag);
  answer.held_packets = static_cast<uint32_t>(neighbours_.held());
  if (tag != 0) {
    if (auto passed = pat_->collect(tag)) {
      answer.sessions = passed->sessions;
      answer.mappings = passed->mappings;
    }
    return answer;
  }
  answer.limits = options_.pat.limits;
  const auto& waits = neighbours_.counters();
  answer.counters.sent_after_wait = waits.sent_after_wait;
  answer.counters.dropped_neighbour_unresolved =
      waits.dropped_unresolved + waits.dropped_full + waits.dropped_unsendable;
  return answer;
}

void Agent::reply(ControlReply answer) {
  if (!connection_.valid()) return;
  unsent_.push_back(encode(answer));
  send_replies();
}

void Agent::send_replies() {
  while (!unsent_.empty()) {
    const auto sent = connection_.send(unsent_.front());
    if (!sent && sent.error().errno_value == EAGAIN) return;
    if (!sent) return end_connection();
    unsent_.pop_front();
  }
}

// ---- changes of port blocks ----------------------------------------------------------------------------------------

void Agent::note(BlockChange::Kind kind, const Pat::Block& block, uint64_t at) {
  journal_.add({.kind = kind,
                .tag = block.tag,
                .external = block.external,
                .container = block.container,
                .generation = block.generation,
                .first_port = block.first_port,
                .count = kBlockPorts},
               at);
}

void Agent::note_cleared(uint32_t tag, uint32_t external) {
  journal_.add({.kind = BlockChange::kCleared, .tag = tag, .external = external}, monotonic_ns());
}

Result<> Agent::begin_journal() {
  TRY_ASSIGN(const auto held, pat_->held_blocks());
  std::vector<BlockChange> standing;
  standing.reserve(held.size());
  for (const auto& block : held) {
    standing.push_back({.tag = block.tag,
                        .external = block.external,
                        .container = block.container,
                        .generation = block.generation,
                        .first_port = block.first_port,
                        .count = kBlockPorts});
  }
  journal_.begin(standing, monotonic_ns());
  return {};
}

// One who asks again has given up the former question.
void Agent::take(const ControlRequest& request) {
  if (asked_) {
    ControlReply nothing;
    nothing.sequence = asked_->sequence;
    nothing.epoch = asked_->epoch;
    nothing.serial = asked_->serial;
    reply(nothing);
  }
  asked_ = {request.sequence, request.epoch, request.serial, steady_clock::now() + milliseconds(kTakeMs)};
}

void Agent::tell_changes() {
  if (!asked_) return;
  if (!journal_.has_more(asked_->epoch, asked_->serial) && steady_clock::now() < asked_->until) return;
  const Asked asked = *std::exchange(asked_, std::nullopt);
  if (journal_.must_begin(asked.epoch)) {
    if (auto begun = begin_journal(); !begun) return reply(failed_reply(asked.sequence, begun.error()));
  }
  ControlReply answer;
  answer.sequence = asked.sequence;
  journal_.tell(asked.epoch, asked.serial, monotonic_ns(), answer);
  reply(answer);
}

// ---- loop -------------------------------------------------------------------------------------------------------

void Agent::collect() {
  for (const uint32_t tag : pat_->tags()) {
    if (auto passed = pat_->collect(tag); !passed)
      std::fprintf(stderr, "hearth-gateway: %s\n", passed.error().describe().c_str());
  }
}

int Agent::poll_ms() const {
  auto next = next_collect_;
  if (const auto due = neighbours_.next_deadline()) next = std::min(next, *due);
  if (asked_) next = std::min(next, asked_->until);
  const auto wait = std::chrono::ceil<milliseconds>(next - steady_clock::now()).count();
  const bool looks = options_.control_port && !port_open_;
  return static_cast<int>(std::clamp<int64_t>(wait, 0, looks ? kPortLookMs : kCollectMs));
}

Result<> Agent::run() {
  for (;;) {
    const short wanted = unsent_.empty() ? POLLIN : POLLOUT;
    pollfd polled[3] = {{ring_buffer__epoll_fd(ring_), POLLIN, 0},
                        {listener_.get(), POLLIN, 0},
                        {port_is_open() ? connection_.fd() : -1, wanted, 0}};
    if (poll(polled, 3, poll_ms()) < 0 && errno != EINTR) return fail_errno("poll");
    // Always: some events wake nobody.
    ring_buffer__consume(ring_);
    if ((polled[2].revents & POLLHUP) != 0 && options_.control_port)
      end_connection();
    else if (polled[2].revents != 0)
      serve_control();
    if (polled[1].revents != 0) {
      if (auto accepted = kernel::accept_connection(listener_.get())) {
        connection_ = ControlLine(std::move(*accepted));
        unsent_.clear();
        asked_.reset();
        ++connection_number_;
      }
    }
    tell_changes();
    const auto now = steady_clock::now();
    neighbours_.expire(now);
    if (now >= next_collect_) {
      collect();
      next_collect_ = now + milliseconds(kCollectMs);
    }
  }
}

}  // namespace hearth::gateway
