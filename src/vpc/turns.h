// Turns: one change of an account's networks after the other, first come first served.
//
// Not a lock on the thread: who waits is a suspended coroutine. A Turn is passed on when it is destroyed. A cancelled
// wait ends with an error and passes on a turn that it was just given. At most kMaxWaiting wait for one account
// (exhausted beyond).
//
// Owned by the loop's thread.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <deque>
#include <map>
#include <memory>

#include "base/ids.h"
#include "base/result.h"

namespace hearth::vpc {

class Turns {
 public:
  static constexpr size_t kMaxWaiting = 1000;

 private:
  struct Waiter {
    boost::asio::steady_timer wake;
    bool granted = false;
  };
  struct Line {
    bool taken = false;
    std::deque<Waiter*> waiting;
  };

 public:
  class Turn {
   public:
    Turn(Turn&&) noexcept = default;
    Turn& operator=(Turn&&) = delete;
    ~Turn();

   private:
    friend class Turns;
    explicit Turn(std::shared_ptr<Line> line) : line_(std::move(line)) {}
    std::shared_ptr<Line> line_;
  };

  boost::asio::awaitable<Result<Turn>> take(AccountId account);

 private:
  static void pass_on(Line& line);

  std::map<AccountId, std::shared_ptr<Line>> lines_;
};

}  // namespace hearth::vpc
