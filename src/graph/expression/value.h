// Value: JSON as graphs handle it, and what an expression computes with.
//
// Why not boost::json: it keeps member order but not how a number was written; a graph must hand `1.0`, `1` and
// `12345678901234567890` on as they came, and integer and float are different things to Choice and to intrinsics. So:
//  1. A number written in a document prints as it was written; a computed one prints as JavaScript would (`2`, `0.1`,
//     `1e+21`), since JSONata computes with doubles. is_integer() is about spelling: true for `1`, false for `1.0`.
//  2. Values are immutable and shared: a copy is a pointer and a count, so a subtree costs nothing to hand on.
//  3. Members keep the order in which they were first written; the last value of a repeated key wins.
//  4. Strings are UTF-8; a lone surrogate of a `\ud800` escape is kept as its three bytes and printed as the escape.
// `undefined` and functions exist only while JSONata evaluates; a document has neither.
// Any thread; reference counts are atomic. The memory of values is counted per thread (live_bytes).
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace hearth::expression {

struct Member;
struct ObjectData;

// What heap nodes begin with; the rest is value.cc's and the evaluator's.
struct ValueNode {
  enum class Kind : uint8_t { text, spelled, array, object, function };
  explicit ValueNode(Kind node_kind) : kind(node_kind) {}

  std::atomic<uint32_t> references{1};
  uint32_t depth = 0;  // levels of arrays and objects, this one included
  Kind kind;
  bool unfrozen = false;           // an object that a transform is still changing
  std::atomic<bool> plain{false};  // JSON all through, as a document has it
};

// What the evaluator's functions derive from; destroyed with the last Value that holds it.
struct FunctionNode : ValueNode {
  FunctionNode() : ValueNode(Kind::function) {}
  virtual ~FunctionNode() = default;
};

enum class Type : uint8_t { undefined, null, boolean, number, string, array, object, function };

// Marks of an array that only JSONata gives and reads; they belong to the handle, not to the items.
enum ArrayMark : uint8_t { kSequence = 1, kKeepSingleton = 2, kConstructed = 4, kOuterWrapper = 8, kTupleStream = 16 };

class Value {
 public:
  Value() = default;  // undefined
  Value(const Value& other) noexcept
      : integer_(other.integer_), type_(other.type_), spelling_(other.spelling_), marks_(other.marks_) {
    if (holds_node()) node_->references.fetch_add(1, std::memory_order_relaxed);
  }
  Value(Value&& other) noexcept
      : integer_(other.integer_), type_(other.type_), spelling_(other.spelling_), marks_(other.marks_) {
    other.type_ = Type::undefined;
  }
  Value& operator=(const Value& other) noexcept;
  Value& operator=(Value&& other) noexcept;
  ~Value() {
    if (holds_node()) let_go(node_);
  }

  static Value null();
  static Value boolean(bool flag);
  static Value integer(int64_t number);
  static Value number(double number);                     // prints as JavaScript does
  static Result<Value> spelled(std::string_view number);  // a JSON number, printed as written
  static Value string(std::string_view text);
  static Value array(std::vector<Value> items, uint8_t marks = 0);
  static Value object(std::vector<Member> members);  // of equal keys the last value counts
  static Value function(FunctionNode* function);     // takes the reference

  Type type() const { return type_; }
  bool is(Type type) const { return type_ == type; }
  bool is_undefined() const { return type_ == Type::undefined; }
  bool is_string() const { return type_ == Type::string; }
  bool is_number() const { return type_ == Type::number; }
  bool is_array() const { return type_ == Type::array; }
  bool is_object() const { return type_ == Type::object; }
  bool is_function() const { return type_ == Type::function; }
  bool is_true() const { return type_ == Type::boolean && flag_; }

  // A number without fraction and exponent: `1`, not `1.0` and not `1e3`.
  bool is_integer() const;
  // Its value when is_integer() and within 64 bits.
  std::optional<int64_t> as_integer() const;
  double as_double() const;                       // REQUIRES: is_number()
  std::string number_text() const;                // REQUIRES: is_number()
  std::string_view as_string() const;             // REQUIRES: is_string()
  std::span<const Value> items() const;           // none unless is_array()
  std::span<const Member> members() const;        // none unless is_object()
  const Value* find(std::string_view key) const;  // nullptr unless is_object() and there
  size_t size() const;                            // items, members or bytes of text
  uint32_t depth() const;

  uint8_t marks() const { return marks_; }
  bool marked(uint8_t mark) const { return (marks_ & mark) != 0; }
  Value with_marks(uint8_t marks) const;

  FunctionNode* as_function() const;
  // Known to be JSON all through: no marks, functions, undefined or infinite numbers inside.
  bool is_known_plain() const;
  void mark_plain() const;
  const ValueNode* node() const { return holds_node() ? node_ : nullptr; }
  // The object's data, to be changed in place. REQUIRES: an object whose node is `unfrozen` or not shared.
  ObjectData* changeable_object() const;
  // Appends, in place when nobody else holds the array. REQUIRES: is_array().
  void push_back(Value item);
  // This object with `key` set to `value`; a key that is new comes last. REQUIRES: is_object().
  Value with_member(std::string_view key, Value value) const;
  Value with_item(size_t index, Value value) const;  // REQUIRES: is_array() and index < size()

 private:
  enum class Spelling : uint8_t { integer, real, written };
  bool holds_node() const { return type_ >= Type::string || (type_ == Type::number && spelling_ == Spelling::written); }
  static void let_go(ValueNode* node);

  union {
    bool flag_;
    int64_t integer_;
    double real_;
    ValueNode* node_ = nullptr;
  };
  Type type_ = Type::undefined;
  Spelling spelling_ = Spelling::integer;
  uint8_t marks_ = 0;
};

struct Member {
  Value key;  // a string
  Value value;
  std::string_view name() const { return key.as_string(); }
};

// Equal as JSON: numbers by value (1 equals 1.0), members in any order.
bool deep_equal(const Value& left, const Value& right);
// deep_equal, but a number written as integer never equals one written as float.
bool deep_equal_spelled(const Value& left, const Value& right);

// Bytes that this thread's values hold now; the difference over a computation is what it keeps.
int64_t live_bytes();
void count_live_bytes(int64_t difference);

}  // namespace hearth::expression
