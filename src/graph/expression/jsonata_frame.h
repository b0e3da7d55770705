// Frames: the variables of a JSONata scope, and the functions that capture them.
//
// A function captures the frame that it was made in, and that frame often holds the function: counting alone would
// never free them. So every evaluation keeps a list of its living frames and empties them when it ends.
#pragma once

#include <string_view>
#include <utility>
#include <vector>

#include "graph/expression/jsonata_tree.h"
#include "graph/expression/value.h"

namespace hearth::expression {

class FramePtr;

class Frame {
 public:
  // `list` is the head of the evaluation's frames.
  static FramePtr make(Frame*& list, const FramePtr& parent);

  void bind(const Value& name, Value value);
  // The nearest binding; nullptr when the name is bound nowhere.
  const Value* lookup(std::string_view name) const;

 private:
  friend class FramePtr;
  friend class Frames;
  Frame() = default;
  void release();

  std::vector<std::pair<Value, Value>> bindings_;
  Frame* parent_ = nullptr;
  Frame* next_ = nullptr;
  Frame** back_ = nullptr;  // what points to this frame in the list
  uint32_t references_ = 1;
};

class FramePtr {
 public:
  FramePtr() = default;
  FramePtr(const FramePtr& other) : frame_(other.frame_) {
    if (frame_ != nullptr) ++frame_->references_;
  }
  FramePtr(FramePtr&& other) noexcept : frame_(std::exchange(other.frame_, nullptr)) {}
  FramePtr& operator=(FramePtr other) noexcept {
    std::swap(frame_, other.frame_);
    return *this;
  }
  ~FramePtr() {
    if (frame_ != nullptr) frame_->release();
  }
  Frame* operator->() const { return frame_; }
  Frame* get() const { return frame_; }

 private:
  friend class Frame;
  friend class Frames;
  explicit FramePtr(Frame* frame) : frame_(frame) {}
  Frame* frame_ = nullptr;
};

// The frames of one evaluation; emptied when it goes away, whatever holds them then.
class Frames {
 public:
  Frames() = default;
  Frames(const Frames&) = delete;
  Frames& operator=(const Frames&) = delete;
  ~Frames();
  FramePtr make(const FramePtr& parent) { return Frame::make(head_, parent); }

 private:
  Frame* head_ = nullptr;
};

struct Builtin;

// A JSONata function value.
struct Function : FunctionNode {
  enum class Form : uint8_t {
    builtin,
    lambda,
    partial,     // a built-in with some arguments given
    regex,       // matches a string
    next_match,  // the `next` of a match
    transform,
    chain,  // f ~> g
  };
  explicit Function(Form function_form);
  ~Function() override;

  Form form;
  const Builtin* builtin = nullptr;
  const Node* node = nullptr;        // of lambda, regex, transform
  std::vector<const Node*> unbound;  // a lambda's parameters (names)
  std::vector<Value> given;          // of partial: one a parameter; of chain: f, g; of next_match: the subject
  std::vector<size_t> open;          // of partial: which of them are still to come
  Value input;                       // of lambda: the context it was made in
  FramePtr frame;
  size_t position = 0;         // of next_match: the byte to go on from
  bool with_signature = true;  // a partially applied lambda no longer checks
};

inline Function* function_of(const Value& value) { return static_cast<Function*>(value.as_function()); }

}  // namespace hearth::expression
