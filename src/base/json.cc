#include "base/json.h"

#include <fmt/format.h>

namespace hearth {

Result<json::value> parse_json(std::string_view text, size_t max_bytes) {
  if (text.size() > max_bytes) return fail(Kind::invalid, fmt::format("JSON text is over {} bytes", max_bytes));
  boost::system::error_code error;
  json::parse_options options;
  options.max_depth = 32;
  json::value value = json::parse(json::string_view(text.data(), text.size()), error, {}, options);
  if (error) return fail(Kind::invalid, "not JSON: " + error.message());
  return value;
}

Result<FieldReader> FieldReader::of(const json::value& value, std::string path) {
  if (!value.is_object()) return fail(Kind::invalid, path + " must be an object");
  return FieldReader(value.get_object(), std::move(path));
}

Failure FieldReader::refuse(std::string_view key, std::string_view reason) const {
  return fail(Kind::invalid, fmt::format("{}.{} {}", path_, key, reason));
}

const json::value* FieldReader::member_or_null(std::string_view key) {
  asked_.emplace(key);
  return object_->if_contains(json::string_view(key.data(), key.size()));
}

Result<const json::value*> FieldReader::member(std::string_view key) {
  if (auto* value = member_or_null(key)) return value;
  return refuse(key, "is missing");
}

Result<std::string> FieldReader::text(std::string_view key, size_t max_bytes) {
  TRY_ASSIGN(const json::value* value, member(key));
  if (!value->is_string()) return refuse(key, "must be a string");
  const auto& string = value->get_string();
  if (string.size() > max_bytes) return refuse(key, fmt::format("is over {} bytes", max_bytes));
  return std::string(string.data(), string.size());
}

Result<std::string> FieldReader::text_or(std::string_view key, size_t max_bytes, std::string fallback) {
  if (member_or_null(key) == nullptr) return fallback;
  return text(key, max_bytes);
}

Result<int64_t> FieldReader::integer(std::string_view key, int64_t min, int64_t max) {
  TRY_ASSIGN(const json::value* value, member(key));
  boost::system::error_code error;
  int64_t number = value->to_number<int64_t>(error);
  if (error || value->is_double()) return refuse(key, "must be an integer");
  if (number < min || number > max) return refuse(key, fmt::format("must be between {} and {}", min, max));
  return number;
}

Result<int64_t> FieldReader::integer_or(std::string_view key, int64_t min, int64_t max, int64_t fallback) {
  if (member_or_null(key) == nullptr) return fallback;
  return integer(key, min, max);
}

Result<bool> FieldReader::flag_or(std::string_view key, bool fallback) {
  const json::value* value = member_or_null(key);
  if (value == nullptr) return fallback;
  if (!value->is_bool()) return refuse(key, "must be true or false");
  return value->get_bool();
}

Result<std::vector<const json::value*>> FieldReader::items_or_none(std::string_view key, size_t max_count) {
  std::vector<const json::value*> items;
  const json::value* value = member_or_null(key);
  if (value == nullptr) return items;
  if (!value->is_array()) return refuse(key, "must be an array");
  if (value->get_array().size() > max_count) return refuse(key, fmt::format("has over {} items", max_count));
  for (const auto& item : value->get_array()) items.push_back(&item);
  return items;
}

Result<std::vector<std::string>> FieldReader::texts_or_none(std::string_view key, size_t max_count, size_t max_bytes) {
  TRY_ASSIGN(auto items, items_or_none(key, max_count));
  std::vector<std::string> texts;
  for (const json::value* item : items) {
    if (!item->is_string()) return refuse(key, "must hold strings");
    if (item->get_string().size() > max_bytes)
      return refuse(key, fmt::format("holds a string over {} bytes", max_bytes));
    texts.emplace_back(item->get_string().data(), item->get_string().size());
  }
  return texts;
}

Result<> FieldReader::finish() const {
  for (const auto& entry : *object_) {
    if (!asked_.contains(std::string_view(entry.key().data(), entry.key().size()))) {
      return refuse(std::string_view(entry.key().data(), entry.key().size()), "is not known");
    }
  }
  return {};
}

}  // namespace hearth
