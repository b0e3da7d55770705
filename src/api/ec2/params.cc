#include "api/ec2/params.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace hearth::api::ec2 {
namespace {

std::unexpected<Ec2Error> malformed(std::string why) {
  return refuse(Kind::invalid, "MalformedQueryString", "The query string is malformed: " + std::move(why));
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::optional<std::string> decode(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+') {
      out += ' ';
    } else if (text[i] == '%') {
      if (i + 2 >= text.size() || hex_digit(text[i + 1]) < 0 || hex_digit(text[i + 2]) < 0) return std::nullopt;
      out += static_cast<char>(hex_digit(text[i + 1]) * 16 + hex_digit(text[i + 2]));
      i += 2;
    } else {
      out += text[i];
    }
  }
  return out;
}

// Length of the UTF-8 sequence at the front of `text` (RFC 3629); 0 when there is none.
size_t sequence(std::string_view text) {
  auto byte = [&text](size_t i) { return static_cast<unsigned char>(text[i]); };
  unsigned char first = byte(0);
  size_t length = first < 0x80 ? 1 : first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0;
  if (length == 0 || length > text.size()) return 0;
  for (size_t i = 1; i < length; ++i)
    if ((byte(i) & 0xc0) != 0x80) return 0;
  bool overlong = (first == 0xe0 && byte(1) < 0xa0) || (first == 0xf0 && byte(1) < 0x90);
  bool beyond = (first == 0xed && byte(1) >= 0xa0) || (first == 0xf4 && byte(1) >= 0x90);
  // U+FFFE and U+FFFF can't stand in XML.
  bool not_character = first == 0xef && byte(1) == 0xbf && byte(2) >= 0xbe;
  return overlong || beyond || not_character ? 0 : length;
}

bool fit_for_xml(std::string_view text) {
  while (!text.empty()) {
    auto first = static_cast<unsigned char>(text[0]);
    if ((first < 0x20 && first != '\t' && first != '\n' && first != '\r') || first == 0x7f) return false;
    size_t length = sequence(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

std::optional<uint64_t> number(std::string_view text) {
  uint64_t value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace

Ec2Result<Param> Param::parse(const NameValues& query, std::string_view form) {
  Param root;
  size_t count = 0;
  auto take = [&](std::string_view key, std::string value) -> Ec2Result<> {
    if (++count > kMaxParams) return malformed(fmt::format("over {} parameters", kMaxParams));
    return root.add(key, std::move(value));
  };
  for (const auto& [key, value] : query) TRY(take(key, value));
  if (form.size() > kMaxBody) return malformed(fmt::format("over {} bytes", kMaxBody));
  while (!form.empty()) {
    auto pair = form.substr(0, form.find('&'));
    form.remove_prefix(std::min(form.size(), pair.size() + 1));
    if (pair.empty()) continue;
    auto equals = std::min(pair.find('='), pair.size());
    auto key = decode(pair.substr(0, equals));
    auto value = decode(pair.substr(std::min(equals + 1, pair.size())));
    if (!key || !value) return malformed("a bad percent escape");
    TRY(take(*key, std::move(*value)));
  }
  return root;
}

Ec2Result<> Param::add(std::string_view key, std::string value) {
  if (key.empty() || key.size() > kMaxKey) return malformed(fmt::format("a key must hold 1 to {} bytes", kMaxKey));
  if (!fit_for_xml(key)) return malformed("a key holds control characters or is not UTF-8");
  if (value.size() > kMaxValue) return malformed(fmt::format("{} is over {} bytes", key, kMaxValue));
  if (!fit_for_xml(value))
    return refuse(Kind::invalid, "InvalidParameterValue",
                  fmt::format("The value of {} holds control characters or is not UTF-8", key));
  Param* place = this;
  size_t depth = 0;
  for (std::string_view rest = key;;) {
    if (++depth > kMaxDepth) return malformed(fmt::format("{} has over {} names", key, kMaxDepth));
    auto name = rest.substr(0, rest.find('.'));
    place = &place->members_.try_emplace(std::string(name)).first->second;
    if (name.size() == rest.size()) break;
    rest.remove_prefix(name.size() + 1);
  }
  if (place->value_) return malformed(fmt::format("{} is given twice", key));
  place->value_ = std::move(value);
  return {};
}

const Param& Param::operator[](std::string_view name) const {
  static const Param kNone;
  auto found = members_.find(name);
  return found == members_.end() ? kNone : found->second;
}

std::vector<const Param*> Param::items() const {
  std::multimap<uint64_t, const Param*> numbered;
  for (const auto& [name, member] : members_)
    if (auto position = number(name)) numbered.emplace(*position, &member);
  std::vector<const Param*> out;
  for (const auto& [position, member] : numbered) out.push_back(member);
  return out;
}

std::vector<std::string> Param::texts() const {
  std::vector<std::string> out;
  for (const Param* item : items())
    if (item->value_) out.push_back(*item->value_);
  return out;
}

Ec2Result<std::string> Param::required(std::string_view name) const {
  if (value_ && !value_->empty()) return *value_;
  return refuse(Kind::invalid, "MissingParameter", fmt::format("The request must contain the parameter {}", name));
}

Ec2Result<int64_t> Param::integer(std::string_view name, int64_t min, int64_t max, int64_t fallback) const {
  if (!value_) return fallback;
  int64_t value = 0;
  auto [end, error] = std::from_chars(value_->data(), value_->data() + value_->size(), value);
  if (error != std::errc() || end != value_->data() + value_->size() || value < min || value > max)
    return refuse(Kind::invalid, "InvalidParameterValue",
                  fmt::format("Value ( {} ) for parameter {} is invalid. Expecting a value between {} and {}.", *value_,
                              name, min, max));
  return value;
}

Ec2Result<bool> Param::flag(std::string_view name, bool fallback) const {
  if (!value_) return fallback;
  if (*value_ == "true" || *value_ == "True" || *value_ == "1") return true;
  if (*value_ == "false" || *value_ == "False" || *value_ == "0") return false;
  return refuse(Kind::invalid, "InvalidParameterValue",
                fmt::format("Value ({}) for parameter {} is invalid. Must be true or false.", *value_, name));
}

}  // namespace hearth::api::ec2
