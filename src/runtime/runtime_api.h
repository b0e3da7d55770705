// RuntimeApi: the Lambda Runtime API of one container, served on the listening socket that the warden made inside it.
//
// At most one connection waits in GET next; the event is written to it. Requests of one connection are handled in
// order. A 202 that is followed by a GET next from the same read waits for the event and goes out with it in one write,
// or by itself after kHold. A function may do anything here: kMaxConnections, RuntimeRequestParser's limits, one
// connection at a time that sends a body worth keeping or a header as large as one, and no reading while kMaxBacklog of
// answers are not taken. Bytes sent behind a waiting GET next end the connection.
//
// Owned by its instance, on the loop's thread. close() ends everything; the handler is not called afterwards.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/deadlines.h"
#include "base/fd.h"
#include "base/task_group.h"
#include "runtime/runtime_request.h"

namespace hearth::runtime {

class RuntimeConnection;

// The instance's side.
class RuntimeApiHandler {
 public:
  enum class Verdict { accepted, too_large, unknown_id, wrong_state };

  virtual ~RuntimeApiHandler() = default;
  // GET next: accepted = an event will be sent; wrong_state = refused.
  // `import`: how long the shim says that the handler's import took; 0 when it does not say.
  virtual Verdict on_next(std::chrono::microseconds import) = 0;
  // The connection that waited in GET next has ended.
  virtual void on_next_lost() = 0;
  // Is the body of this request worth keeping?
  virtual bool wants_body(const RuntimeRequest& request) = 0;
  virtual Verdict on_answer(RuntimeRequest request) = 0;
  virtual Verdict on_init_error(RuntimeRequest request) = 0;
  // All requests that came in one read are handled. May destroy the RuntimeApi.
  virtual void on_settled() = 0;
};

// Answers that wait for company, of all containers: one timer for all of them.
class HeldReplies {
 public:
  static constexpr std::chrono::milliseconds kHold{5};
  explicit HeldReplies(Deadlines& deadlines) : deadlines_(deadlines) {}
  ~HeldReplies() { deadlines_.remove(timer_); }
  void add(const std::shared_ptr<RuntimeConnection>& connection);

 private:
  Deadlines& deadlines_;
  Deadlines::Handle timer_;
  std::vector<std::weak_ptr<RuntimeConnection>> held_;
};

class RuntimeApi {
 public:
  static constexpr size_t kMaxConnections = 16;
  static constexpr size_t kMaxBacklog = 64 * 1024;

  // `listener` must not block. REQUIRES: tasks, held and handler outlive it.
  RuntimeApi(TaskGroup& tasks, HeldReplies& held, Fd listener, RuntimeApiHandler& handler);
  ~RuntimeApi() { close(); }

  // Writes the event to the connection that waits in GET next; false when there is none (any more).
  bool send_event(std::string_view head, std::string_view payload);
  void close();

 private:
  friend class RuntimeConnection;
  class Acceptor;

  TaskGroup& tasks_;
  HeldReplies& held_;
  RuntimeApiHandler* handler_;
  std::shared_ptr<Acceptor> acceptor_;
  std::vector<std::shared_ptr<RuntimeConnection>> connections_;
  RuntimeConnection* in_next_ = nullptr;
  RuntimeConnection* receiving_ = nullptr;  // its body or large header is being kept
};

}  // namespace hearth::runtime
