// Xml: writes elements and escaped text; a reply is as well-formed as its nesting, which close() keeps.
#pragma once

#include <concepts>
#include <string>
#include <string_view>
#include <vector>

namespace hearth::api::ec2 {

class Xml {
 public:
  // `name` must be a literal: it is kept by view until its close().
  void open(std::string_view name);
  void close();

  void element(std::string_view name, std::string_view text);
  void element(std::string_view name, const std::string& text) { element(name, std::string_view(text)); }
  void element(std::string_view name, const char* text) { element(name, std::string_view(text)); }
  void element(std::string_view name, std::same_as<bool> auto value) { element(name, value ? "true" : "false"); }
  void element(std::string_view name, std::same_as<int64_t> auto value) { element(name, std::to_string(value)); }

  // REQUIRES: everything is closed.
  std::string take() { return std::move(text_); }

  static void escape(std::string_view text, std::string& out);

 private:
  std::string text_;
  std::vector<std::string_view> open_;
};

}  // namespace hearth::api::ec2
