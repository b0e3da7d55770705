// WardenLink: the connection to the warden and the calls under way on it.
//
// Life: connecting (every kReconnect) → greeting (hello sent) → up → connecting … until stop(). Only an up link takes
// calls; when it goes down, every call under way ends with Kind::unavailable. A warden that does not return the
// greeting (it is of another version) is asked again after twice the time each time, at most kMaxReconnect. Datagrams
// are written at once; those that the socket does not take wait in order, at most kMaxOutstanding of them. A call whose
// deadline passed is forgotten: its reply, with its descriptors, is dropped when it comes. What is not of the protocol
// (a datagram too large, one that does not decode, too many descriptors) ends the connection. Used on the executor's
// thread; asio's handlers hold a reference, so it outlives its owner until they have ended.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/deadlines.h"
#include "base/one_shot.h"
#include "kernel/unix_socket.h"
#include "warden_client/client.h"

namespace hearth {

class WardenLink : public std::enable_shared_from_this<WardenLink> {
 public:
  static constexpr std::chrono::milliseconds kReconnect{50};
  static constexpr std::chrono::milliseconds kMaxReconnect{5000};
  static constexpr std::chrono::milliseconds kGreeting{5000};  // deadline of hello
  static constexpr size_t kMaxReplyFds = 8;
  static constexpr int kMaxBurst = 64;  // datagrams read before others get their turn

  WardenLink(boost::asio::any_io_executor executor, std::string path, WardenClient::Hooks hooks);

  void start() { connect(); }
  void stop();
  bool connected() const { return up_; }

  static boost::asio::awaitable<Result<WardenAnswer>> call(std::shared_ptr<WardenLink> link, warden::Request request,
                                                           std::chrono::milliseconds deadline);

 private:
  using Outcome = Result<WardenAnswer>;
  struct Call {
    OneShot<Outcome> done;
    Deadlines::Handle deadline;
  };

  void connect();
  void greet();
  void down(const std::string& reason);
  void connect_later();
  void warn_once(std::string failure);

  void await_readable();
  void read_burst();
  Result<> take(kernel::Datagram datagram);
  void greeted(const Result<WardenAnswer>& answer);

  Result<std::shared_ptr<Call>> begin(const warden::Request& request, std::chrono::milliseconds deadline);
  void finish(int64_t id, Outcome outcome);
  Result<> send(std::string datagram);
  void await_writable();
  void write_waiting();

  boost::asio::any_io_executor executor_;
  std::string path_;
  WardenClient::Hooks hooks_;
  Deadlines deadlines_;
  boost::asio::steady_timer reconnect_;
  std::optional<boost::asio::posix::stream_descriptor> socket_;
  uint64_t connection_ = 0;  // counts connections, so that a late handler of a former one does nothing
  bool up_ = false;
  bool stopped_ = false;
  int64_t next_id_ = 1;
  std::optional<int64_t> greeting_;
  std::unordered_map<int64_t, std::shared_ptr<Call>> calls_;
  std::deque<std::string> waiting_;
  std::string last_failure_;  // since it was up, so that the log tells each once
  std::chrono::milliseconds pause_ = kReconnect;
};

}  // namespace hearth
