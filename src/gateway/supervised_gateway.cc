#include "gateway/supervised_gateway.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

#include "kernel/process.h"
#include "kernel/unix_socket.h"

namespace hearth::gateway {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

Result<std::unique_ptr<SupervisedGateway>> SupervisedGateway::open(GatewayPlace place, std::unique_ptr<Driver> driver,
                                                                   GatewayLog::Sink said) {
  TRY(driver->prepare(place));
  TRY_ASSIGN(GatewayLog log, GatewayLog::open(driver->log_path(place), std::move(said)));
  std::unique_ptr<SupervisedGateway> gateway(
      new SupervisedGateway(std::move(place), std::move(driver), std::move(log)));
  TRY(gateway->connect());
  TRY(gateway->call(ControlRequest{.op = ControlOp::hello, .at = {}}, kReadyMs));
  return gateway;
}

Result<> SupervisedGateway::connect() {
  TRY_ASSIGN(auto found, driver_->find(place_));
  if (found) {
    running_ = std::move(*found);
  } else {
    TRY_ASSIGN(running_, driver_->start(place_));
  }
  started_ = steady_clock::now();
  for (const auto& [tag, at] : attachments_) {
    ControlRequest request{.op = ControlOp::set_attachment, .tag = tag, .at = at};
    request.sequence = 0;  // nobody waits for this one
    transmit(request);
  }
  for (const auto& [sequence, waiting] : unanswered_) transmit(waiting.request);
  return {};
}

void SupervisedGateway::reconnect() {
  running_ = {};
  const auto now = steady_clock::now();
  if (now < retry_at_) return;
  // One that ran for a while is started at once; one that dies at birth, ever more slowly.
  if (now - started_ > std::chrono::seconds(1)) backoff_ms_ = 0;
  ++restarts_;
  if (connect()) return;
  backoff_ms_ = std::min(std::max(2 * backoff_ms_, 50), kMaxBackoffMs);
  retry_at_ = now + milliseconds(backoff_ms_);
}

void SupervisedGateway::transmit(const ControlRequest& request) {
  if (!running_.control.valid()) return;
  // The connection holds hundreds of requests; a gateway that does not take them is waited for, a dead one is started
  // again by dispatch() and told everything again.
  if (!kernel::send_datagram(running_.control.get(), encode(request), {}, 0)) running_.control.reset();
}

void SupervisedGateway::set_attachment(uint32_t tag, const attachment& at, Answer answer) {
  attachments_[tag] = at;
  send(ControlRequest{.op = ControlOp::set_attachment, .tag = tag, .at = at}, std::move(answer));
}

void SupervisedGateway::remove_attachment(uint32_t tag, Answer answer) {
  attachments_.erase(tag);
  send(ControlRequest{.op = ControlOp::remove_attachment, .tag = tag, .at = {}}, std::move(answer));
}

void SupervisedGateway::send(ControlRequest request, Answer answer, int timeout_ms) {
  if (unanswered_.size() >= kMaxUnanswered) return answer(fail(Kind::exhausted, "the gateway answers too slowly"));
  request.sequence = ++sequence_;
  if (request.sequence == 0) request.sequence = ++sequence_;
  std::optional<Time> deadline;
  if (timeout_ms > 0) deadline = steady_clock::now() + milliseconds(timeout_ms);
  unanswered_[request.sequence] = {request, std::move(answer), deadline};
  transmit(request);
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
  while (running_.control.valid()) {
    auto datagram = kernel::receive_datagram(running_.control.get(), sizeof(ControlReply), 0, MSG_DONTWAIT);
    if (!datagram && datagram.error().errno_value == EAGAIN) return;
    auto reply = datagram ? decode_control_reply(datagram->bytes) : std::unexpected(datagram.error());
    if (!reply) return running_.control.reset();
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
  if (running_.pidfd.valid()) {
    auto ended = kernel::has_ended(running_.pidfd.get());
    if (ended && *ended) {
      // Reaps it when it is our child; one of an earlier warden is somebody else's.
      [[maybe_unused]] auto reaped = kernel::reap(running_.pidfd.get());
      running_ = {};
    }
  }
  if (!running_.control.valid()) reconnect();
  expire(steady_clock::now());
}

std::vector<int> SupervisedGateway::poll_fds() const {
  std::vector<int> fds = {log_.fd()};
  if (running_.control.valid()) fds.push_back(running_.control.get());
  if (running_.pidfd.valid()) fds.push_back(running_.pidfd.get());
  return fds;
}

std::optional<SupervisedGateway::Time> SupervisedGateway::next_deadline() const {
  std::optional<Time> next;
  if (!running_.control.valid()) next = retry_at_;
  for (const auto& [sequence, waiting] : unanswered_) {
    if (waiting.deadline && (!next || *waiting.deadline < *next)) next = waiting.deadline;
  }
  return next;
}

}  // namespace hearth::gateway
