#include "base/sigv4.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <list>
#include <sstream>

#include "base/json.h"

namespace hearth::sigv4 {
namespace {

std::string data_file(const std::string& name) {
  const char* given = std::getenv("HEARTH_DATA");
  std::string folders[] = {given != nullptr ? given : "", "../shared/data",
                           std::filesystem::path(__FILE__).parent_path().string() + "/../../../shared/data"};
  for (const auto& folder : folders) {
    if (folder.empty()) continue;
    std::ifstream file(folder + "/" + name);
    if (!file) continue;
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
  }
  return "";
}

// A request as the cases write it: lines without \r, header lines that may be folded.
struct Written {
  std::list<std::string> kept;
  std::vector<http::Header> headers;
  std::string method, path, query, body;

  explicit Written(const std::string& text) {
    size_t end_of_head = std::min(text.find("\n\n"), text.size());
    std::stringstream head(text.substr(0, end_of_head));
    if (end_of_head < text.size()) body = text.substr(end_of_head + 2);
    std::string line;
    std::getline(head, line);
    size_t space = line.find(' ');
    method = line.substr(0, space);
    std::string target = line.substr(space + 1, line.rfind(' ') - space - 1);
    path = target.substr(0, target.find('?'));
    if (path.size() < target.size()) query = target.substr(path.size() + 1);
    while (std::getline(head, line)) {
      if (line.starts_with(' ')) {
        kept.back() += line;
        headers.back().value = kept.back();
        continue;
      }
      size_t colon = line.find(':');
      auto& name = kept.emplace_back(line.substr(0, colon));
      auto& value = kept.emplace_back(line.substr(colon + 1));
      headers.push_back({name, value});
    }
  }
  Message message() const { return {method, path, query, headers, body}; }
};

WallTime at(std::string_view timestamp) {  // of the cases: 2015-08-30T12:36:00Z
  EXPECT_EQ(timestamp, "2015-08-30T12:36:00Z");
  return std::chrono::sys_days(std::chrono::year(2015) / 8 / 30) + std::chrono::hours(12) + std::chrono::minutes(36);
}

std::string member(const json::value& value, std::string_view name) {
  return std::string(value.as_object().at(json::string_view(name.data(), name.size())).as_string());
}

struct Case {
  json::value value;
  std::string name() const { return member(value, "name"); }
  json::object context() const { return value.at("context").as_object(); }
  bool normalise() const { return context().at("normalize").as_bool(); }
  std::string secret() const { return std::string(context().at("credentials").at("secret_access_key").as_string()); }
};

void check_form(const Case& one, const std::string& form, Verifier& verifier) {
  Written written(member(one.value, form + "-signed-request"));
  auto claim = read_claim(written.message());
  ASSERT_TRUE(claim) << one.name() << ": " << claim.error().message;
  EXPECT_EQ(claim->signature, member(one.value, form + "-signature"));
  auto context = one.context();
  const auto* omit = context.if_contains("omit_session_token");
  bool omits_token = omit != nullptr && omit->as_bool();
  std::vector<std::string_view> left_out{"X-Amz-Signature"};
  if (omits_token) left_out.push_back("X-Amz-Security-Token");
  auto canonical = canonical_request(written.message(), claim->signed_headers, hex(Sha256::of(written.body)), left_out,
                                     one.normalise());
  EXPECT_EQ(canonical, member(one.value, form + "-canonical-request")) << one.name();
  auto to_sign = string_to_sign(canonical, claim->timestamp, "20150830/us-east-1/service/aws4_request");
  EXPECT_EQ(to_sign, member(one.value, form + "-string-to-sign")) << one.name();
  HmacSha256 key(as_text(signing_key(one.secret(), "20150830", "us-east-1", "service")));
  EXPECT_EQ(hex(key.sign(to_sign)), claim->signature) << one.name();
  bool verifiable =
      (one.normalise() || canonical.find("/.") == canonical.npos) && canonical.find("//") == canonical.npos;
  if (!verifiable || (omits_token && form == "query")) return;
  auto verified =
      verifier.verify(written.message(), *claim, one.secret(), at(member(one.value.at("context"), "timestamp")));
  EXPECT_TRUE(verified) << one.name() << " " << form << ": " << verified.error().message;
}

TEST(SigV4, agrees_with_the_recorded_cases) {
  std::string text = data_file("sigv4/cases.json");
  if (text.empty()) GTEST_SKIP() << "no sigv4/cases.json in $HEARTH_DATA or ../shared/data";
  auto cases = json::parse(text).as_array();
  EXPECT_EQ(cases.size(), 38u);
  Verifier verifier;
  for (const auto& value : cases) {
    check_form(Case{value}, "header", verifier);
    check_form(Case{value}, "query", verifier);
  }
  EXPECT_EQ(verifier.remembered(), 1u);
}

class SignedRequest : public testing::Test {
 protected:
  static constexpr std::string_view kSecret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
  WallTime now_ = at("2015-08-30T12:36:00Z");
  std::list<std::string> kept_;
  std::vector<http::Header> headers_{{"Host", "127.0.0.1:9120"}};
  Message message_{"POST", "/2015-03-31/functions/arn%3Aaws%3Alambda/invocations", "Qualifier=%24LATEST", {}, "{}"};
  Verifier verifier_;

