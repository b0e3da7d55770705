// OneShot<T>: one value, awaited by one coroutine, set once by whoever has it.
//
// set() resumes the waiter at once, on the stack of the caller (no hop through the loop's queue); the caller must be
// ready for whatever the waiter does, the end of this object included. A second set() is ignored. wait() answers
// nullopt when its coroutine was cancelled. One thread only; neither copied nor moved.
#pragma once

#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <functional>
#include <optional>
#include <utility>

namespace hearth {

template <typename T>
class OneShot {
 public:
  OneShot() = default;
  OneShot(const OneShot&) = delete;
  OneShot& operator=(const OneShot&) = delete;

  bool is_set() const { return is_set_; }
  bool has_waiter() const { return static_cast<bool>(resume_); }

  void set(T value) {
    if (is_set_) return;
    is_set_ = true;
    value_.emplace(std::move(value));
    wake();
  }

  // REQUIRES: called once.
  boost::asio::awaitable<std::optional<T>> wait() {
    if (!is_set_) {
      auto suspend = [this](auto handler) { this->keep(std::move(handler)); };
      co_await boost::asio::async_initiate<const boost::asio::use_awaitable_t<>, void()>(suspend,
                                                                                         boost::asio::use_awaitable);
    }
    co_return std::exchange(value_, std::nullopt);
  }

 private:
  template <typename Handler>
  void keep(Handler handler) {
    auto slot = boost::asio::get_associated_cancellation_slot(handler);
    if (slot.is_connected()) slot.assign([this](boost::asio::cancellation_type) { wake(); });
    resume_ = std::move(handler);
  }

  void wake() {
    if (!resume_) return;
    auto resume = std::exchange(resume_, nullptr);
    resume();  // `this` may be gone afterwards
  }

  std::optional<T> value_;
  std::move_only_function<void()> resume_;
  bool is_set_ = false;
};

}  // namespace hearth
