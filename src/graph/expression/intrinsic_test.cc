#include "graph/expression/intrinsic.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "graph/expression/test_data.h"

namespace hearth::expression {
namespace {

using testing::json;

// The result as JSON, or the message of the error.
std::string call(std::string_view text, std::string_view input = "{}") {
  auto intrinsic = Intrinsic::compile(text);
  if (!intrinsic) return "refused: " + intrinsic.error().message;
  Value document = json(input);
  Value context = json(R"({"State":{"Name":"P"},"StateMachine":{"Id":"arn","Name":"m"}})");
  Value variable = json("4.3");
  PathScope scope{document, context, [&](std::string_view name) { return name == "bias" ? &variable : nullptr; }};
  auto value = intrinsic->evaluate(scope, [] { return uint64_t{0x0123456789ABCDEF}; });
  return value ? to_json(*value) : value.error().message;
}

std::string invalid(std::string_view name) { return "Invalid arguments in States." + std::string(name); }

TEST(Intrinsic, Format) {
  EXPECT_EQ(call("States.Format('Hello {}, {}!', $.name, 1.0)", R"({"name":"Bob"})"), R"("Hello Bob, 1.0!")");
  EXPECT_EQ(call("States.Format('{} {} {}', null, true, '')"), R"("null true ")");
  EXPECT_EQ(call("States.Format('{}', $$.StateMachine)"), R"("{Id=arn, Name=m}")");
  EXPECT_EQ(call("States.Format('{}', States.Array(1, 'a'))"), R"("[1, a]")");
  EXPECT_EQ(call(R"(States.Format('it\'s \{{}\} \\', 1))"), R"("it's {1} \\")");
  EXPECT_EQ(call("States.Format($.t, 'Foo')", R"({"t":"n={} \\{\\}"})"), R"("n=Foo {}")");
  EXPECT_EQ(call("States.Format('no')"), R"("no")");
  EXPECT_EQ(call("States.Format('{}')"),
            "Invalid arguments in States.Format: number of arguments do not match the occurrences of {}.");
  EXPECT_EQ(call("States.Format('{', 1)"), "Invalid template in States.Format: matching '}' not found for '{'.");
  EXPECT_EQ(call("States.Format('}', 1)"), "Invalid template in States.Format: matching '{' not found for '}'.");
  EXPECT_EQ(call("States.Format(5)"), invalid("Format"));
}

TEST(Intrinsic, Json) {
  EXPECT_EQ(call(R"(States.StringToJson('{"a": 1.0}'))"), R"({"a":1.0})");
  EXPECT_EQ(call("States.StringToJson('{')"), "Invalid arguments in States.StringToJson");
  EXPECT_EQ(call(R"(States.StringToJson('\{'))"), invalid("StringToJson"));
  EXPECT_EQ(call("States.StringToJson($)"), invalid("StringToJson"));
  EXPECT_EQ(call("States.JsonToString($)", R"({"b": 1.0, "a": [ ]})"), R"("{\"b\":1.0,\"a\":[]}")");
  EXPECT_EQ(call("States.JsonMerge($.x, $.y, false)", R"({"x":{"a":1,"b":1},"y":{"b":2,"c":3}})"),
            R"({"a":1,"b":2,"c":3})");
  EXPECT_EQ(call("States.JsonMerge($, $, true)"), invalid("JsonMerge"));
  EXPECT_EQ(call("States.JsonMerge($, 1, false)"), invalid("JsonMerge"));
}

TEST(Intrinsic, Arrays) {
  const char* input = R"({"a":[1,2,3,4,5],"d":[1,1.0,"1",1,{"a":1,"b":2},{"b":2,"a":1},null,null,[1],[1]]})";
  EXPECT_EQ(call("States.Array()"), "[]");
  EXPECT_EQ(call("States.Array($.a, 'x', -1.5, false, null)", input), R"([[1,2,3,4,5],"x",-1.5,false,null])");
  EXPECT_EQ(call("States.ArrayPartition($.a, 2)", input), "[[1,2],[3,4],[5]]");
  EXPECT_EQ(call("States.ArrayPartition($.a, 2.9)", input), "[[1,2],[3,4],[5]]");  // cut off, not rounded
  for (const char* size : {"0", "0.6", "-1", "'2'", "null"}) {
    EXPECT_EQ(call("States.ArrayPartition($.a, " + std::string(size) + ")", input), invalid("ArrayPartition")) << size;
  }
  EXPECT_EQ(call("States.ArrayContains($.a, 5)", input), "true");
  EXPECT_EQ(call("States.ArrayContains($.a, 5.0)", input), "false");
  EXPECT_EQ(call("States.ArrayContains('a', 5)", input), invalid("ArrayContains"));
  EXPECT_EQ(call("States.ArrayRange(1, 9, 2)"), "[1,3,5,7,9]");
  EXPECT_EQ(call("States.ArrayRange(5.4, -0.6, -2.4)"), "[5,3,1]");
  EXPECT_EQ(call("States.ArrayRange(5, 1, 1)"), "[]");
  EXPECT_EQ(call("States.ArrayRange(1, 2, 0.49)"), invalid("ArrayRange"));
  EXPECT_EQ(call("States.ArrayRange(1, 1001, 1)"), invalid("ArrayRange"));
  EXPECT_EQ(call("States.ArrayLength(States.ArrayRange(1, 1000, 1))"), "1000");
  EXPECT_EQ(call("States.ArrayGetItem($.a, 4)", input), "5");
  EXPECT_EQ(call("States.ArrayGetItem($.a, 5)", input), invalid("ArrayGetItem"));
  EXPECT_EQ(call("States.ArrayGetItem($.a, -1)", input), invalid("ArrayGetItem"));
  EXPECT_EQ(call("States.ArrayLength('abc')"), invalid("ArrayLength"));
  EXPECT_EQ(call("States.ArrayUnique($.d)", input), R"([1,1.0,"1",{"a":1,"b":2},null,[1]])");
}

TEST(Intrinsic, TextAndDigests) {
  EXPECT_EQ(call("States.StringSplit('1.2,3', '.,')"), R"(["1","2","3"])");
  EXPECT_EQ(call("States.StringSplit(', , ,', ',')"), R"([" "," "])");
  EXPECT_EQ(call("States.StringSplit('', ',')"), "[]");
  EXPECT_EQ(call("States.StringSplit('abc', '')"), R"(["abc"])");
  EXPECT_EQ(call("States.StringSplit('Hello\nWorld', '\n')"), R"(["Hello","World"])");
  EXPECT_EQ(call("States.Base64Encode('Data to encode é')"), R"("RGF0YSB0byBlbmNvZGUgw6k=")");
  EXPECT_EQ(call("States.Base64Decode('RGF0YSB0byBlbmNvZGUgw6k=')"), R"("Data to encode é")");
  EXPECT_EQ(call("States.Base64Decode('/w==')"), "\"\uFFFD\"");
  EXPECT_EQ(call("States.Base64Decode('a')"), invalid("Base64Decode"));
  EXPECT_EQ(call("States.Hash('input', 'SHA-1')"), R"("140f86aae51ab9e1cda9b4254fe98a74eb54c1a1")");
  EXPECT_EQ(call("States.Hash('input', 'CRC')"), invalid("Hash"));
  std::string limit = R"({"s":")" + std::string(kMaxIntrinsicText, 'a') + R"("})";
  std::string beyond = R"({"s":")" + std::string(kMaxIntrinsicText + 1, 'a') + R"("})";
  EXPECT_EQ(call("States.Hash($.s, 'MD5')", limit), R"("0d0c9c4db6953fee9e03f528cafd7d3e")");
  EXPECT_EQ(call("States.Hash($.s, 'MD5')", beyond), invalid("Hash"));
  EXPECT_EQ(call("States.Base64Encode($.s)", beyond), invalid("Base64Encode"));
}

TEST(Intrinsic, NumbersAndRandomness) {
  EXPECT_EQ(call("States.MathAdd(111, -1)"), "110");
  EXPECT_EQ(call("States.MathAdd(59, $bias)"), "63");
  EXPECT_EQ(call("States.MathAdd(2147483647, 1)"), invalid("MathAdd"));
  EXPECT_EQ(call("States.MathAdd('1', 1)"), invalid("MathAdd"));
  EXPECT_EQ(call("States.MathRandom(1, 1)"), invalid("MathRandom"));
  EXPECT_EQ(call("States.MathRandom(1, 'b')"), invalid("MathRandom"));
  EXPECT_EQ(call("States.MathRandom(5, 6)"), "5");
  EXPECT_EQ(call("States.MathRandom(0, 10, 42)"), "0");  // java.util.Random(42).nextInt(10)
  EXPECT_EQ(call("States.MathRandom(-1000000, 1000000, 1)"), call("States.MathRandom(-1000000, 1000000, 1)"));
  EXPECT_EQ(call("States.UUID()"), R"("01234567-89ab-4def-8123-456789abcdef")");
}

TEST(Intrinsic, NamesThePathThatFindsNothing) {
  EXPECT_EQ(call("States.Format('{}', States.Format('{}', $.nope))", R"({"other":1})"),
            "The function 'States.Format('{}', States.Format('{}', $.nope))' had the following error: The JsonPath "
            "argument for the field '$.nope' could not be found in the input '{\"other\":1}'");
  EXPECT_EQ(
      call("States.Format('{}',$.items[5])", R"({"items":[1]})"),
      "The function 'States.Format('{}',$.items[5])' had the following error: The JsonPath argument for the field "
      "'$.items[5]' could not be found in the input '{\"items\":[1]}'");
  EXPECT_EQ(
      call("States.Format('{}', $.other[0])", R"({"other":1})"),
      "The function 'States.Format('{}', $.other[0])' had the following error: Filter: [0] can only be applied to "
      "arrays. Current context is: 1");
  EXPECT_EQ(call("States.Format('{}', $$.Nope.Deep)", R"({"other":1})"),
            "The function 'States.Format('{}', $$.Nope.Deep)' had the following error: The JsonPath argument for the "
            "field '$.Nope.Deep' could not be found in the input '{\"other\":1}'");
  EXPECT_EQ(call("States.ArrayLength($.items[*].nope)", R"({"items":[1,2]})"), "0");
}

TEST(Intrinsic, RefusesWhatIsNoCall) {
  for (const char* text : {"States.Nope()", "States.Array", "States.Array(", "States.Array(1,)", "States.Array(,)",
                           "States.Array(1) x", "States.Array('a)", R"(States.Array('\n'))", "States.Array([1])",
                           "States.Array({})", "States.Array(\"a\")", "States.UUID(1)", "States.ArrayRange(1, 5)",
                           "States.MathRandom(1, 10, 5, 99)", "States.Array(abc)", "$.a", "States.Array($.a..)"}) {
    EXPECT_THAT(call(text), ::testing::StartsWith("refused: ")) << text;
  }
}

TEST(Intrinsic, BoundsNestingTextAndResults) {
  auto nested = [](size_t depth) {
    std::string text = "1";
    for (size_t i = 0; i < depth; ++i) text = "States.Array(" + text + ")";
    return text;
  };
  EXPECT_EQ(call(nested(kMaxIntrinsicNesting)), "[[[[[[[[[[1]]]]]]]]]]");
  EXPECT_THAT(call(nested(kMaxIntrinsicNesting + 1)), ::testing::StartsWith("refused: "));
  EXPECT_FALSE(Intrinsic::compile("States.Array('" + std::string(kMaxIntrinsicBytes, 'a') + "')"));
  std::string many = "States.Array(1";
  for (size_t i = 0; i < kMaxIntrinsicArguments; ++i) many += ",1";
  EXPECT_FALSE(Intrinsic::compile(many + ")"));
  std::string input = R"({"s":")" + std::string(100'000, 'a') + R"("})";
  std::string big =
      "States.Format('{}{}{}{}', States.Format('{}{}{}{}{}{}{}{}{}{}', $.s,$.s,$.s,$.s,$.s,$.s,$.s,$.s,$.s,$.s)";
  for (int i = 0; i < 3; ++i) big += ", States.Format('{}{}{}{}{}{}{}{}{}{}', $.s,$.s,$.s,$.s,$.s,$.s,$.s,$.s,$.s,$.s)";
  std::string bigger = "States.Array(" + big + ")," + big + ")," + big + ")," + big + ")," + big + "))";
  EXPECT_EQ(call(bigger, input), "the intrinsic function builds too much");
}

}  // namespace
}  // namespace hearth::expression
