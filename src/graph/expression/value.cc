#include "graph/expression/value.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <new>

#include "graph/expression/number_text.h"
#include "graph/expression/object_data.h"

namespace hearth::expression {
namespace {

thread_local int64_t live_bytes_here = 0;

// The characters follow the node in the same allocation.
struct TextNode : ValueNode {
  explicit TextNode(Kind node_kind) : ValueNode(node_kind) {}
  double number = 0;  // of a spelled number
  size_t size = 0;
  char* bytes() { return reinterpret_cast<char*>(this + 1); }
  const char* bytes() const { return reinterpret_cast<const char*>(this + 1); }
};

struct ArrayNode : ValueNode {
  ArrayNode() : ValueNode(Kind::array) {}
  std::vector<Value> items;
  int64_t counted = 0;
};

struct ObjectNode : ValueNode {
  ObjectNode() : ValueNode(Kind::object) {}
  ObjectData data;
  int64_t counted = 0;
};

ArrayNode* as_array(const ValueNode* node) { return static_cast<ArrayNode*>(const_cast<ValueNode*>(node)); }
ObjectNode* as_object(const ValueNode* node) { return static_cast<ObjectNode*>(const_cast<ValueNode*>(node)); }
const TextNode* as_text(const ValueNode* node) { return static_cast<const TextNode*>(node); }

TextNode* new_text(ValueNode::Kind kind, std::string_view text) {
  void* memory = ::operator new(sizeof(TextNode) + text.size());
  auto* node = new (memory) TextNode(kind);
  node->size = text.size();
  std::memcpy(node->bytes(), text.data(), text.size());
  live_bytes_here += static_cast<int64_t>(sizeof(TextNode) + text.size());
  return node;
}

void count_array(ArrayNode* node) {
  auto now = static_cast<int64_t>(sizeof(ArrayNode) + node->items.capacity() * sizeof(Value));
  live_bytes_here += now - node->counted;
  node->counted = now;
}

void count_object(ObjectNode* node) {
  auto now = static_cast<int64_t>(sizeof(ObjectNode) + node->data.members.capacity() * (sizeof(Member) + 4));
  live_bytes_here += now - node->counted;
  node->counted = now;
}

void free_node(ValueNode* node) {
  switch (node->kind) {
    case ValueNode::Kind::text:
    case ValueNode::Kind::spelled: {
      auto* text = static_cast<TextNode*>(node);
      live_bytes_here -= static_cast<int64_t>(sizeof(TextNode) + text->size);
      text->~TextNode();
      ::operator delete(text);
      return;
    }
    case ValueNode::Kind::array:
      live_bytes_here -= as_array(node)->counted;
      delete as_array(node);
      return;
    case ValueNode::Kind::object:
      live_bytes_here -= as_object(node)->counted;
      delete as_object(node);
      return;
    case ValueNode::Kind::function:
      delete static_cast<FunctionNode*>(node);
      return;
  }
}

// Frees `node` and what only it held without recursion: values may be nested deeper than the stack is.
void destroy(ValueNode* node) {
  thread_local std::vector<ValueNode*>* waiting = nullptr;
  if (node->kind == ValueNode::Kind::text || node->kind == ValueNode::Kind::spelled) return free_node(node);
  if (waiting != nullptr) {
    waiting->push_back(node);
    return;
  }
  std::vector<ValueNode*> queue;
  waiting = &queue;
  free_node(node);
  while (!queue.empty()) {
    ValueNode* next = queue.back();
    queue.pop_back();
    free_node(next);
  }
  waiting = nullptr;
}

uint32_t depth_of(const std::vector<Value>& items) {
  uint32_t deepest = 0;
  for (const Value& item : items) deepest = std::max(deepest, item.depth());
  return deepest + 1;
}

uint32_t depth_of(const std::vector<Member>& members) {
  uint32_t deepest = 0;
  for (const Member& member : members) deepest = std::max(deepest, member.value.depth());
  return deepest + 1;
}

// Whether a real number is written as js_number would print it.
bool is_canonical(std::string_view text, double number) {
  if (text.ends_with('0') || text.find_first_of("eE") != std::string_view::npos) return js_number(number) == text;
  // Up to 15 digits survive a double; only very small numbers would be printed with an exponent.
  bool small = text.find("0.00000") <= 1;
  return (text.size() <= 16 && !small) || js_number(number) == text;
}

}  // namespace

int64_t live_bytes() { return live_bytes_here; }
void count_live_bytes(int64_t difference) { live_bytes_here += difference; }

void Value::let_go(ValueNode* node) {
  if (node->references.fetch_sub(1, std::memory_order_acq_rel) == 1) destroy(node);
}

Value& Value::operator=(const Value& other) noexcept {
  if (this != &other) {
    Value copy(other);
    *this = std::move(copy);
  }
  return *this;
}

Value& Value::operator=(Value&& other) noexcept {
  if (this == &other) return *this;
  ValueNode* old = holds_node() ? node_ : nullptr;
  integer_ = other.integer_;
  type_ = other.type_;
  spelling_ = other.spelling_;
  marks_ = other.marks_;
  other.type_ = Type::undefined;
  if (old != nullptr) let_go(old);
  return *this;
}

Value Value::null() {
  Value value;
  value.type_ = Type::null;
  return value;
}

Value Value::boolean(bool flag) {
  Value value;
  value.integer_ = 0;
  value.flag_ = flag;
  value.type_ = Type::boolean;
  return value;
}

Value Value::integer(int64_t number) {
  Value value;
  value.integer_ = number;
  value.type_ = Type::number;
  return value;
}

Value Value::number(double number) {
  constexpr double kExact = 9007199254740992.0;  // 2^53
  if (number >= -kExact && number <= kExact && number == static_cast<double>(static_cast<int64_t>(number))) {
    return integer(static_cast<int64_t>(number));
  }
  Value value;
  value.real_ = number;
  value.type_ = Type::number;
  value.spelling_ = Spelling::real;
  return value;
}

Result<Value> Value::spelled(std::string_view text) {
  NumberForm form = number_form(text);
  if (form == NumberForm::none) return fail(Kind::invalid, "not a JSON number: " + std::string(text.substr(0, 40)));
  Value value;
  value.type_ = Type::number;
  if (form == NumberForm::integer) {
    int64_t whole = 0;
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), whole);
    if (error == std::errc()) return integer(whole);
  }
  double number = read_decimal(text).value_or(0);
  if (form == NumberForm::real && is_canonical(text, number)) {
    value.real_ = number;
    value.spelling_ = Spelling::real;
    return value;
  }
  TextNode* node = new_text(ValueNode::Kind::spelled, text);
  node->number = number;
  value.node_ = node;
  value.spelling_ = Spelling::written;
  return value;
}