  void sign_it() {
    message_.headers = headers_;
    for (auto& [name, value] : sign(message_, {"AKIDEXAMPLE", std::string(kSecret), ""}, now_, "us-east-1", "lambda")) {
      headers_.push_back({kept_.emplace_back(name), kept_.emplace_back(value)});
    }
    message_.headers = headers_;
  }
  void set(std::string_view name, std::string_view value) {
    for (auto& header : headers_) {
      if (header.name == name) header.value = value;
    }
  }
  Refusal refusal(std::string_view secret = kSecret) {
    auto claim = read_claim(message_);
    if (!claim) return claim.error();
    auto verified = verifier_.verify(message_, *claim, secret, now_);
    return verified ? Refusal{200, "", ""} : verified.error();
  }
};

TEST_F(SignedRequest, passes_as_signed) {
  sign_it();
  EXPECT_EQ(refusal().code, "");
  auto claim = read_claim(message_);
  EXPECT_EQ(claim->access_key, "AKIDEXAMPLE");
  EXPECT_EQ(claim->service, "lambda");
}

TEST_F(SignedRequest, fails_with_another_secret_and_shows_what_was_expected) {
  sign_it();
  EXPECT_EQ(refusal("another").code, "InvalidSignatureException");
  // An escape on the wire is escaped once more in what is signed.
  EXPECT_NE(refusal("another").message.find("arn%253Aaws"), std::string::npos);
  EXPECT_EQ(refusal().code, "");  // the key of the wrong secret was not kept for the right one
}

TEST_F(SignedRequest, fails_when_any_signed_part_differs) {
  sign_it();
  auto whole = message_;
  message_.body = "{ }";
  EXPECT_EQ(refusal().code, "InvalidSignatureException");
  message_ = whole;
  message_.query = "Qualifier=1";
  EXPECT_EQ(refusal().code, "InvalidSignatureException");
  message_ = whole;
  message_.method = "PUT";
  EXPECT_EQ(refusal().code, "InvalidSignatureException");
  message_ = whole;
  set("Host", "elsewhere");
  EXPECT_EQ(refusal().code, "InvalidSignatureException");
}

TEST_F(SignedRequest, holds_for_a_quarter_of_an_hour_either_way) {
  sign_it();
  auto signed_at = now_;
  now_ = signed_at + kSkew;
  EXPECT_EQ(refusal().code, "");
  now_ = signed_at - kSkew;
  EXPECT_EQ(refusal().code, "");
  now_ = signed_at + kSkew + std::chrono::seconds(1);
  EXPECT_EQ(refusal().message,
            "Signature expired: 20150830T123600Z is now earlier than 20150830T123601Z (20150830T125101Z - 15 min.)");
  now_ = signed_at - kSkew - std::chrono::seconds(1);
  EXPECT_EQ(refusal().message,
            "Signature not yet current: 20150830T123600Z is still later than 20150830T123559Z (20150830T122059Z + 15 "
            "min.)");
}

TEST_F(SignedRequest, checks_the_declared_payload_hash) {
  headers_.push_back({"x-amz-content-sha256", "UNSIGNED-PAYLOAD"});
  message_.headers = headers_;
  sign_it();
  EXPECT_NE(refusal().code, "");  // signed over the body's hash, declared as unsigned
  set("x-amz-content-sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD");
  EXPECT_EQ(refusal().code, "InvalidRequestException");
  set("x-amz-content-sha256", "0123");
  EXPECT_NE(refusal().message.find("does not match what was computed"), std::string::npos);
}

TEST_F(SignedRequest, is_refused_when_its_authentication_is_missing_or_incomplete) {
  message_.headers = headers_;
  EXPECT_EQ(refusal().code, "MissingAuthenticationTokenException");
  EXPECT_EQ(refusal().message, "Missing Authentication Token");
  sign_it();
  struct {
    std::string authorization, code;
  } cases[] = {
      {"Bearer abc", "IncompleteSignatureException"},
      {"AWS4-HMAC-SHA256", "IncompleteSignatureException"},
      {"AWS4-HMAC-SHA256 Credential=a, SignedHeaders=host, Signature=b", "IncompleteSignatureException"},
      {"AWS4-HMAC-SHA256 Credential=a/20150830/r/s/aws4_request, SignedHeaders=host, Signature=b",
       "InvalidSignatureException"},
      {"AWS4-HMAC-SHA256 Credential=a/20150830/r/s/aws4_request, SignedHeaders=x-amz-date, Signature=" +
           std::string(64, 'a'),
       "InvalidSignatureException"},
      {"AWS4-HMAC-SHA256 Credential=a/20150829/r/s/aws4_request, SignedHeaders=host, Signature=" + std::string(64, 'a'),
       "InvalidSignatureException"},
  };
  for (const auto& one : cases) {
    set("Authorization", one.authorization);
    EXPECT_EQ(refusal().code, one.code) << one.authorization;
  }
}

TEST_F(SignedRequest, refuses_more_query_items_than_it_would_sign) {
  std::string query(kMaxQueryItems, '&');
  message_.query = query;
  EXPECT_EQ(refusal().code, "InvalidRequestException");
}

TEST(SigV4, forgets_old_keys_rather_than_grow) {
  Verifier verifier;
  auto now = at("2015-08-30T12:36:00Z");
  for (size_t i = 0; i <= Verifier::kMaxKeys; ++i) {
    std::vector<http::Header> headers{{"Host", "x"}};
    Message message{"GET", "/", "", headers, ""};
    auto added = sign(message, {fmt::format("AKID{}", i), "s", ""}, now, "r", "lambda");
    for (auto& [name, value] : added) headers.push_back({name, value});
    message.headers = headers;
    auto claim = read_claim(message);
    ASSERT_TRUE(claim);
    ASSERT_TRUE(verifier.verify(message, *claim, "s", now));
    ASSERT_LE(verifier.remembered(), Verifier::kMaxKeys);
  }
}

TEST(UriCoding, keeps_what_is_unreserved_and_what_is_no_escape) {
  EXPECT_EQ(uri_encode("a-_.~/ $é"), "a-_.~%2F%20%24%C3%A9");
  EXPECT_EQ(uri_encode("a/b", "/"), "a/b");
  EXPECT_EQ(uri_decode("%24LATEST%2f+%zz%4"), "$LATEST/+%zz%4");
}

TEST(HmacSha256Test, agrees_with_rfc_4231) {
  EXPECT_EQ(hex(HmacSha256("Jefe").sign("what do ya want for nothing?")),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  EXPECT_EQ(hex(HmacSha256(std::string(131, '\xaa')).sign("Test Using Larger Than Block-Size Key - Hash Key First")),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

}  // namespace
}  // namespace hearth::sigv4
