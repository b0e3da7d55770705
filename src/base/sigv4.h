// AWS Signature Version 4: reading who claims to have signed a request, checking it, and signing.
//
// Header form (Authorization) and query form (presigned). Paths are normalised (dot segments, doubled slashes) and
// encoded once more than on the wire, as every service but S3 has it. The payload's hash is x-amz-content-sha256 when
// that is there (checked against the body, or UNSIGNED-PAYLOAD), else the body's.
// Refuses, with AWS's code and words: no or incomplete authentication, another algorithm, `host` not signed, a date
// outside of the scope, more than kSkew away or past X-Amz-Expires, aws-chunked bodies, a signature that differs
// (compared in constant time).
//
// Free functions are pure; a Verifier belongs to one thread.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
#pragma once

#include <chrono>
#include <expected>
#include <forward_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/http_server.h"
#include "base/sha256.h"

namespace hearth::sigv4 {

inline constexpr std::chrono::minutes kSkew{15};
inline constexpr std::chrono::seconds kMaxExpires{7 * 24 * 3600};
inline constexpr size_t kMaxSignedHeaders = 64;
inline constexpr size_t kMaxQueryItems = 256;

// What is signed; views.
struct Message {
  std::string_view method;
  std::string_view path;   // as on the wire
  std::string_view query;  // as on the wire
  std::span<const http::Header> headers;
  std::string_view body;
  std::optional<Sha256Digest> body_hash = std::nullopt;  // when it was computed elsewhere
};

// An answer of AWS's: HTTP status, error code, words.
struct Refusal {
  int status = 403;
  std::string code;
  std::string message;
};

// Who claims to have signed, when, for what. Views into the message, or into `decoded`.
struct Claim {
  std::string_view credential;  // all of "AKID/20150830/us-east-1/lambda/aws4_request"
  std::string_view access_key;
  std::string_view date;
  std::string_view region;
  std::string_view service;
  std::string_view signed_headers;  // "host;x-amz-date"
  std::string_view signature;
  std::string_view timestamp;  // 20150830T123600Z
  std::string_view session_token;
  bool presigned = false;
  std::chrono::seconds expires{0};
  std::forward_list<std::string> decoded;
};

std::expected<Claim, Refusal> read_claim(const Message& message);

// `left_out`: query items that were added after signing ("X-Amz-Signature").
std::string canonical_request(const Message& message, std::string_view signed_headers, std::string_view payload_hash,
                              std::span<const std::string_view> left_out = {}, bool normalise_path = true);
std::string string_to_sign(std::string_view canonical, std::string_view timestamp, std::string_view scope);
Sha256Digest signing_key(std::string_view secret, std::string_view date, std::string_view region,
                         std::string_view service);

// Percent-encodes all but A-Z a-z 0-9 - _ . ~ (and '/' when asked).
std::string uri_encode(std::string_view text, std::string_view also_safe = "");
// Undoes %XX; what is not a valid escape stays as it is.
std::string uri_decode(std::string_view text);

class Verifier {
 public:
  static constexpr size_t kMaxKeys = 4096;  // signing keys remembered

  // REQUIRES: `claim` was read from `message`.
  std::expected<void, Refusal> verify(const Message& message, const Claim& claim, std::string_view secret,
                                      WallTime now);
  size_t remembered() const { return keys_.size(); }

 private:
  struct Hash {
    using is_transparent = void;
    size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
  };
  struct Ready {
    std::string secret;
    HmacSha256 key;
  };
  const HmacSha256& key_for(const Claim& claim, std::string_view secret);

  std::unordered_map<std::string, Ready, Hash, std::equal_to<>> keys_;
};

struct Credentials {
  std::string access_key;
  std::string secret;
  std::string session_token;  // "" = none
};

// The headers that sign `message` (which has Host already): X-Amz-Date, X-Amz-Security-Token, Authorization.
std::vector<std::pair<std::string, std::string>> sign(const Message& message, const Credentials& credentials,
                                                      WallTime now, std::string_view region, std::string_view service);

}  // namespace hearth::sigv4
