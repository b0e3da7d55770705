#include "gateway/supervised_gateway.h"

#include <poll.h>
#include <signal.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

#include "kernel/process.h"
#include "kernel/unix_socket.h"

namespace hearth::gateway {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

namespace {

constexpr uint32_t kGreeting = UINT32_MAX;  // sequence of the hellos that nobody waits for
constexpr int kEndMs = 1000;                // of a process that has let go of its lock

}  // namespace

Result<std::unique_ptr<SupervisedGateway>> SupervisedGateway::open(GatewayPlace place, std::unique_ptr<Driver> driver,
                                                                   GatewayLog::Sink said, int birth_ms) {
  TRY(driver->prepare(place));
  TRY_ASSIGN(GatewayLog log, GatewayLog::open(driver->log_path(place), said));
  std::unique_ptr<SupervisedGateway> gateway(
      new SupervisedGateway(std::move(place), std::move(driver), std::move(log), std::move(said), birth_ms));
  TRY(gateway->connect());
  if (!gateway->driver().boots()) TRY(gateway->call(ControlRequest{.op = ControlOp::hello, .at = {}}, kReadyMs));
  return gateway;
}

Result<> SupervisedGateway::connect() {
  TRY_ASSIGN(auto running, driver_->find(place_));
  if (!running) {
    // The last one is not there any more, so it is ending.
    reap(kEndMs);
    TRY_ASSIGN(running, driver_->start(place_));
  }
  control_ = ControlLine(std::move(running->control));
  pidfd_ = std::move(running->pidfd);
  started_ = greet_at_ = steady_clock::now();
  // Sequence 0: nobody waits for these.
  for (const auto& [tag, at] : attachments_)
    unsent_.push_back({.op = ControlOp::set_attachment, .sequence = 0, .tag = tag, .at = at});
  for (const auto& [sequence, waiting] : unanswered_) unsent_.push_back(waiting.request);
  greet(started_);
  return {};
}

// Nothing else is said before there is an answer: a machine that boots, or that lets go of the last connection, may
// lose what it is told.
void SupervisedGateway::greet(Time now) {
  if (!control_.valid() || has_answered_ || now < greet_at_) return;
  if (now - started_ > birth_) return end_unborn();
  greet_at_ = now + milliseconds(kGreetMs);
  const auto sent = control_.send(encode(ControlRequest{.op = ControlOp::hello, .sequence = kGreeting, .at = {}}));
  if (!sent && sent.error().errno_value != EAGAIN) lose_connection();
}

// The next one is started when this one has let go of its lock.
void SupervisedGateway::end_unborn() {
  said_("it has not answered since it was started and is ended");
  const auto told = kernel::send_signal(pidfd_.get(), SIGKILL);
  if (!told) said_(told.error().describe());
  lose_connection();
}

// One that answered and ran for a while is started again at once; one that dies at birth, ever more slowly.
void SupervisedGateway::lose_connection() {
  control_.reset();
  unsent_.clear();
  under_way_ = 0;
  const auto now = steady_clock::now();
  const bool has_lived = has_answered_ && now - started_ > std::chrono::seconds(1);
  has_answered_ = false;
  backoff_ms_ = has_lived ? 0 : std::min(std::max(2 * backoff_ms_, kFirstBackoffMs), kMaxBackoffMs);
  retry_at_ = now + milliseconds(backoff_ms_);
}

// Our child, when it has ended; one of an earlier warden is somebody else's.
void SupervisedGateway::reap(int wait_ms) {
  pollfd process{pidfd_.get(), POLLIN, 0};
  if (!pidfd_.valid() || poll(&process, 1, wait_ms) != 1) return;
  [[maybe_unused]] auto reaped = kernel::reap(pidfd_.get());
  pidfd_.reset();
  if (control_.valid()) lose_connection();
}

void SupervisedGateway::reconnect() {
  if (steady_clock::now() < retry_at_) return;
  ++restarts_;
  const auto connected = connect();
  const std::string trouble = connected ? "" : connected.error().describe();
  if (!connected) lose_connection();
  if (!trouble.empty() && trouble != trouble_) said_("it can't be started: " + trouble);
  trouble_ = trouble;
}

void SupervisedGateway::transmit() {
  while (control_.valid() && has_answered_ && under_way_ < kWindow && !unsent_.empty()) {
    const ControlRequest& next = unsent_.front();
    // One whose time was over before its turn is answered already.
    if (next.sequence == 0 || unanswered_.contains(next.sequence)) {
      const auto sent = control_.send(encode(next));
      // Room comes with the answers to what fills it.
      if (!sent && sent.error().errno_value == EAGAIN) return;
      if (!sent) return lose_connection();
      ++under_way_;
    }
    unsent_.pop_front();
  }
}

void SupervisedGateway::set_attachment(uint32_t tag, const attachment& at, Answer answer, int timeout_ms) {
  attachments_[tag] = at;
  send(ControlRequest{.op = ControlOp::set_attachment, .tag = tag, .at = at}, std::move(answer), timeout_ms);
}

void SupervisedGateway::remove_attachment(uint32_t tag, Answer answer) {
  attachments_.erase(tag);
  send(ControlRequest{.op = ControlOp::remove_attachment, .tag = tag, .at = {}}, std::move(answer));
}

void SupervisedGateway::send(ControlRequest request, Answer answer, int timeout_ms) {
  if (unanswered_.size() >= kMaxUnanswered) return answer(fail(Kind::exhausted, "the gateway answers too slowly"));
  request.sequence = ++sequence_;
  if (request.sequence == kGreeting) request.sequence = sequence_ = 1;
  std::optional<Time> deadline;
  if (timeout_ms > 0) deadline = steady_clock::now() + milliseconds(timeout_ms);
  unanswered_[request.sequence] = {request, std::move(answer), deadline};
  // Without a connection it goes out with all that is unanswered when there is one.
  if (!control_.valid()) return;
  unsent_.push_back(request);
  transmit();
}

Result<ControlReply> SupervisedGateway::call(ControlRequest request, int timeout_ms) {
  std::optional<Result<ControlReply>> result;
  send(request, [&result](Result<ControlReply> reply) { result = std::move(reply); }, timeout_ms);
  while (!result) {
    std::vector<pollfd> polled;
    for (const int fd : poll_fds()) polled.push_back({fd, POLLIN, 0});
    if (poll(polled.data(), polled.size(), 50) < 0 && errno != EINTR) return fail_errno("poll");
    dispatch();
  }
  return *std::move(result);
}

void SupervisedGateway::receive() {
  while (control_.valid()) {
    auto message = control_.receive(sizeof(ControlReply));
    if (message && !*message) return;
    auto reply = message ? decode_control_reply(**message) : std::unexpected(message.error());
    if (!reply) return lose_connection();
    has_answered_ = true;
    if (reply->sequence != kGreeting && under_way_ > 0) --under_way_;
    transmit();
    const auto found = unanswered_.find(reply->sequence);
    if (found == unanswered_.end()) continue;
    const Answer answer = std::move(found->second.answer);
    unanswered_.erase(found);
    answer(outcome(*reply));
  }
}

void SupervisedGateway::expire(Time now) {
  std::vector<Answer> late;
  std::erase_if(unanswered_, [&](auto& entry) {
    if (!entry.second.deadline || now < *entry.second.deadline) return false;
    late.push_back(std::move(entry.second.answer));
    return true;
  });
  for (const Answer& answer : late) answer(fail(Kind::timeout, "the gateway did not answer in time"));
}

void SupervisedGateway::dispatch() {
  log_.read(steady_clock::now());
  receive();
  reap(0);
  if (!control_.valid()) reconnect();
  greet(steady_clock::now());
  expire(steady_clock::now());
}

std::vector<int> SupervisedGateway::poll_fds() const {
  std::vector<int> fds = {log_.fd()};
  if (control_.valid()) fds.push_back(control_.fd());
  if (pidfd_.valid()) fds.push_back(pidfd_.get());
  return fds;
}

std::optional<SupervisedGateway::Time> SupervisedGateway::next_deadline() const {
  std::optional<Time> next;
  if (!control_.valid()) next = retry_at_;
  if (control_.valid() && !has_answered_) next = greet_at_;
  for (const auto& [sequence, waiting] : unanswered_) {
    if (waiting.deadline && (!next || *waiting.deadline < *next)) next = waiting.deadline;
  }
  return next;
}

}  // namespace hearth::gateway
