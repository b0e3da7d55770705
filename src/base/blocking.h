// run_blocking: a coroutine hands work to a thread pool and goes on, on its own executor, with what it returned.
//
// Not cancellable: a cancelled coroutine ends once the work has. The work must own what it touches, and not throw.
#pragma once

#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <type_traits>
#include <utility>

namespace hearth {

template <typename Work>
boost::asio::awaitable<std::invoke_result_t<Work>> run_on(boost::asio::thread_pool::executor_type pool, Work work) {
  namespace asio = boost::asio;
  using Value = std::invoke_result_t<Work>;
  auto loop = co_await asio::this_coro::executor;
  auto start = [pool, loop, &work](auto handler) {
    auto busy = asio::make_work_guard(loop);  // the loop must not end before the answer is in
    asio::post(pool, [loop, busy, work = std::move(work), handler = std::move(handler)]() mutable {
      Value value = work();
      asio::post(loop, [busy, handler = std::move(handler), value = std::move(value)]() mutable {
        handler(std::move(value));
      });
    });
  };
  co_return co_await asio::async_initiate<const asio::use_awaitable_t<>, void(Value)>(start, asio::use_awaitable);
}

template <typename Work>
boost::asio::awaitable<std::invoke_result_t<Work>> run_blocking(boost::asio::thread_pool& pool, Work work) {
  return run_on(pool.get_executor(), std::move(work));
}

}  // namespace hearth
