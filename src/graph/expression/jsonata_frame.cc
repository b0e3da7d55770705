#include "graph/expression/jsonata_frame.h"

namespace hearth::expression {
namespace {

constexpr int64_t kBindingBytes = sizeof(std::pair<Value, Value>);

}  // namespace

FramePtr Frame::make(Frame*& list, const FramePtr& parent) {
  auto* frame = new Frame;
  frame->parent_ = parent.get();
  if (frame->parent_ != nullptr) ++frame->parent_->references_;
  frame->next_ = list;
  frame->back_ = &list;
  if (list != nullptr) list->back_ = &frame->next_;
  list = frame;
  count_live_bytes(sizeof(Frame));
  return FramePtr(frame);
}

void Frame::bind(const Value& name, Value value) {
  for (auto& [bound, old] : bindings_) {
    if (bound.node() == name.node() || bound.as_string() == name.as_string()) {
      old = std::move(value);
      return;
    }
  }
  auto before = static_cast<int64_t>(bindings_.capacity());
  bindings_.emplace_back(name, std::move(value));
  count_live_bytes((static_cast<int64_t>(bindings_.capacity()) - before) * kBindingBytes);
}

const Value* Frame::lookup(std::string_view name) const {
  for (const Frame* frame = this; frame != nullptr; frame = frame->parent_) {
    for (const auto& [bound, value] : frame->bindings_) {
      if (bound.as_string() == name) return &value;
    }
  }
  return nullptr;
}

// Iterative, since a chain of frames may be long; values freed on the way may release frames of their own.
void Frame::release() {
  Frame* frame = this;
  while (frame != nullptr && --frame->references_ == 0) {
    *frame->back_ = frame->next_;
    if (frame->next_ != nullptr) frame->next_->back_ = frame->back_;
    Frame* parent = frame->parent_;
    count_live_bytes(-static_cast<int64_t>(sizeof(Frame)) -
                     static_cast<int64_t>(frame->bindings_.capacity()) * kBindingBytes);
    delete frame;
    frame = parent;
  }
}

Frames::~Frames() {
  while (head_ != nullptr) {
    FramePtr frame(head_);
    ++head_->references_;
    auto bindings = std::exchange(frame->bindings_, {});
    count_live_bytes(-static_cast<int64_t>(bindings.capacity()) * kBindingBytes);
    *frame->back_ = frame->next_;
    if (frame->next_ != nullptr) frame->next_->back_ = frame->back_;
    // Off the list; its own link keeps release() harmless.
    frame->next_ = nullptr;
    frame->back_ = &frame->next_;
  }
}

Function::Function(Form function_form) : form(function_form) { count_live_bytes(sizeof(Function)); }
Function::~Function() { count_live_bytes(-static_cast<int64_t>(sizeof(Function))); }

}  // namespace hearth::expression
