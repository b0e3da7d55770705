// Endpoints: the HTTP servers inside containers, each until its container ends or the daemon stops.
//
// add() answers the function that ends one; calling it twice, after stop() or when this object is gone does nothing,
// and it may be dropped uncalled. Owned by the loop's thread.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>

#include "base/http_server.h"
#include "base/task_group.h"

namespace hearth::api {

class Endpoints : public std::enable_shared_from_this<Endpoints> {
 public:
  explicit Endpoints(boost::asio::any_io_executor executor) : ending_(executor) {}

  std::function<void()> add(std::unique_ptr<http::Server> server);
  void stop();
  // REQUIRES: stopped.
  boost::asio::awaitable<void> join();
  size_t size() const { return open_.size(); }

 private:
  void end(uint64_t number);
  static boost::asio::awaitable<void> finish(std::unique_ptr<http::Server> server);

  std::map<uint64_t, std::unique_ptr<http::Server>> open_;
  uint64_t next_ = 0;
  bool stopped_ = false;
  TaskGroup ending_;
};

}  // namespace hearth::api
