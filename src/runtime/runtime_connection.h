// RuntimeConnection: one connection to a container's Runtime API.
//
// run() reads and handles until the peer or the RuntimeApi ends it. Writing is done at once by whoever has something to
// write; what the socket does not take is written in the background.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <memory>
#include <string>
#include <string_view>

#include "runtime/runtime_api.h"
#include "runtime/runtime_request.h"

namespace hearth::runtime {

class RuntimeConnection : public std::enable_shared_from_this<RuntimeConnection> {
 public:
  static constexpr size_t kSmallBuffer = 8 * 1024;
  static constexpr size_t kLargeBuffer = 64 * 1024;

  RuntimeConnection(boost::asio::any_io_executor executor, RuntimeApi& api, Fd socket);

  static boost::asio::awaitable<void> run(std::shared_ptr<RuntimeConnection> self);

  bool send_event(std::string_view head, std::string_view payload);
  void flush();
  // Closes the socket; the RuntimeApi is not touched afterwards.
  void abandon();

 private:
  boost::asio::awaitable<bool> read_some();
  bool make_room();
  bool handle_all();
  bool handle(RuntimeRequest request);
  void handle_next(std::chrono::microseconds import);
  void reply(RuntimeApiHandler::Verdict verdict);
  void end();

  // Writes out_ and `payload`; false when the connection is broken.
  bool write(std::string_view payload);
  void write_rest();
  bool wants_body(const RuntimeRequest& request);

  boost::asio::ip::tcp::socket socket_;
  RuntimeApi* api_;
  RuntimeRequestParser parser_;
  std::string buffer_;
  size_t filled_ = 0;
  std::string out_;       // to be written with the next flush
  std::string writing_;   // being written in the background
  bool waits_ = false;    // in GET next
  bool closing_ = false;  // once all is written
};

}  // namespace hearth::runtime
