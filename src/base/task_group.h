// TaskGroup: owner of coroutines that run beside their maker, so that none is ever detached.
//
// Used on one executor only (the loop's). spawn() starts a task; stop() asks all of them to end by asio's terminal
// cancellation, at once or, called while the loop does not run, when it next does, and `co_await join()` waits until
// the last one has. A task that ends with an exception is a bug: it is logged and the process aborts. After stop(),
// spawn() starts nothing.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/steady_timer.hpp>
#include <list>
#include <string>

namespace hearth {

class TaskGroup {
 public:
  explicit TaskGroup(boost::asio::any_io_executor executor);
  TaskGroup(const TaskGroup&) = delete;
  TaskGroup& operator=(const TaskGroup&) = delete;
  // REQUIRES: empty, that is, joined.
  ~TaskGroup();

  // `name` is for the log when the task dies of an exception.
  void spawn(std::string name, boost::asio::awaitable<void> task);
  void stop();
  boost::asio::awaitable<void> join();

  size_t size() const { return running_.size(); }
  bool stopping() const { return stopping_; }
  boost::asio::any_io_executor executor() const { return executor_; }

 private:
  boost::asio::any_io_executor executor_;
  std::list<boost::asio::cancellation_signal> running_;
  boost::asio::steady_timer empty_;  // cancelled when the last task ends
  bool stopping_ = false;
};

}  // namespace hearth
