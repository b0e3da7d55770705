// ByteBudget: bytes that many share, taken before they are used and given back by themselves.
//
// Invariants: no more than `all` are out at once, nor more than `one` of one owner. What is taken stays counted while
// its handle lives, and the handle may outlive the budget. Not thread-safe: one thread takes and lets go.
#pragma once

#include <map>
#include <memory>
#include <string>

namespace hearth {

class ByteBudget {
 public:
  using Held = std::shared_ptr<void>;

  ByteBudget(size_t all, size_t one);

  // nullptr: no room now. REQUIRES: bytes > 0.
  Held take(const std::string& owner, size_t bytes);
  size_t out() const { return taken_->all; }

 private:
  struct Taken {
    size_t all = 0;
    std::map<std::string, size_t> of;  // owners that hold some
  };

  const size_t all_;
  const size_t one_;
  std::shared_ptr<Taken> taken_ = std::make_shared<Taken>();
};

}  // namespace hearth
