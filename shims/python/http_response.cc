#include "http_response.h"

namespace hearth::shim {
namespace {

constexpr std::string_view kEnd = "\r\n\r\n";
constexpr std::string_view kLine = "\r\n";
constexpr uint64_t kMaxLength = 1UL << 40;

// Not std::string_view::substr, which can throw: the extension has no C++ library. REQUIRES: at, size within `text`.
std::string_view part(std::string_view text, size_t at, size_t size) { return {text.data() + at, size}; }
std::string_view rest_of(std::string_view text, size_t at) { return {text.data() + at, text.size() - at}; }

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

// `name` is lower case.
bool is_named(std::string_view header, std::string_view name) {
  if (header.size() != name.size()) return false;
  for (size_t i = 0; i < name.size(); ++i) {
    if (lower(header[i]) != name[i]) return false;
  }
  return true;
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

bool parse_number(std::string_view text, uint64_t& number) {
  number = 0;
  if (text.empty()) return false;
  for (char c : text) {
    if (c < '0' || c > '9') return false;
    number = number * 10 + static_cast<uint64_t>(c - '0');
    if (number > kMaxLength) return false;
  }
  return true;
}

// "HTTP/1.1 200 OK"
bool parse_status(std::string_view line, int& status) {
  if (line.size() < 12 || part(line, 0, 9) != "HTTP/1.1 ") return false;
  uint64_t number = 0;
  if (!parse_number(part(line, 9, 3), number) || number < 100) return false;
  status = static_cast<int>(number);
  return line.size() == 12 || line[12] == ' ';
}

std::string_view* place_of(std::string_view name, ResponseHead& head) {
  constexpr std::string_view kPrefix = "lambda-runtime-";
  if (name.size() > kPrefix.size() && is_named(part(name, 0, kPrefix.size()), kPrefix)) {
    std::string_view rest = rest_of(name, kPrefix.size());
    if (is_named(rest, "aws-request-id")) return &head.request_id;
    if (is_named(rest, "deadline-ms")) return &head.deadline_ms;
    if (is_named(rest, "invoked-function-arn")) return &head.function_arn;
    if (is_named(rest, "trace-id")) return &head.trace_id;
    if (is_named(rest, "client-context")) return &head.client_context;
    if (is_named(rest, "cognito-identity")) return &head.cognito_identity;
    if (is_named(rest, "aws-tenant-id")) return &head.tenant_id;
    return nullptr;
  }
  return is_named(name, "content-type") ? &head.content_type : nullptr;
}

}  // namespace

long parse_head(std::string_view bytes, ResponseHead& head) {
  size_t end = part(bytes, 0, bytes.size() < kMaxHead ? bytes.size() : kMaxHead).find(kEnd);
  if (end == std::string_view::npos) return bytes.size() >= kMaxHead ? -1 : 0;
  head = ResponseHead{};
  std::string_view lines = part(bytes, 0, end + kLine.size());
  size_t line_end = lines.find(kLine);
  if (!parse_status(part(lines, 0, line_end), head.status)) return -1;
  bool has_length = false;
  for (lines.remove_prefix(line_end + kLine.size()); !lines.empty(); lines.remove_prefix(line_end + kLine.size())) {
    line_end = lines.find(kLine);
    std::string_view line = part(lines, 0, line_end);
    size_t colon = line.find(':');
    if (colon == std::string_view::npos || colon == 0) return -1;
    std::string_view name = part(line, 0, colon);
    std::string_view value = trim(rest_of(line, colon + 1));
    if (is_named(name, "transfer-encoding")) return -1;
    if (is_named(name, "connection")) head.closes = is_named(value, "close");
    if (is_named(name, "content-length")) {
      if (!parse_number(value, head.content_length)) return -1;
      has_length = true;
    }
    if (auto* place = place_of(name, head)) *place = value;
  }
  // 1xx and 204 have no body and no length.
  if (!has_length && head.status != 204 && head.status >= 200) return -1;
  return static_cast<long>(end + kEnd.size());
}

}  // namespace hearth::shim
