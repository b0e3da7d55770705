// Param: the parameters of an EC2 query request as a tree: "Filter.1.Name=x" is params["Filter"]["1"]["Name"].
//
// Read from the form body of a POST or the query of a GET. Refused with EC2's MalformedQueryString: more than
// kMaxParams, a key or value over its size, more than kMaxDepth names, a bad escape, a key given twice. A value that is
// not UTF-8 or holds control characters is InvalidParameterValue, so that every value can stand in XML. Fuzzed
// (fuzz/ec2_query.cc).
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/service.h"
#include "vpc/model.h"

namespace hearth::api::ec2 {

using vpc::Ec2Error;
using vpc::Ec2Result;
using vpc::refuse;

class Param {
 public:
  static constexpr size_t kMaxParams = 2000;
  static constexpr size_t kMaxKey = 256;
  static constexpr size_t kMaxValue = 4096;
  static constexpr size_t kMaxDepth = 8;
  static constexpr size_t kMaxBody = 1024 * 1024;

  static Ec2Result<Param> parse(const NameValues& query, std::string_view form);

  // What is missing is an empty Param.
  const Param& operator[](std::string_view name) const;
  // Members with a number as name, in the order of the numbers: "X.1", "X.2", "X.10".
  std::vector<const Param*> items() const;
  std::vector<std::string> texts() const;

  bool given() const { return value_.has_value() || !members_.empty(); }
  std::string text(std::string_view fallback = "") const { return value_ ? *value_ : std::string(fallback); }
  // `name` is how an error calls it.
  Ec2Result<std::string> required(std::string_view name) const;
  Ec2Result<int64_t> integer(std::string_view name, int64_t min, int64_t max, int64_t fallback) const;
  Ec2Result<bool> flag(std::string_view name, bool fallback) const;

 private:
  Ec2Result<> add(std::string_view key, std::string value);

  std::optional<std::string> value_;
  std::map<std::string, Param, std::less<>> members_;
};

}  // namespace hearth::api::ec2
