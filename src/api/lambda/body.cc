#include "api/lambda/body.h"

#include <boost/json/basic_parser_impl.hpp>

#include "base/base64.h"

namespace hearth::api::lambda {
namespace {

constexpr size_t kMaxDepth = 1000;  // as the service's parser

// Handler of boost::json::basic_parser that keeps nothing.
struct Nothing {
  using Error = boost::system::error_code;
  using Text = json::string_view;
  static constexpr std::size_t max_object_size = std::size_t(-1);
  static constexpr std::size_t max_array_size = std::size_t(-1);
  static constexpr std::size_t max_key_size = std::size_t(-1);
  static constexpr std::size_t max_string_size = std::size_t(-1);
  bool on_document_begin(Error&) { return true; }
  bool on_document_end(Error&) { return true; }
  bool on_object_begin(Error&) { return true; }
  bool on_object_end(std::size_t, Error&) { return true; }
  bool on_array_begin(Error&) { return true; }
  bool on_array_end(std::size_t, Error&) { return true; }
  bool on_key_part(Text, std::size_t, Error&) { return true; }
  bool on_key(Text, std::size_t, Error&) { return true; }
  bool on_string_part(Text, std::size_t, Error&) { return true; }
  bool on_string(Text, std::size_t, Error&) { return true; }
  bool on_number_part(Text, Error&) { return true; }
  bool on_int64(std::int64_t, Text, Error&) { return true; }
  bool on_uint64(std::uint64_t, Text, Error&) { return true; }
  bool on_double(double, Text, Error&) { return true; }
  bool on_bool(bool, Error&) { return true; }
  bool on_null(Error&) { return true; }
  bool on_comment_part(Text, Error&) { return true; }
  bool on_comment(Text, Error&) { return true; }
};

std::unexpected<Refusal> not_json(const std::string& why) {
  return refuse("InvalidRequestContentException", "Could not parse request body into json: " + why);
}

// Takes "ZipFile" out of `object`.
Outcome<> take_zip(json::object& object, Body& body) {
  auto found = object.find("ZipFile");
  if (found == object.end() || found->value().is_null()) return {};
  if (!found->value().is_string()) return refuse("SerializationException", "'zipFile' must be a string of base64");
  const auto& text = found->value().get_string();
  auto zip = base64_decode({text.data(), text.size()});
  if (!zip) return refuse("SerializationException", "'zipFile' is not base64");
  body.zip = std::move(*zip);
  body.has_zip = true;
  object.erase(found);
  return {};
}

}  // namespace

Outcome<> check_json(std::string_view text) {
  json::parse_options options;
  options.max_depth = kMaxDepth;
  json::basic_parser<Nothing> parser(options);
  boost::system::error_code error;
  size_t read = parser.write_some(false, text.data(), text.size(), error);
  if (!error && read < text.size()) error = json::error::extra_data;
  if (error) return not_json(error.message());
  return {};
}

Outcome<Body> read_body(std::string text) {
  Body body;
  if (text.empty()) return body;
  boost::system::error_code error;
  json::value value = json::parse(text, error);
  std::string().swap(text);  // it may be large, and what follows is as large again
  if (error) return not_json(error.message());
  if (!value.is_object()) return not_json("it is not an object");
  body.members = std::move(value.get_object());
  if (auto taken = take_zip(body.members, body); !taken) return std::unexpected(taken.error());
  auto code = body.members.find("Code");
  if (code == body.members.end() || !code->value().is_object()) return body;
  if (auto taken = take_zip(code->value().get_object(), body); !taken) return std::unexpected(taken.error());
  return body;
}

}  // namespace hearth::api::lambda
