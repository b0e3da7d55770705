// Deadlines: many deadlines on one timer, for paths where a timer object each would cost too much.
//
// add() and remove() are one map node each; the timer is set again only when an earlier deadline comes or the nearest
// one has passed, so deadlines that are removed before they pass (nearly all) cost no system call. Actions run on the
// executor's thread, in order of time, and may add and remove. One thread only. No action runs after stop().
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <map>
#include <memory>

#include "base/clock.h"

namespace hearth {

class Deadlines {
 public:
  using Action = std::move_only_function<void()>;
  using Table = std::multimap<MonotonicTime, Action>;
  // Names a deadline until its action starts or it is removed; default-made it names none.
  class Handle {
   public:
    bool armed() const { return armed_; }

   private:
    friend class Deadlines;
    Table::iterator at_{};
    bool armed_ = false;
  };

  explicit Deadlines(boost::asio::any_io_executor executor);
  ~Deadlines();
  Deadlines(const Deadlines&) = delete;
  Deadlines& operator=(const Deadlines&) = delete;

  // Arms `handle` (disarming it first). REQUIRES: `handle` outlives its deadline, or is removed.
  void set(Handle& handle, MonotonicTime at, Action action);
  void remove(Handle& handle);
  void stop();
  size_t size() const { return table_.size(); }

 private:
  void arm(MonotonicTime at);
  void pass();

  Table table_;
  boost::asio::steady_timer timer_;
  MonotonicTime armed_for_ = MonotonicTime::max();
  std::shared_ptr<Deadlines*> self_;  // emptied by the destructor, so that a late timer finds nobody
  bool stopped_ = false;
};

}  // namespace hearth
