#include "graph/expression/encoding.h"

#include <gtest/gtest.h>

#include "graph/expression/regex.h"
#include "graph/expression/utf8.h"

namespace hearth::expression {
namespace {

TEST(Encoding, Base64) {
  for (const auto& [plain, encoded] :
       {std::pair("", ""), {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"}, {"\xff\xfe", "//4="}}) {
    EXPECT_EQ(encode_base64(plain), encoded);
    EXPECT_EQ(decode_base64(encoded), plain);
  }
  for (const char* malformed : {"Zg", "Zg=", "Z===", "Zm9v!", "Z g="})
    EXPECT_EQ(decode_base64(malformed), std::nullopt) << malformed;
  EXPECT_EQ(decode_base64_leniently("Zm 9v\n-_"), "foo\xfb");
}

TEST(Encoding, PercentEscapes) {
  EXPECT_EQ(percent_encode("a b/é?", kUriComponentKept), "a%20b%2F%C3%A9%3F");
  EXPECT_EQ(percent_encode("a b/é?", kUriKept), "a%20b/%C3%A9?");
  EXPECT_EQ(percent_encode("\xED\xA0\x80", kUriKept), std::nullopt);  // half of a pair
  EXPECT_EQ(percent_decode("a%20b%2F%C3%A9", ""), "a b/é");
  EXPECT_EQ(percent_decode("a%20b%2F", kUriReserved), "a b%2F");
  for (const char* malformed : {"%", "%2", "%zz", "%C3", "%C3%28", "%ff", "%ED%A0%80", "%E0%A4%A"}) {
    EXPECT_EQ(percent_decode(malformed, ""), std::nullopt) << malformed;
  }
}

TEST(Encoding, RandomOfJava) {
  JavaRandom random(42);
  EXPECT_EQ(random.next_int(10), 0);
  EXPECT_EQ(random.next_int(10), 3);
  EXPECT_EQ(random.next_int(10), 8);
  EXPECT_EQ(JavaRandom(42).next_double(), 0.7275636800328681);
}

TEST(Encoding, RepairsWhatIsNotUtf8) {
  EXPECT_EQ(repaired_utf8("a\xff\xED\xA0\x80z"), "a\uFFFD\uFFFDz");
  EXPECT_FALSE(is_utf8("a\xff"));
  EXPECT_FALSE(is_utf8("\xC3"));
  EXPECT_TRUE(is_utf8("é\uFFFD😀"));
}

TEST(Regex, IsBounded) {
  EXPECT_FALSE(Regex::compile(std::string(Regex::kMaxPatternBytes + 1, 'a'), {}));
  EXPECT_FALSE(Regex::compile(std::string(200, '(') + std::string(200, ')'), {}));
  auto costly = Regex::compile("^(a|a)*$", {});
  EXPECT_EQ(costly->find(std::string(40, 'a') + "b", 0, 1000).error().kind, Kind::exhausted);
}

TEST(Regex, FollowsJavaScript) {
  auto first = [](std::string_view pattern, std::string_view subject) {
    auto match = Regex::compile(pattern, {})->find(subject, 0, 10'000);
    return *match ? std::string(subject.substr((*match)->begin, (*match)->end - (*match)->begin)) : std::string("none");
  };
  EXPECT_EQ(first("a$", "a\n"), "none");  // $ is the very end
  EXPECT_EQ(first("[^]", "\n"), "\n");    // an empty negated class is any character
  EXPECT_EQ(first("[]", "a"), "none");
  EXPECT_EQ(first("\\u0061b", "ab"), "ab");
  EXPECT_EQ(first("(b)?a\\1", "a"), "a");  // an unset group matches nothing
  EXPECT_EQ(first(".+", "ab\rcd"), "ab");
}

}  // namespace
}  // namespace hearth::expression
