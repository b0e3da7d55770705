// http::Connection: one client of an http::Server, from accept to close.
//
// Order for each request: head, limit for the body (the handler's side may refuse here), 100 Continue when asked for,
// body, handler, one write. Bytes that follow the request stay in the buffer for the next. Deadlines are only noted
// here (deadline()); the server's sweeper calls expire().
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <memory>
#include <string>

#include "base/clock.h"
#include "base/http_parse.h"
#include "base/http_server.h"

namespace hearth::http {

// What the connections of a server share.
struct Shared {
  Options options;
  Handler handler;
  Counters counters;
  std::string date;  // "Date: …\r\n" of the second `date_second`
  std::time_t date_second = 0;
  std::function<void()> watch_deadlines;  // a connection has one: the sweeper must run
  bool draining = false;                  // connections close after the answer under way
};

class Connection {
 public:
  static constexpr size_t kFirstBuffer = 4096;  // grows to Options::kHeaderBytes

  Connection(boost::asio::ip::tcp::socket socket, Shared& shared);

  // Serves requests until the client closes, a deadline passes or a request was refused.
  boost::asio::awaitable<void> run();

  MonotonicTime deadline() const { return deadline_; }
  // Ends the wait that is under way.
  void expire();
  // Nothing of a request has come.
  bool idle() const { return idle_; }

 private:
  enum class Got { all, answered, closed };  // answered: without the handler; the connection is in step

  boost::asio::awaitable<Got> read_head();
  boost::asio::awaitable<Got> admit_body();
  boost::asio::awaitable<Got> read_body();
  boost::asio::awaitable<Got> read_sized_body(size_t length);
  boost::asio::awaitable<Got> read_chunked_body();
  boost::asio::awaitable<size_t> read_some(char* to, size_t room);  // 0 = no more
  boost::asio::awaitable<bool> respond(Response response, bool close);
  boost::asio::awaitable<bool> write_all(std::string_view first, std::string_view second);
  // Answers what the server refuses, and lets the client finish sending so that it reads the answer.
  boost::asio::awaitable<Got> refuse(int status, std::string_view reason);
  boost::asio::awaitable<Got> refuse_with(Response response);
  boost::asio::awaitable<void> linger();
  boost::asio::awaitable<Response> ask_handler();
  boost::asio::awaitable<Got> read_request();

  void format_head(const Response& response, bool close);
  void note_date();
  void set_deadline(std::chrono::milliseconds from_now);
  void no_deadline() { deadline_ = MonotonicTime::max(); }
  void keep_rest();
  bool body_follows() const;

  boost::asio::ip::tcp::socket socket_;
  Shared& shared_;
  MonotonicTime deadline_ = MonotonicTime::max();
  bool expired_ = false;

  std::string buffer_;  // [0, filled_) was read; the head is at its start
  size_t filled_ = 0;
  size_t used_ = 0;     // of these, belongs to the request in hand
  std::string chunks_;  // encoded bytes of a chunked body; at its end, what follows the request
  Head head_;
  bool idle_ = false;
  bool head_read_ = false;
  bool chunked_ = false;
  std::optional<RequestParser> parser_;
  std::string body_;
  BodyPermit permit_;
  std::string out_;
};

}  // namespace hearth::http
