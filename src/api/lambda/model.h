// Model: the Lambda API as its machine-readable model has it: operations, error shapes, and what inputs must satisfy.
//
// The data is generated (model_data.inc). check() words violations as the service does ("1 validation error detected:
// Value '0' at 'timeout' failed to satisfy constraint: …"). Members that an operation does not know are taken out, so
// that what is left of a body has passed: AWS ignores them too. Immutable once made; regular expressions are compiled
// at construction. https://docs.aws.amazon.com/lambda/latest/api/API_Operations.html
#pragma once

#include <boost/regex.hpp>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "api/lambda/refusal.h"
#include "api/service.h"
#include "base/json.h"

namespace hearth::api::lambda {

struct Operation {
  std::string_view name;
  std::string_view method;
  std::string_view path;   // "/2015-03-31/functions/{FunctionName}"
  std::string_view query;  // "find=LayerVersion": tells it from another one of that path
  std::string_view input;  // its shape, of served ones
  bool served;
};

struct ErrorShape {
  std::string_view code;
  int status;
  std::string_view message_key;  // "Message" or "message"
  bool senders_fault;
};

std::span<const Operation> operations();
std::span<const ErrorShape> error_shapes();
const ErrorShape* error_shape(std::string_view code);

// The operation of a request and what stood in its path's braces, decoded. nullptr: none.
struct Routed {
  const Operation* operation = nullptr;
  std::string label;  // of the first {…}
};
Routed route(std::string_view method, std::string_view path, const NameValues& query);

class Model {
 public:
  static constexpr size_t kMaxReported = 10;  // violations in one answer

  Model();
  ~Model();

  // Members of `call`'s body, path (`label`), query and headers against the operation's input shape. Members that are
  // null, and those that the shape has not, are taken out of `body` at every depth. A member of another type is a
  // SerializationException, all else a ValidationException.
  Outcome<> check(const Operation& operation, const Call& call, std::string_view label, json::object& body) const;

  // Names that a function's Runtime may have on AWS. check() lets any other pass: it is the caller's to judge.
  const std::vector<std::string>& runtimes() const { return runtimes_; }

  // The data itself, for the test that compares it with its source.
  static json::object shapes();

 private:
  struct Shape;
  struct Findings;
  void read(const std::string& name, const json::object& from);
  void check_value(const Shape& shape, json::value& value, const std::string& path, Findings& findings) const;
  void check_structure(const Shape& shape, json::object& object, const std::string& path, Findings& findings) const;
  void check_text(const Shape& shape, std::string_view text, const std::string& path, Findings& findings) const;
  void check_number(const Shape& shape, const json::value& value, const std::string& path, Findings& findings) const;
  void check_elsewhere(const Shape& shape, const Call& call, std::string_view label, Findings& findings) const;

  std::map<std::string, std::unique_ptr<Shape>, std::less<>> shapes_;
  std::vector<std::string> runtimes_;
};

}  // namespace hearth::api::lambda
