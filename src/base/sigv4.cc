#include "base/sigv4.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <openssl/crypto.h>

#include <algorithm>
#include <boost/beast/core/string.hpp>
#include <charconv>
#include <optional>

namespace hearth::sigv4 {
namespace {

constexpr std::string_view kAlgorithm = "AWS4-HMAC-SHA256";
constexpr std::string_view kUnsigned = "UNSIGNED-PAYLOAD";
constexpr std::string_view kNotMatching =
    "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key "
    "and signing method. Consult the service documentation for details.";

bool same(std::string_view a, std::string_view b) {
  return boost::beast::iequals({a.data(), a.size()}, {b.data(), b.size()});
}

std::unexpected<Refusal> refuse(std::string code, std::string message) {
  return std::unexpected(Refusal{403, std::move(code), std::move(message)});
}
std::unexpected<Refusal> incomplete(std::string message) {
  return refuse("IncompleteSignatureException", std::move(message));
}
std::unexpected<Refusal> bad_signature(std::string message) {
  return refuse("InvalidSignatureException", std::move(message));
}

std::string_view header_value(const Message& message, std::string_view name) {
  for (const http::Header& header : message.headers) {
    if (same(header.name, name)) return header.value;
  }
  return {};
}

std::string_view trimmed(std::string_view text) {
  size_t first = text.find_first_not_of(" \t");
  if (first == text.npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

bool is_unreserved(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
         c == '.' || c == '~';
}

void append_encoded(std::string& to, std::string_view text, std::string_view also_safe) {
  static constexpr char kDigits[] = "0123456789ABCDEF";
  for (char c : text) {
    if (is_unreserved(c) || also_safe.find(c) != also_safe.npos) {
      to.push_back(c);
    } else {
      auto byte = static_cast<unsigned char>(c);
      to.append({'%', kDigits[byte >> 4], kDigits[byte & 15]});
    }
  }
}

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// RFC 3986, 5.2.4, and doubled slashes to one.
std::string normalised(std::string_view path) {
  std::vector<std::string_view> parts;
  bool folder = true;  // ends in a slash
  for (size_t at = 0; at <= path.size();) {
    size_t end = std::min(path.find('/', at), path.size());
    auto part = path.substr(at, end - at);
    folder = part.empty() || part == "." || part == "..";
    if (part == ".." && !parts.empty()) parts.pop_back();
    if (!folder) parts.push_back(part);
    at = end + 1;
  }
  std::string text;
  for (auto part : parts) text.append("/").append(part);
  if (folder) text.push_back('/');
  return text;
}

bool needs_normalising(std::string_view path) {
  return path.empty() || path[0] != '/' || path.find("//") != path.npos || path.find("/.") != path.npos;
}

void append_path(std::string& to, std::string_view path, bool normalise) {
  if (normalise && needs_normalising(path)) {
    append_encoded(to, normalised(path), "/");
  } else {
    append_encoded(to, path.empty() ? "/" : path, "/");
  }
}

void append_query(std::string& to, std::string_view query, std::span<const std::string_view> left_out) {
  if (query.empty()) return;
  std::vector<std::pair<std::string, std::string>> items;
  for (size_t at = 0; at < query.size();) {
    size_t end = std::min(query.find('&', at), query.size());
    auto item = query.substr(at, end - at);
    at = end + 1;
    if (item.empty()) continue;
    size_t equals = std::min(item.find('='), item.size());
    auto name = uri_decode(item.substr(0, equals));
    if (std::ranges::find(left_out, std::string_view(name)) != left_out.end()) continue;
    auto value = equals < item.size() ? uri_decode(item.substr(equals + 1)) : std::string();
    items.emplace_back(uri_encode(name), uri_encode(value));
  }
  std::ranges::sort(items);
  for (const auto& [name, value] : items) {
    if (&name != &items.front().first) to.push_back('&');
    to.append(name).append("=").append(value);
  }
}

void append_squeezed(std::string& to, std::string_view value) {
  bool space = false;
  for (char c : trimmed(value)) {
    bool is_space = c == ' ' || c == '\t';
    if (!is_space) to.push_back(c);
    if (is_space && !space) to.push_back(' ');
    space = is_space;
  }
}

// Calls `use` with each name of "a;b;c".
template <typename Use>
void each_name(std::string_view names, Use use) {
  for (size_t at = 0; at <= names.size();) {
    size_t end = std::min(names.find(';', at), names.size());
    use(names.substr(at, end - at));
    at = end + 1;
  }
}

void append_headers(std::string& to, const Message& message, std::string_view signed_headers) {
  each_name(signed_headers, [&](std::string_view name) {
    to.append(name).append(":");
    bool first = true;
    for (const http::Header& header : message.headers) {
      if (!same(header.name, name)) continue;
      if (!first) to.push_back(',');
      append_squeezed(to, header.value);
      first = false;
    }
    to.push_back('\n');
  });
}

std::optional<std::chrono::sys_seconds> instant(std::string_view timestamp) {
  if (timestamp.size() != 16 || timestamp[8] != 'T' || timestamp[15] != 'Z') return std::nullopt;
  auto number = [&](size_t at, size_t count) {
    int value = 0;
    for (char c : timestamp.substr(at, count)) value = c >= '0' && c <= '9' && value >= 0 ? value * 10 + (c - '0') : -1;
    return value;
  };
  int year = number(0, 4), month = number(4, 2), day = number(6, 2);
  int hour = number(9, 2), minute = number(11, 2), second = number(13, 2);
  if (std::min({year, month, day, hour, minute, second}) < 0) return std::nullopt;
  std::chrono::year_month_day date{std::chrono::year(year), std::chrono::month(static_cast<unsigned>(month)),
                                   std::chrono::day(static_cast<unsigned>(day))};
  if (!date.ok() || hour > 23 || minute > 59 || second > 60) return std::nullopt;
  return std::chrono::sys_days(date) + std::chrono::hours(hour) + std::chrono::minutes(minute) +
         std::chrono::seconds(second);
}

std::string basic_timestamp(std::chrono::sys_seconds at) {
  return fmt::format("{:%Y%m%dT%H%M%SZ}", fmt::gmtime(at.time_since_epoch().count()));
}

std::expected<void, Refusal> read_scope(Claim& claim) {
  std::vector<std::string_view> parts;
  for (size_t at = 0; at <= claim.credential.size() && parts.size() < 6;) {
    size_t end = std::min(claim.credential.find('/', at), claim.credential.size());
    parts.push_back(claim.credential.substr(at, end - at));
    at = end + 1;
  }
  bool whole = parts.size() == 5 && parts[4] == "aws4_request" && !parts[0].empty() && !parts[3].empty();
  if (!whole) {
    return incomplete(
        fmt::format("Credential must have exactly 5 slash-delimited elements, e.g. "
                    "keyid/date/region/service/term, got '{}'",
                    claim.credential.substr(0, 256)));
  }
  claim.access_key = parts[0];
  claim.date = parts[1];
  claim.region = parts[2];
  claim.service = parts[3];
  return {};
}

std::expected<Claim, Refusal> checked(Claim claim) {
  if (auto scope = read_scope(claim); !scope) return std::unexpected(scope.error());
  if (claim.signature.size() != 64) return bad_signature(std::string(kNotMatching));
  size_t count = 0;
  bool host = false;
  each_name(claim.signed_headers, [&](std::string_view name) {
    ++count;
    host |= name == "host";
  });
  if (count > kMaxSignedHeaders) return incomplete("Too many SignedHeaders.");
  if (!host) return bad_signature("'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.");
  if (!instant(claim.timestamp)) {
    return incomplete(
        fmt::format("Date must be in ISO-8601 'basic format'. Got '{}'. See http://en.wikipedia.org/wiki/ISO_8601",
                    claim.timestamp.substr(0, 64)));
  }
  if (claim.timestamp.substr(0, 8) != claim.date) {
    return bad_signature(
        fmt::format("Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '{}' != "
                    "'{}', from '{}'.",
                    claim.date.substr(0, 64), claim.timestamp.substr(0, 8), claim.timestamp));
  }
  return claim;
}

std::expected<Claim, Refusal> read_header_claim(const Message& message, std::string_view value) {
  Claim claim;
  value = trimmed(value);
  size_t space = std::min(value.find(' '), value.size());
  if (value.substr(0, space) != kAlgorithm) {
    return incomplete(fmt::format("Unsupported AWS 'algorithm': '{}'.", value.substr(0, std::min<size_t>(space, 64))));
  }
  for (size_t at = space; at < value.size();) {
    size_t end = std::min(value.find(',', at), value.size());
    auto item = trimmed(value.substr(at, end - at));
    at = end + 1;
    size_t equals = std::min(item.find('='), item.size());
    auto name = item.substr(0, equals);
    auto text = equals < item.size() ? item.substr(equals + 1) : std::string_view();
    if (name == "Credential") claim.credential = text;
    if (name == "SignedHeaders") claim.signed_headers = text;
    if (name == "Signature") claim.signature = text;
  }
  claim.timestamp = trimmed(header_value(message, "x-amz-date"));
  claim.session_token = trimmed(header_value(message, "x-amz-security-token"));
  std::string missing;
  if (claim.credential.empty()) missing += "Authorization header requires 'Credential' parameter. ";
  if (claim.signature.empty()) missing += "Authorization header requires 'Signature' parameter. ";
  if (claim.signed_headers.empty()) missing += "Authorization header requires 'SignedHeaders' parameter. ";
  if (claim.timestamp.empty()) missing += "Authorization header requires existence of a 'X-Amz-Date' header. ";
  if (!missing.empty()) return incomplete(std::move(missing));
  return checked(std::move(claim));
}

// The first value of a query item, decoded.
std::optional<std::string> query_value(std::string_view query, std::string_view wanted) {
  for (size_t at = 0; at < query.size();) {
    size_t end = std::min(query.find('&', at), query.size());
    auto item = query.substr(at, end - at);
    at = end + 1;
    size_t equals = std::min(item.find('='), item.size());
    if (item.substr(0, equals) != wanted) continue;
    return equals < item.size() ? uri_decode(item.substr(equals + 1)) : std::string();
  }
  return std::nullopt;
}

std::expected<Claim, Refusal> read_query_claim(const Message& message) {
  Claim claim;
  claim.presigned = true;
  auto take = [&](std::string_view name) -> std::string_view {
    auto value = query_value(message.query, name);
    if (!value) return {};
    return claim.decoded.emplace_front(std::move(*value));
  };
  if (auto algorithm = take("X-Amz-Algorithm"); algorithm != kAlgorithm) {
    return incomplete(fmt::format("Unsupported AWS 'algorithm': '{}'.", algorithm.substr(0, 64)));
  }
  claim.credential = take("X-Amz-Credential");
  claim.signed_headers = take("X-Amz-SignedHeaders");
  claim.signature = take("X-Amz-Signature");
  claim.timestamp = take("X-Amz-Date");
  claim.session_token = take("X-Amz-Security-Token");
  auto expires = take("X-Amz-Expires");
  int64_t seconds = 0;
  auto parsed = std::from_chars(expires.data(), expires.data() + expires.size(), seconds);
  bool is_number = !expires.empty() && parsed.ec == std::errc() && parsed.ptr == expires.data() + expires.size();
  bool whole = !claim.credential.empty() && !claim.signed_headers.empty() && !claim.timestamp.empty() && is_number;
  if (!whole) {
    return incomplete(
        "AWS query-string parameters must include 'X-Amz-Algorithm', 'X-Amz-Credential', 'X-Amz-Signature', "
        "'X-Amz-SignedHeaders', 'X-Amz-Expires' and 'X-Amz-Date'.");
  }
  if (seconds < 0 || seconds > kMaxExpires.count()) return incomplete("X-Amz-Expires must be less than 604800 seconds");
  claim.expires = std::chrono::seconds(seconds);
  return checked(std::move(claim));
}

std::expected<void, Refusal> check_time(const Claim& claim, WallTime wall) {
  auto signed_at = *instant(claim.timestamp);
  auto now = std::chrono::floor<std::chrono::seconds>(wall);
  if (signed_at > now + kSkew) {
    return bad_signature(fmt::format("Signature not yet current: {} is still later than {} ({} + 15 min.)",
                                     claim.timestamp, basic_timestamp(now + kSkew), basic_timestamp(now)));
  }
  if (claim.presigned) {
    if (now > signed_at + claim.expires) {
      return bad_signature(fmt::format("Signature expired: {} is now earlier than {}",
                                       basic_timestamp(signed_at + claim.expires), basic_timestamp(now)));
    }
  } else if (signed_at < now - kSkew) {
    return bad_signature(fmt::format("Signature expired: {} is now earlier than {} ({} - 15 min.)", claim.timestamp,
                                     basic_timestamp(now - kSkew), basic_timestamp(now)));
  }
  return {};
}

std::expected<std::string, Refusal> payload_hash(const Message& message) {
  auto said = trimmed(header_value(message, "x-amz-content-sha256"));
  auto encoding = header_value(message, "content-encoding");
  if (said.starts_with("STREAMING-") || encoding.find("aws-chunked") != encoding.npos) {
    return refuse("InvalidRequestException",
                  "aws-chunked request bodies are not accepted here; send the body with its length.");
  }
  if (said == kUnsigned) return std::string(kUnsigned);
  auto computed = hex(message.body_hash ? *message.body_hash : Sha256::of(message.body));
  if (!said.empty() && said != computed) {
    return bad_signature("The provided 'x-amz-content-sha256' header does not match what was computed.");
  }
  return computed;
}

}  // namespace

std::string uri_encode(std::string_view text, std::string_view also_safe) {
  std::string encoded;
  append_encoded(encoded, text, also_safe);
  return encoded;
}

std::string uri_decode(std::string_view text) {
  std::string decoded;
  decoded.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    bool escape = text[i] == '%' && i + 2 < text.size() && hex_value(text[i + 1]) >= 0 && hex_value(text[i + 2]) >= 0;
    if (!escape) {
      decoded.push_back(text[i]);
      continue;
    }
    decoded.push_back(static_cast<char>(hex_value(text[i + 1]) * 16 + hex_value(text[i + 2])));
    i += 2;
  }
  return decoded;
}

std::expected<Claim, Refusal> read_claim(const Message& message) {
  if (std::ranges::count(message.query, '&') >= static_cast<std::ptrdiff_t>(kMaxQueryItems)) {
    return refuse("InvalidRequestException", fmt::format("More than {} query items.", kMaxQueryItems));
  }
  auto authorization = header_value(message, "authorization");
  if (!authorization.empty()) return read_header_claim(message, authorization);
  if (message.query.find("X-Amz-Signature=") != message.query.npos) return read_query_claim(message);
  return refuse("MissingAuthenticationTokenException", "Missing Authentication Token");
}

std::string canonical_request(const Message& message, std::string_view signed_headers, std::string_view payload_hash,
                              std::span<const std::string_view> left_out, bool normalise_path) {
  std::string text;
  text.reserve(1024);
  text.append(message.method).append("\n");
  append_path(text, message.path, normalise_path);
  text.push_back('\n');
  append_query(text, message.query, left_out);
  text.push_back('\n');
  append_headers(text, message, signed_headers);
  text.append("\n").append(signed_headers).append("\n").append(payload_hash);
  return text;
}

std::string string_to_sign(std::string_view canonical, std::string_view timestamp, std::string_view scope) {
  std::string text;
  text.reserve(192);
  text.append(kAlgorithm).append("\n").append(timestamp).append("\n").append(scope).append("\n");
  append_hex(text, Sha256::of(canonical));
  return text;
}

Sha256Digest signing_key(std::string_view secret, std::string_view date, std::string_view region,
                         std::string_view service) {
  auto key = HmacSha256("AWS4" + std::string(secret)).sign(date);
  key = HmacSha256(as_text(key)).sign(region);
  key = HmacSha256(as_text(key)).sign(service);
  return HmacSha256(as_text(key)).sign("aws4_request");
}

const HmacSha256& Verifier::key_for(const Claim& claim, std::string_view secret) {
  auto found = keys_.find(claim.credential);
  if (found != keys_.end() && found->second.secret == secret) return found->second.key;
  if (keys_.size() >= kMaxKeys) keys_.clear();  // dates pass: most are of yesterday
  HmacSha256 key(as_text(signing_key(secret, claim.date, claim.region, claim.service)));
  auto at = keys_.insert_or_assign(std::string(claim.credential), Ready{std::string(secret), key}).first;
  return at->second.key;
}

std::expected<void, Refusal> Verifier::verify(const Message& message, const Claim& claim, std::string_view secret,
                                              WallTime now) {
  if (auto timely = check_time(claim, now); !timely) return timely;
  auto hash = payload_hash(message);
  if (!hash) return std::unexpected(hash.error());
  static constexpr std::string_view kAfterwards[] = {"X-Amz-Signature"};
  std::span<const std::string_view> left_out;
  if (claim.presigned) left_out = kAfterwards;
  auto canonical = canonical_request(message, claim.signed_headers, *hash, left_out);
  auto to_sign = string_to_sign(canonical, claim.timestamp, claim.credential.substr(claim.access_key.size() + 1));
  auto wanted = hex(key_for(claim, secret).sign(to_sign));
  if (CRYPTO_memcmp(wanted.data(), claim.signature.data(), wanted.size()) == 0) return {};
  return bad_signature(
      fmt::format("{}\n\nThe Canonical String for this request should have been\n'{}'\n\nThe String-to-Sign should "
                  "have been\n'{}'\n",
                  kNotMatching, canonical, to_sign));
}

std::vector<std::pair<std::string, std::string>> sign(const Message& message, const Credentials& credentials,
                                                      WallTime now, std::string_view region, std::string_view service) {
  auto timestamp = basic_timestamp(std::chrono::floor<std::chrono::seconds>(now));
  auto date = timestamp.substr(0, 8);
  std::vector<http::Header> headers(message.headers.begin(), message.headers.end());
  headers.push_back({"x-amz-date", timestamp});
  if (!credentials.session_token.empty()) headers.push_back({"x-amz-security-token", credentials.session_token});
  std::vector<std::string> names;
  for (const http::Header& header : headers) {
    std::string name(header.name);
    for (char& c : name) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    names.push_back(std::move(name));
  }
  std::ranges::sort(names);
  auto repeated = std::ranges::unique(names);
  names.erase(repeated.begin(), repeated.end());
  auto signed_headers = fmt::format("{}", fmt::join(names, ";"));
  Message whole = message;
  whole.headers = headers;
  auto canonical = canonical_request(whole, signed_headers, hex(Sha256::of(message.body)));
  auto scope = fmt::format("{}/{}/{}/aws4_request", date, region, service);
  HmacSha256 key(as_text(signing_key(credentials.secret, date, region, service)));
  auto signature = hex(key.sign(string_to_sign(canonical, timestamp, scope)));
  std::vector<std::pair<std::string, std::string>> added{{"X-Amz-Date", timestamp}};
  if (!credentials.session_token.empty()) added.emplace_back("X-Amz-Security-Token", credentials.session_token);
  added.emplace_back("Authorization", fmt::format("{} Credential={}/{}, SignedHeaders={}, Signature={}", kAlgorithm,
                                                  credentials.access_key, scope, signed_headers, signature));
  return added;
}

}  // namespace hearth::sigv4
