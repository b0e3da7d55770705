// For tests: runs a coroutine to its end.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <exception>
#include <optional>
#include <utility>

namespace hearth {

// On `loop`, with all else that is to be done there; answers what the coroutine answers, throws what it throws.
template <typename T>
T run(boost::asio::io_context& loop, boost::asio::awaitable<T> call) {
  std::optional<T> outcome;
  boost::asio::co_spawn(loop, std::move(call), [&](std::exception_ptr thrown, T value) {
    if (thrown) std::rethrow_exception(thrown);
    outcome.emplace(std::move(value));
  });
  loop.restart();
  loop.run();
  return std::move(outcome).value();
}

// On a loop of its own.
template <typename T>
T run(boost::asio::awaitable<T> call) {
  boost::asio::io_context loop;
  return run(loop, std::move(call));
}

}  // namespace hearth
