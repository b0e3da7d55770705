#include "base/task_group.h"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cstdlib>
#include <exception>

#include "base/log.h"

namespace hearth {
namespace asio = boost::asio;

TaskGroup::TaskGroup(asio::any_io_executor executor)
    : executor_(executor), empty_(executor, asio::steady_timer::time_point::max()) {}

TaskGroup::~TaskGroup() {
  if (!running_.empty()) {
    log::error("a task group was destroyed with {} tasks running", running_.size());
    std::abort();
  }
}

void TaskGroup::spawn(std::string name, asio::awaitable<void> task) {
  if (stopping_) return;
  auto signal = running_.emplace(running_.end());
  auto ended = [this, signal, name = std::move(name)](std::exception_ptr exception) {
    if (exception) {
      try {
        std::rethrow_exception(exception);
      } catch (const boost::system::system_error& error) {
        if (error.code() != asio::error::operation_aborted) {
          log::error("task {} died: {}", name, error.what());
          std::abort();
        }
      } catch (const std::exception& error) {
        log::error("task {} died: {}", name, error.what());
        std::abort();
      }
    }
    running_.erase(signal);
    if (running_.empty()) empty_.cancel();
  };
  asio::co_spawn(executor_, std::move(task), asio::bind_cancellation_slot(signal->slot(), std::move(ended)));
}

void TaskGroup::stop() {
  stopping_ = true;
  // On the loop: elsewhere asio would only note that a task is to be told, and the task may end before it is.
  asio::dispatch(executor_, [this] {
    for (auto at = running_.begin(); at != running_.end();) {  // emitting may end, and so erase, the task
      auto next = std::next(at);
      at->emit(asio::cancellation_type::terminal);
      at = next;
    }
  });
}

asio::awaitable<void> TaskGroup::join() {
  while (!running_.empty()) {
    boost::system::error_code ignored;  // cancelled is how the wait ends
    co_await empty_.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
  }
}

}  // namespace hearth
