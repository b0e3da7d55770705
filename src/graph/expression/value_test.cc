#include "graph/expression/value.h"

#include <gtest/gtest.h>

#include "graph/expression/json_text.h"
#include "graph/expression/number_text.h"
#include "graph/expression/test_data.h"
#include "graph/expression/utf8.h"

namespace hearth::expression {
namespace {

using testing::json;

TEST(JsonText, KeepsNumberSpellingAndMemberOrder) {
  for (const char* text : {R"({"z":1.0,"a":1,"m":1e3,"b":12345678901234567890,"c":-0.0,"d":1.50,"e":0.1})", "[1E+2,-5]",
                           "1e400", "[]", "{}", R"(["\ud800","a\"\\\n\u0001é😀"])"}) {
    EXPECT_EQ(to_json(json(text)), text);
  }
}

TEST(JsonText, OfARepeatedKeyKeepsTheFirstPlaceAndTheLastValue) {
  EXPECT_EQ(to_json(json(R"({"a":1,"b":2,"a":3})")), R"({"a":3,"b":2})");
  std::string many = "{";
  for (int i = 0; i < 40; ++i) many += "\"k" + std::to_string(i % 20) + "\":" + std::to_string(i) + ",";
  many.back() = '}';
  Value object = json(many);
  ASSERT_EQ(object.size(), 20U);
  EXPECT_EQ(object.members()[0].name(), "k0");
  EXPECT_EQ(object.find("k7")->as_integer(), 27);
  EXPECT_EQ(object.find("k20"), nullptr);
}

TEST(JsonText, RefusesWhatIsNotJson) {
  for (const char* text : {"", "01", "1.", ".5", "+1", "1e", "[1,]", "{\"a\":1,}", "{a:1}", "'a'", "\"\x01\"",
                           "\"\\x\"", "nul", "[1] 2", "\"\xff\"", "\"\\u12\"", "Infinity", "--1"}) {
    EXPECT_FALSE(parse_json_value(text)) << text;
  }
}

TEST(JsonText, RefusesTooMuchAndTooDeep) {
  EXPECT_EQ(parse_json_value("[1,2,3]", 4).error().kind, Kind::exhausted);
  std::string deep(kMaxJsonDepth + 2, '[');
  EXPECT_EQ(parse_json_value(deep).error().kind, Kind::exhausted);
  std::string fits = std::string(kMaxJsonDepth, '[') + std::string(kMaxJsonDepth, ']');
  EXPECT_TRUE(parse_json_value(fits));
}

TEST(Value, TellsIntegersFromFloatsBySpelling) {
  EXPECT_TRUE(json("1").is_integer());
  EXPECT_FALSE(json("1.0").is_integer());
  EXPECT_FALSE(json("1e3").is_integer());
  EXPECT_TRUE(json("123456789012345678901234567890").is_integer());
  EXPECT_EQ(json("123456789012345678901234567890").as_integer(), std::nullopt);
  EXPECT_TRUE(deep_equal(json("[1,{\"a\":2}]"), json("[1.0,{\"a\":2e0}]")));
  EXPECT_FALSE(deep_equal_spelled(json("1"), json("1.0")));
  EXPECT_TRUE(deep_equal_spelled(json("1.50"), json("1.5")));
}

TEST(Value, ComparesObjectsInAnyOrder) {
  EXPECT_TRUE(deep_equal(json(R"({"a":1,"b":[null]})"), json(R"({"b":[null],"a":1})")));
  EXPECT_FALSE(deep_equal(json(R"({"a":1})"), json(R"({"a":1,"b":2})")));
  EXPECT_FALSE(deep_equal(json("[1,2]"), json("[2,1]")));
}

TEST(Value, FreesNestingDeeperThanTheStack) {
  int64_t before = live_bytes();
  {
    Value nested = Value::null();
    for (int i = 0; i < 1'000'000; ++i) nested = Value::array({std::move(nested)});
    EXPECT_EQ(nested.depth(), 1'000'000U);
  }
  EXPECT_EQ(live_bytes(), before);
}

TEST(Value, SharesUntilItIsChanged) {
  Value one = json("[1,2]");
  Value two = one;
  two.push_back(Value::integer(3));
  EXPECT_EQ(to_json(one), "[1,2]");
  EXPECT_EQ(to_json(two), "[1,2,3]");
  Value object = json(R"({"a":1})");
  EXPECT_EQ(to_json(object.with_member("b", Value::null())), R"({"a":1,"b":null})");
  EXPECT_EQ(to_json(object.with_member("a", Value::integer(9))), R"({"a":9})");
  EXPECT_EQ(to_json(object), R"({"a":1})");
}

TEST(Value, ForgetsThatItIsPlainWhenItIsChanged) {
  Value items = json("[1]");
  EXPECT_TRUE(items.is_known_plain());
  EXPECT_FALSE(items.with_marks(kSequence).is_known_plain());
  items.push_back(Value());
  EXPECT_FALSE(items.is_known_plain());
}

TEST(NumberText, PrintsAsJavaScript) {
  const std::pair<double, const char*> cases[] = {{0, "0"},
                                                  {-0.0, "0"},
                                                  {1, "1"},
                                                  {-1.5, "-1.5"},
                                                  {0.1, "0.1"},
                                                  {1e21, "1e+21"},
                                                  {1e20, "100000000000000000000"},
                                                  {123456789012345680000.0, "123456789012345680000"},
                                                  {1e-6, "0.000001"},
                                                  {1e-7, "1e-7"},
                                                  {1.5e-10, "1.5e-10"},
                                                  {9.33262154439441e+155, "9.33262154439441e+155"},
                                                  {5e-324, "5e-324"},
                                                  {0.1 + 0.2, "0.30000000000000004"}};
  for (const auto& [number, text] : cases) EXPECT_EQ(js_number(number), text);
  EXPECT_EQ(round_to_15_digits(0.1 + 0.2), 0.3);
}

TEST(Utf8, OrdersAndCountsLikeUtf16) {
  EXPECT_LT(compare_utf16("😀", "\uFF5E"), 0);  // a pair begins with D83D, below FF5E
  EXPECT_GT("😀", std::string_view("\uFF5E"));
  EXPECT_EQ(count_code_points("é😀"), 2U);
  EXPECT_EQ(count_utf16_units("é😀"), 3U);
  EXPECT_EQ(to_upper("straße é"), "STRASSE É");
  EXPECT_EQ(to_lower("ÀB"), "àb");
}

TEST(JavaText, PrintsMapsAndLists) {
  EXPECT_EQ(to_java_text(json(R"({"Id":"x","L":[1,"a",null,[]],"O":{}})")), "{Id=x, L=[1, a, null, []], O={}}");
}

}  // namespace
}  // namespace hearth::expression
