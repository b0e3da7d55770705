#include "graph/expression/jsonata.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "graph/expression/fault.h"
#include "graph/expression/test_data.h"

namespace hearth::expression {
namespace {

using testing::json;

Surroundings surroundings() {
  Surroundings given;
  given.now_ms = 1'577'836'800'123;  // 2020-01-01T00:00:00.123Z
  given.random = [n = uint64_t{0}]() mutable { return n += 0x9E3779B97F4A7C15ULL; };
  return given;
}

Result<Value> evaluate(std::string_view text, const Value& input = {}, const Surroundings& given = surroundings()) {
  auto compiled = Jsonata::compile(text);
  if (!compiled) return std::unexpected(compiled.error());
  return compiled->evaluate(input, {}, given);
}

// The result as JSON, "undefined", or the code or text of the error.
std::string result_of(std::string_view text, std::string_view input = "null",
                      const Surroundings& given = surroundings()) {
  auto result = evaluate(text, json(input), given);
  if (result) return result->is_undefined() ? "undefined" : to_json(*result);
  std::string_view code = error_code(result.error());
  return code.empty() ? result.error().message : std::string(code);
}

TEST(Jsonata, ReadsVariablesWithoutARoot) {
  auto compiled = Jsonata::compile("$states.input.items[price > 10].name");
  ASSERT_TRUE(compiled);
  Value states = json(R"({"input":{"items":[{"name":"a","price":5},{"name":"b","price":15}]}})");
  std::pair<std::string_view, Value> bindings[] = {{"states", states}};
  EXPECT_EQ(to_json(*compiled->evaluate(Value(), bindings, surroundings())), R"("b")");
  EXPECT_EQ(compiled->free_variables(), std::vector<std::string>{"states"});
}

TEST(Jsonata, KeepsSpellingOfNumbersItPassesOn) {
  EXPECT_EQ(result_of("a", R"({"a":1.0})"), "1.0");
  EXPECT_EQ(result_of("{'x': a, 'y': a + 1}", R"({"a":1.0})"), R"({"x":1.0,"y":2})");
  EXPECT_EQ(result_of("$sum(a)", R"({"a":[1.5,1.5]})"), "3");
  EXPECT_EQ(result_of("[a]", R"({"a":12345678901234567890})"), "[12345678901234567890]");
}

TEST(Jsonata, KeepsMemberOrder) {
  EXPECT_EQ(result_of("{'z': 1, 'a': 2, '10': 3, '9': 4}"), R"({"z":1,"a":2,"10":3,"9":4})");
}

TEST(Jsonata, NamesWhatIsWrongAsTheReferenceDoes) {
  auto failed = evaluate("1 + 'a'");
  EXPECT_EQ(failed.error().message, R"(T2002: The right side of the "+" operator must evaluate to a number)");
  EXPECT_EQ(failed.error().kind, Kind::invalid);
  EXPECT_EQ(evaluate("$sum(['a'])").error().message,
            R"(T0412: Argument 1 of function "sum" must be an array of "numbers")");
  EXPECT_EQ(evaluate("$abs('a')").error().message,
            R"(T0410: Argument 1 of function "abs" does not match function signature)");
  EXPECT_EQ(evaluate("a[1,2)").error().message, R"(S0202: Expected "]", got ",")");
  EXPECT_EQ(evaluate("1 < 'a'").error().message,
            R"(T2009: The values 1 and "a" either side of operator "<" must be of the same data type)");
  EXPECT_EQ(error_text(evaluate("1 +").error()), "Unexpected end of expression");
}

TEST(Jsonata, HasNoEval) { EXPECT_EQ(result_of("$eval('1+1')"), "T1006"); }

TEST(Jsonata, AddsTheFunctionsOfStepFunctions) {
  EXPECT_EQ(result_of("$partition([1,2,3,4,5], 2)"), "[[1,2],[3,4],[5]]");
  EXPECT_EQ(result_of("$partition([1,2,3], 2.9)"), "[[1,2],[3]]");
  EXPECT_EQ(result_of("$partition([1], 0)"), "D3137");
  EXPECT_EQ(result_of("$range(0, 10, 3)"), "[0,3,6,9]");
  EXPECT_EQ(result_of("$range(5, 1, -2)"), "[5,3,1]");
  EXPECT_EQ(result_of("$range(1, 9, 9)"), "1");
  EXPECT_EQ(result_of("$range(1, 2, 0)"), "D3137");
  EXPECT_EQ(result_of("$hash('input', 'SHA-1')"), R"("140f86aae51ab9e1cda9b4254fe98a74eb54c1a1")");
  EXPECT_EQ(result_of("$hash('input', 'SHA-2')"), "D3137");
  EXPECT_EQ(result_of("$random(42)"), "0.7275636800328681");  // java.util.Random's
  EXPECT_EQ(result_of("$parse('{\"a\":1.0,\"b\":[]}')"), R"({"a":1.0,"b":[]})");
  EXPECT_EQ(result_of("$parse('{')"), "D3137");
  EXPECT_THAT(result_of("$uuid()"),
              ::testing::MatchesRegex("\"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}\""));
}

TEST(Jsonata, TakesTimeAndRandomnessFromOutside) {
  EXPECT_EQ(result_of("$now()"), R"("2020-01-01T00:00:00.123Z")");
  EXPECT_EQ(result_of("$millis()"), "1577836800123");
  EXPECT_EQ(result_of("$toMillis('13:45', '[H]:[m]') ~> $fromMillis()"), R"("2020-01-01T13:45:00.000Z")");
  EXPECT_EQ(result_of("$random() < 1 and $random() >= 0"), "true");
  Surroundings without = surroundings();
  without.random = nullptr;
  EXPECT_EQ(evaluate("$random()", {}, without).error().kind, Kind::internal);
}

TEST(Jsonata, BoundsDepth) {
  Surroundings given = surroundings();
  given.limits.depth = 100;
  auto failed = evaluate("($f := function($n) { $n + $f($n - 1) }; $f(5))", {}, given);
  EXPECT_EQ(failed.error().kind, Kind::exhausted);
  EXPECT_THAT(failed.error().message, ::testing::StartsWith("Stack overflow error"));
  EXPECT_EQ(error_code(failed.error()), "");
  EXPECT_EQ(result_of("($f := function($n) { $n = 0 ? 'end' : $f($n - 1) }; $f(10000))", "null", given), R"("end")");
}

TEST(Jsonata, BoundsDepthOfItsText) {
  std::string nested = std::string(5000, '(') + "1" + std::string(5000, ')');
  EXPECT_EQ(Jsonata::compile(nested).error().kind, Kind::exhausted);
  std::string sum = "1";
  for (int i = 0; i < 5000; ++i) sum += "+1";
  EXPECT_EQ(Jsonata::compile(sum).error().kind, Kind::exhausted);
  std::string long_text = "'" + std::string(kMaxExpressionBytes, 'a') + "'";
  EXPECT_EQ(Jsonata::compile(long_text).error().kind, Kind::exhausted);
}

TEST(Jsonata, BoundsSteps) {
  Surroundings given = surroundings();
  given.limits.steps = 10'000;
  auto failed = evaluate("($f := function() { $f() }; $f())", {}, given);
  EXPECT_EQ(failed.error().kind, Kind::exhausted);
  EXPECT_THAT(failed.error().message, ::testing::HasSubstr("infinite loop"));
}

TEST(Jsonata, AsksForItsDeadline) {
  Surroundings given = surroundings();
  int asked = 0;
  given.expired = [&] { return ++asked == 3; };
  EXPECT_EQ(evaluate("($f := function() { $f() }; $f())", {}, given).error().kind, Kind::timeout);
  EXPECT_EQ(asked, 3);
}

TEST(Jsonata, BoundsMemory) {
  Surroundings given = surroundings();
  given.limits.bytes = 1 << 20;
  for (const char* bomb : {
           "[1..1000000]",
           "$pad('x', 1e12)",
           "$pad('x', 5e6)",
           "($p := function($s, $n) { $n = 0 ? $s : $p($s & $s, $n - 1) }; $p('x', 40))",
           "($p := function($s, $n) { $n = 0 ? $s : $p([$s, $s], $n - 1) }; $p(['x'], 40))",
           "$reduce([1..200], function($a, $b) { $append($a, $a) }, [1])",
           "$join([1..20000].('xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx'))",
           "$replace($pad('a', 100000, 'a'), 'a', $pad('b', 1000, 'b'))",
           "$replace($pad('a', 1000, 'a'), /a/, $pad('b', 10000, 'b'))",
           "[1..5000].[1..5000]",
           "$reduce([1..40], function($v, $i) { $v ~> |$|{'b': $, 'c': $}| }, {'a': 1})",
       }) {
    auto failed = evaluate(bomb, {}, given);
    ASSERT_FALSE(failed) << bomb;
    EXPECT_EQ(failed.error().message, "Expression evaluation memory limit exceeded: Check for excessive memory usage")
        << bomb;
  }
}

TEST(Jsonata, BoundsNestingOfValues) {
  auto failed = evaluate("($f := function($v, $n) { $n = 0 ? $v : $f([[$v]], $n - 1) }; $f(1, 5000))");
  EXPECT_EQ(failed.error().kind, Kind::exhausted);
}

TEST(Jsonata, BoundsBacktracking) {
  auto failed = evaluate("$contains($pad('', 60, 'a') & 'b', /^(a|aa|a*)*$/)");
  EXPECT_EQ(failed.error().kind, Kind::exhausted);
}

TEST(Jsonata, FreesWhatItBuilt) {
  int64_t before = live_bytes();
  // A function that its own frame holds: a cycle, unless evaluation breaks it.
  EXPECT_EQ(result_of("($f := function($n) { $n = 0 ? 0 : $f($n - 1) }; $g := [$f, {'f': $f}]; $f(3))"), "0");
  EXPECT_EQ(result_of("$map([1..100], function($x) { ($h := function() { $h }; $x) }) ~> $sum()"), "5050");
  EXPECT_EQ(result_of("($f := function() { $f }; $error('stop'))"), "D3137");
  EXPECT_EQ(live_bytes(), before);
}

TEST(Jsonata, HandsOutPlainJson) {
  EXPECT_EQ(result_of("[1/0, {'k': -1/0}]"), R"(["Infinity",{"k":"-Infinity"}])");
  EXPECT_EQ(result_of("{'f': $sum}"), R"({"f":""})");
  EXPECT_EQ(evaluate("$sum").error().kind, Kind::invalid);
  auto sequence = evaluate("[1..3]");
  EXPECT_EQ(sequence->marks(), 0);
}

TEST(Jsonata, TransformLeavesItsInputAlone) {
  Value input = json(R"({"a":{"n":1},"b":[{"n":2},{"n":3}]})");
  auto result = evaluate("$ ~> |**[$exists(n)]|{'n': n * 10, 'self': $}, 'gone'|", input);
  EXPECT_EQ(to_json(*result), R"({"a":{"n":10,"self":{"n":1}},"b":[{"n":20,"self":{"n":2}},{"n":30,"self":{"n":3}}]})");
  EXPECT_EQ(to_json(input), R"({"a":{"n":1},"b":[{"n":2},{"n":3}]})");
  EXPECT_EQ(result_of("$ ~> |a|{}, ['n','x']|", R"({"a":{"n":1,"m":2}})"), R"({"a":{"m":2}})");
  // What a transform's own expressions keep is not open to the next one.
  EXPECT_EQ(result_of("($ ~> |a|($kept := $; {'n': 2})|; $kept)", R"({"a":{"n":1}})"), "undefined");
  EXPECT_EQ(result_of("($x := {'n': 1}; $ ~> |$x|{'n': 2}|; $x)", "{}"), R"({"n":1})");
}

TEST(Jsonata, TellsItsFreeVariables) {
  auto names = [](std::string_view text) { return Jsonata::compile(text)->free_variables(); };
  using Names = std::vector<std::string>;
  EXPECT_EQ(names("$a + $sum($b.c[$d > 1])"), (Names{"a", "b", "d"}));
  EXPECT_EQ(names("($x := 1; $x + $y)"), Names{"y"});
  EXPECT_EQ(names("($x + ($x := 1))"), Names{"x"});
  EXPECT_EQ(names("$map($list, function($v, $i) { $v + $i + $o })"), (Names{"list", "o"}));
  EXPECT_EQ(names("$states.a@$e#$i.b[$e.id = $i].{'x': $e, 'y': $z}"), (Names{"states", "z"}));
  EXPECT_EQ(names("$$.a & $.b"), Names{});
}

TEST(Jsonata, MatchesUnicodeByUtf16Position) {
  EXPECT_EQ(result_of("$match('é😀ab', /a(b)/)"), R"({"match":"ab","index":3,"groups":["b"]})");
  EXPECT_EQ(result_of("$substring('é😀ab', 1, 2)"), R"("😀a")");
  EXPECT_EQ(result_of("$split('é😀a', '')"), R"(["é","😀","a"])");
  EXPECT_EQ(result_of("$replace('a😀b', /😀/, '$0$0')"), R"("a😀😀b")");
  EXPECT_EQ(result_of("'\\ud83d\\ude00' = '😀'"), "true");
}

TEST(Jsonata, RefusesRegularExpressionsItCannotRead) {
  EXPECT_EQ(error_code(Jsonata::compile("/(/").error()), "S0302");
  EXPECT_EQ(error_code(Jsonata::compile("/a{2,1}/").error()), "S0303");
  EXPECT_EQ(error_code(Jsonata::compile("//").error()), "S0301");
}

TEST(Jsonata, BoundsRangesAndPictures) {
  EXPECT_EQ(result_of("[1..10000001]"), "D2014");
  EXPECT_EQ(result_of("$range(1, 10000001)"), "D2014");
  EXPECT_EQ(result_of("$length($fromMillis(0, '[Y,999999999]'))"), "1000");
  EXPECT_EQ(result_of("$length($formatNumber(1, $pad('0.', 3000, '0')))"), "3000");
  EXPECT_EQ(result_of("$toMillis('1', '[Y0001-" + std::string(100, '(') + "]')"), "undefined");
}

TEST(Jsonata, SurvivesWhatTheReferenceLoopsOn) {
  EXPECT_EQ(result_of("$formatNumber(0, '0.0e0')"), R"("0.0e0")");
  EXPECT_EQ(result_of("$formatNumber(-1234, '0.0e0')"), R"("-1.2e3")");
  EXPECT_EQ(result_of("$fromMillis(1e300)"), "D1001");
  EXPECT_EQ(result_of("$formatInteger(1e300, 'I')"), "D1001");
}

}  // namespace
}  // namespace hearth::expression