Value Value::string(std::string_view text) {
  Value value;
  value.node_ = new_text(ValueNode::Kind::text, text);
  value.type_ = Type::string;
  return value;
}

Value Value::array(std::vector<Value> items, uint8_t marks) {
  auto* node = new ArrayNode;
  node->depth = depth_of(items);
  node->items = std::move(items);
  count_array(node);
  Value value;
  value.node_ = node;
  value.type_ = Type::array;
  value.marks_ = marks;
  return value;
}

Value Value::object(std::vector<Member> members) {
  auto* node = new ObjectNode;
  node->depth = depth_of(members);
  node->data.assign(std::move(members));
  count_object(node);
  Value value;
  value.node_ = node;
  value.type_ = Type::object;
  return value;
}

Value Value::function(FunctionNode* function) {
  Value value;
  value.node_ = function;
  value.type_ = Type::function;
  return value;
}

bool Value::is_integer() const {
  if (type_ != Type::number) return false;
  if (spelling_ != Spelling::written) return spelling_ == Spelling::integer;
  return number_form({as_text(node_)->bytes(), as_text(node_)->size}) == NumberForm::integer;
}

std::optional<int64_t> Value::as_integer() const {
  if (type_ != Type::number || spelling_ != Spelling::integer) return std::nullopt;
  return integer_;
}

double Value::as_double() const {
  switch (spelling_) {
    case Spelling::integer:
      return static_cast<double>(integer_);
    case Spelling::real:
      return real_;
    case Spelling::written:
      break;
  }
  return as_text(node_)->number;
}

