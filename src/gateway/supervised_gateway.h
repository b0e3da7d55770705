// SupervisedGateway: one gateway and the connection to it. It is started again when it dies, and told again what it
// should be: attachments and every request that it had not answered.
//
// Never blocks on a gateway that does not read, but for call(): kWindow requests are under way on a connection, the
// rest go out as answers come.
//
// Single-threaded; the owner polls poll_fds() and calls dispatch(). Answers run from dispatch() or call().
#pragma once

#include <chrono>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "gateway/control.h"
#include "gateway/control_line.h"
#include "gateway/driver.h"
#include "gateway/gateway_log.h"

namespace hearth::gateway {

class SupervisedGateway {
 public:
  using Time = std::chrono::steady_clock::time_point;
  using Answer = std::function<void(Result<ControlReply>)>;
  static constexpr size_t kMaxUnanswered = 65536;
  static constexpr size_t kWindow = 64;  // whose replies fit the socket
  static constexpr int kReadyMs = 10'000;
  static constexpr int kGreetMs = 500;     // and again, until there is an answer
  static constexpr int kBirthMs = 60'000;  // one that has not answered by then is ended and started again
  static constexpr int kFirstBackoffMs = 50;
  static constexpr int kMaxBackoffMs = 5000;

  // Prepares, finds or starts it, and waits until it serves unless it boots first. `said` gets what it says on its
  // standard error, and why it can't be started.
  static Result<std::unique_ptr<SupervisedGateway>> open(GatewayPlace place, std::unique_ptr<Driver> driver,
                                                         GatewayLog::Sink said, int birth_ms = kBirthMs);

  // It is told to every later gateway too, whether or not the answer came within `timeout_ms` (0: it is waited for).
  void set_attachment(uint32_t tag, const attachment& at, Answer answer, int timeout_ms = 0);
  void remove_attachment(uint32_t tag, Answer answer);
  // Every request is sent again after a restart until it is answered; one with a deadline fails at it.
  void send(ControlRequest request, Answer answer, int timeout_ms = 0);
  Result<ControlReply> call(ControlRequest request, int timeout_ms);

  std::vector<int> poll_fds() const;
  void dispatch();
  std::optional<Time> next_deadline() const;

  Result<Fd> port_netns() { return driver_->port_netns(place_); }
  const GatewayPlace& place() const { return place_; }
  const Driver& driver() const { return *driver_; }
  uint64_t restarts() const { return restarts_; }

 private:
  struct Unanswered {
    ControlRequest request;
    Answer answer;
    std::optional<Time> deadline;
  };

  SupervisedGateway(GatewayPlace place, std::unique_ptr<Driver> driver, GatewayLog log, GatewayLog::Sink said,
                    int birth_ms)
      : place_(std::move(place)),
        driver_(std::move(driver)),
        log_(std::move(log)),
        said_(std::move(said)),
        birth_(birth_ms) {}
  Result<> connect();
  void reconnect();
  void lose_connection();
  void end_unborn();
  void reap(int wait_ms);
  void transmit();
  void greet(Time now);
  void receive();
  void expire(Time now);

  GatewayPlace place_;
  std::unique_ptr<Driver> driver_;
  GatewayLog log_;
  GatewayLog::Sink said_;
  std::chrono::milliseconds birth_;
  std::string trouble_;  // why it could not be started, as said last
  ControlLine control_;  // is gone before the process when that dies
  Fd pidfd_;
  std::deque<ControlRequest> unsent_;          // on this connection
  size_t under_way_ = 0;                       // sent on this connection and not answered
  bool has_answered_ = false;                  // on this connection
  std::map<uint32_t, Unanswered> unanswered_;  // by sequence number, in order of sending
  std::map<uint32_t, attachment> attachments_;
  uint32_t sequence_ = 0;
  Time retry_at_{};
  int backoff_ms_ = 0;
  Time started_{};
  Time greet_at_{};
  uint64_t restarts_ = 0;
};

}  // namespace hearth::gateway
