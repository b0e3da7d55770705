// JSON for our own messages: a reader that names the field it could not read, over Boost.JSON values.
//
// Every member is read by name and type with a limit; what is not there and not optional, of another type, over its
// limit, or not known (finish) is Kind::invalid with the path of the field. Not for AWS shapes, whose rules the models
// in api/ give.
#pragma once

#include <boost/json.hpp>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace hearth {

namespace json = boost::json;

// Boost.JSON's own kind of view, which std::string_view does not become by itself.
inline json::string_view view(std::string_view text) { return {text.data(), text.size()}; }

// Parses `text`; refuses more than `max_bytes`, more than 32 levels, and anything after the value.
Result<json::value> parse_json(std::string_view text, size_t max_bytes);

class FieldReader {
 public:
  // REQUIRES: `value` outlives the reader. `path` is how errors call it ("bind", "bind.network").
  static Result<FieldReader> of(const json::value& value, std::string path);

  Result<std::string> text(std::string_view key, size_t max_bytes);
  Result<std::string> text_or(std::string_view key, size_t max_bytes, std::string fallback);
  Result<int64_t> integer(std::string_view key, int64_t min, int64_t max);
  Result<int64_t> integer_or(std::string_view key, int64_t min, int64_t max, int64_t fallback);
  Result<bool> flag_or(std::string_view key, bool fallback);
  Result<std::vector<std::string>> texts_or_none(std::string_view key, size_t max_count, size_t max_bytes);
  // The member itself; an error when it is missing.
  Result<const json::value*> member(std::string_view key);
  // nullptr when it is missing.
  const json::value* member_or_null(std::string_view key);
  // The member, an array of at most `max_count`; empty when it is missing.
  Result<std::vector<const json::value*>> items_or_none(std::string_view key, size_t max_count);

  // Every member must have been asked for by now: an unknown one is an error that names it.
  Result<> finish() const;

  const std::string& path() const { return path_; }

 private:
  FieldReader(const json::object& object, std::string path) : object_(&object), path_(std::move(path)) {}
  Failure refuse(std::string_view key, std::string_view reason) const;

  const json::object* object_;
  std::string path_;
  std::set<std::string, std::less<>> asked_;
};

}  // namespace hearth