std::string Value::number_text() const {
  switch (spelling_) {
    case Spelling::integer:
      return std::to_string(integer_);
    case Spelling::real:
      return js_number(real_);
    case Spelling::written:
      break;
  }
  return {as_text(node_)->bytes(), as_text(node_)->size};
}

std::string_view Value::as_string() const { return {as_text(node_)->bytes(), as_text(node_)->size}; }

std::span<const Value> Value::items() const {
  if (type_ != Type::array) return {};
  return as_array(node_)->items;
}

std::span<const Member> Value::members() const {
  if (type_ != Type::object) return {};
  return as_object(node_)->data.members;
}

const Value* Value::find(std::string_view key) const {
  return type_ == Type::object ? as_object(node_)->data.find(key) : nullptr;
}

size_t Value::size() const {
  if (type_ == Type::array) return as_array(node_)->items.size();
  if (type_ == Type::object) return as_object(node_)->data.members.size();
  return type_ == Type::string ? as_text(node_)->size : 0;
}

uint32_t Value::depth() const { return type_ == Type::array || type_ == Type::object ? node_->depth : 0; }

Value Value::with_marks(uint8_t marks) const {
  Value copy(*this);
  copy.marks_ = marks;
  return copy;
}

FunctionNode* Value::as_function() const {
  return type_ == Type::function ? static_cast<FunctionNode*>(node_) : nullptr;
}

bool Value::is_known_plain() const {
  if (type_ != Type::array && type_ != Type::object) return false;
  return marks_ == 0 && node_->plain.load(std::memory_order_relaxed);
}

void Value::mark_plain() const {
  if (type_ == Type::array || type_ == Type::object) node_->plain.store(true, std::memory_order_relaxed);
}

ObjectData* Value::changeable_object() const { return &as_object(node_)->data; }

void Value::push_back(Value item) {
  ArrayNode* node = as_array(node_);
  if (node->references.load(std::memory_order_acquire) != 1) {
    std::vector<Value> items;
    items.reserve(node->items.size() + 1);
    items = node->items;
    *this = array(std::move(items), marks_);
    node = as_array(node_);
  }
  node->depth = std::max(node->depth, item.depth() + 1);
  node->plain.store(false, std::memory_order_relaxed);
  node->items.push_back(std::move(item));
  count_array(node);
}

Value Value::with_member(std::string_view key, Value value) const {
  std::vector<Member> members(as_object(node_)->data.members);
  members.push_back({string(key), std::move(value)});
  return object(std::move(members));
}

Value Value::with_item(size_t index, Value value) const {
  std::vector<Value> items(as_array(node_)->items);
  items[index] = std::move(value);
  return array(std::move(items));
}

namespace {

bool same_number(const Value& left, const Value& right, bool by_spelling) {
  if (by_spelling && left.is_integer() != right.is_integer()) return false;
  auto a = left.as_integer();
  auto b = right.as_integer();
  if (a && b) return *a == *b;
  return left.as_double() == right.as_double();
}

bool equal(const Value& left, const Value& right, bool by_spelling) {
  if (left.type() != right.type()) return false;
  switch (left.type()) {
    case Type::undefined:
    case Type::null:
      return true;
    case Type::boolean:
      return left.is_true() == right.is_true();
    case Type::number:
      return same_number(left, right, by_spelling);
    case Type::string:
      return left.as_string() == right.as_string();
    case Type::function:
      return left.node() == right.node();
    case Type::array:
    case Type::object:
      break;
  }
  if (left.node() == right.node()) return true;
  if (left.size() != right.size()) return false;
  if (left.is_array()) {
    auto a = left.items();
    auto b = right.items();
    for (size_t i = 0; i < a.size(); ++i) {
      if (!equal(a[i], b[i], by_spelling)) return false;
    }
    return true;
  }
  for (const Member& member : left.members()) {
    const Value* other = right.find(member.name());
    if (other == nullptr || !equal(member.value, *other, by_spelling)) return false;
  }
  return true;
}

}  // namespace

bool deep_equal(const Value& left, const Value& right) { return equal(left, right, false); }
bool deep_equal_spelled(const Value& left, const Value& right) { return equal(left, right, true); }

}  // namespace hearth::expression
