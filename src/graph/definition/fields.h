// Fields: the members of one object of a definition, read by name and type; what does not fit becomes a Diagnostic.
//
// One parse on one thread. The object and the Findings outlive it.
#pragma once

#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "graph/definition/diagnostic.h"
#include "graph/expression/value.h"

namespace hearth::definition {

// What a parse has found; from kMaxDiagnostics on it only counts errors.
class Findings {
 public:
  void error(std::string_view code, std::string location, std::string message);
  void warning(std::string_view code, std::string location, std::string message);
  bool has_errors() const { return has_errors_; }
  std::vector<Diagnostic> take() { return std::move(diagnostics_); }

 private:
  void add(Severity severity, std::string_view code, std::string location, std::string message);

  std::vector<Diagnostic> diagnostics_;
  bool has_errors_ = false;
};

class Fields {
 public:
  // REQUIRES: object.is_object().
  Fields(Findings& findings, const expression::Value& object, std::string location)
      : findings_(findings), object_(object), location_(std::move(location)) {}

  const std::string& location() const { return location_; }
  std::string at(std::string_view name) const { return location_ + "/" + std::string(name); }
  const expression::Value& object() const { return object_; }
  Findings& findings() const { return findings_; }

  bool has(std::string_view name) const { return object_.find(name) != nullptr; }
  const expression::Value* find(std::string_view name) const { return object_.find(name); }
  // Present, or an error at the object.
  const expression::Value* require(std::string_view name) const;

  // None when absent or, with an error, of another type.
  std::optional<std::string_view> text(std::string_view name) const;
  std::optional<bool> flag(std::string_view name) const;
  const expression::Value* object(std::string_view name) const;
  const expression::Value* array(std::string_view name) const;
  // Absent, or a whole number within the range.
  std::optional<int64_t> integer(std::string_view name, int64_t least, int64_t most) const;
  std::optional<double> number(std::string_view name, double least, double most) const;

  // An error for every member that is not among `known`.
  void allow_only(std::initializer_list<std::string_view> known) const;
  // An error when more than one of them is there.
  void at_most_one(std::initializer_list<std::string_view> names) const;

  void error(std::string_view name, std::string message) const {
    findings_.error(kSchema, name.empty() ? location_ : at(name), std::move(message));
  }

 private:
  const expression::Value* typed(std::string_view name, expression::Type type, std::string_view word) const;

  Findings& findings_;
  const expression::Value& object_;
  std::string location_;
};

// "[0]" after the location of an array.
std::string at_index(const std::string& location, size_t index);

}  // namespace hearth::definition
