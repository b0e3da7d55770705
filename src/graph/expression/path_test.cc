#include "graph/expression/path.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "graph/expression/test_data.h"

namespace hearth::expression {
namespace {

using testing::json;

const char* const kStore = R"({
  "book": [
    {"category": "reference", "author": "Rees", "price": 8.95, "isbn": null},
    {"category": "fiction", "author": "Waugh", "price": 12.99, "tags": ["a", "b"]},
    {"category": "fiction", "author": "Melville", "price": 8.99, "isbn": "0-553", "tags": []}],
  "bicycle": {"color": "red", "price": 19.95},
  "limit": 10, "a.b": 1, "none": null})";

// The result as JSON, or the message of the error.
std::string read(std::string_view text, std::string_view input = kStore, PastEnd past_end = PastEnd::is_error) {
  auto path = Path::compile(text);
  if (!path) return "refused: " + path.error().message;
  Value document = json(input);
  Value context = json(R"({"Execution":{"Id":"x"}})");
  Value variable = json(R"({"k":[1,2]})");
  PathScope scope{document, context, [&](std::string_view name) { return name == "v" ? &variable : nullptr; }};
  auto value = path->read(scope, past_end);
  return value ? to_json(*value) : value.error().message;
}

TEST(Path, ReadsDefinitePathsAsTheirOneValue) {
  EXPECT_EQ(read("$.bicycle.color"), R"("red")");
  EXPECT_EQ(read("$['bicycle'][\"color\"]"), R"("red")");
  EXPECT_EQ(read("$.book[1].author"), R"("Waugh")");
  EXPECT_EQ(read("$.book[-1].author"), R"("Melville")");
  EXPECT_EQ(read("$['a.b']"), "1");
  EXPECT_EQ(read("$.none"), "null");
  EXPECT_EQ(read("$", "[1, 2.0]"), "[1,2.0]");
  EXPECT_EQ(read("$[0]", "[7]"), "7");
  EXPECT_EQ(read("$.bicycle['color','price']"), R"({"color":"red","price":19.95})");
  EXPECT_EQ(read("$.book-x", R"({"book-x":1})"), "1");
}

TEST(Path, ReadsTheContextAndVariables) {
  EXPECT_EQ(read("$$.Execution.Id"), R"("x")");
  EXPECT_EQ(read("$$"), R"({"Execution":{"Id":"x"}})");
  EXPECT_EQ(read("$v.k[1]"), "2");
  EXPECT_EQ(read("$v"), R"({"k":[1,2]})");
  EXPECT_EQ(read("$w.k"), "the variable '$w' is not assigned");
}

TEST(Path, NamesAMissAsJaywayDoes) {
  EXPECT_EQ(read("$.no"), "No results for path: $['no']");
  EXPECT_EQ(read("$.no.such"), "Missing property in path $['no']");
  EXPECT_EQ(read("$.bicycle.no.such.path"), "Missing property in path $['bicycle']['no']");
  EXPECT_EQ(read("$.book[9]"), "No results for path: $['book'][9]");
  EXPECT_EQ(read("$.limit[0]"), "Filter: [0] can only be applied to arrays. Current context is: 10");
  EXPECT_EQ(read("$.none[0]"), "The path $['none'] is null");
  EXPECT_THAT(read("$.limit.x"),
              ::testing::StartsWith("Expected to find an object with property ['x'] in path $['limit'] "
                                    "but found 'java.lang.Integer'."));
  Value empty = json("{}");
  EXPECT_EQ(Path::compile("$.no")->read({empty, empty, nullptr}).error().kind, Kind::not_found);
}

TEST(Path, GivesNullPastTheEndWhereAsked) {
  EXPECT_EQ(read("$.book[9]", kStore, PastEnd::is_null), "null");
  EXPECT_EQ(read("$.book[9].author", kStore, PastEnd::is_null), "No results for path: $['book'][9]['author']");
  EXPECT_EQ(read("$.no", kStore, PastEnd::is_null), "No results for path: $['no']");
}

TEST(Path, GivesAnArrayForWhatMayBeMany) {
  EXPECT_EQ(read("$.book[*].author"), R"(["Rees","Waugh","Melville"])");
  EXPECT_EQ(read("$.book.*.author"), R"(["Rees","Waugh","Melville"])");
  EXPECT_EQ(read("$.book[0,2].author"), R"(["Rees","Melville"])");
  EXPECT_EQ(read("$.book[*].isbn"), R"([null,"0-553"])");
  EXPECT_EQ(read("$.bicycle.*"), R"(["red",19.95])");
  EXPECT_EQ(read("$..author"), R"(["Rees","Waugh","Melville"])");
  EXPECT_EQ(read("$.bicycle..price"), "[19.95]");
  EXPECT_EQ(read("$..tags[0]"), R"(["a"])");
  EXPECT_EQ(read("$.d..a", R"({"d":{"x":{"a":[1,2]}}})"), "[[1,2]]");
  EXPECT_EQ(read("$.d..a[*]", R"({"d":{"x":{"a":[1,2]}}})"), "[1,2]");
  EXPECT_EQ(read("$..*", R"({"a":[1]})"), "[[1],1]");
}

TEST(Path, GivesNoneWhereNothingMatches) {
  for (const char* path :
       {"$[*]", "$.items[:1]", "$.item.items[*]", "$.item.items[1:5]", "$.items[*].x", "$..no", "$.no[?(@.a)]"}) {
    EXPECT_EQ(read(path, "{}"), "[]") << path;
  }
}

TEST(Path, Slices) {
  EXPECT_EQ(read("$[1:3]", "[0,1,2,3,4]"), "[1,2]");
  EXPECT_EQ(read("$[:2]", "[0,1,2,3,4]"), "[0,1]");
  EXPECT_EQ(read("$[3:]", "[0,1,2,3,4]"), "[3,4]");
  EXPECT_EQ(read("$[-2:]", "[0,1,2,3,4]"), "[3,4]");
  EXPECT_EQ(read("$[:-2]", "[0,1,2,3,4]"), "[0,1,2]");
  EXPECT_EQ(read("$[-9:]", "[0,1]"), "[0,1]");
  EXPECT_EQ(read("$[7:9]", "[0,1]"), "[]");
  EXPECT_EQ(read("$[0:1]", "[0,1]"), "[0]");
}

TEST(Path, Filters) {
  EXPECT_EQ(read("$.book[?(@.price < 10)].author"), R"(["Rees","Melville"])");
  EXPECT_EQ(read("$.book[?(@.price < $.limit)].author"), R"(["Rees","Melville"])");
  EXPECT_EQ(read("$.book[?(@.category == 'fiction' && @.price > 10)].author"), R"(["Waugh"])");
  EXPECT_EQ(read("$.book[?(@.author == \"Rees\" || @.author == 'Waugh')].price"), "[8.95,12.99]");
  EXPECT_EQ(read("$.book[?(!(@.category == 'fiction'))].author"), R"(["Rees"])");
  EXPECT_EQ(read("$.book[?(@.isbn)].author"), R"(["Rees","Melville"])");  // null is there
  EXPECT_EQ(read("$.book[?(!@.isbn)].author"), R"(["Waugh"])");
  EXPECT_EQ(read("$.book[?(@.author =~ /.*E.*/i)].author"), R"(["Rees","Melville"])");
  EXPECT_EQ(read("$.book[?(@.author =~ /Ree/)].author"), "[]");  // the whole text
  EXPECT_EQ(read("$.book[?(@.author in ['Rees', 'Waugh'])].author"), R"(["Rees","Waugh"])");
  EXPECT_EQ(read("$.book[?(@.author nin ['Rees'])].author"), R"(["Waugh","Melville"])");
  EXPECT_EQ(read("$.book[?(@.tags contains 'a')].author"), R"(["Waugh"])");
  EXPECT_EQ(read("$.book[?(@.tags empty true)].author"), R"(["Melville"])");
  EXPECT_EQ(read("$.book[?(@.tags size 2)].author"), R"(["Waugh"])");
  EXPECT_EQ(read("$.book[?(@.tags subsetof ['a','b','c'])].author"), R"(["Waugh","Melville"])");
  EXPECT_EQ(read("$.book[?(@.tags.length() == 2)].author"), R"(["Waugh"])");
  EXPECT_EQ(read("$[?(@ > 2)]", "[1,2,3]"), "[3]");
  EXPECT_EQ(read("$[?(@.v == 1)]", R"([{"v":1},{"v":1.0},{"v":"1"},{"v":true}])"), R"([{"v":1},{"v":1.0},{"v":"1"}])");
  EXPECT_EQ(read("$[?(@.v === 1)]", R"([{"v":1},{"v":"1"}])"), R"([{"v":1}])");
  EXPECT_EQ(read("$[?(@.v != 1)]", R"([{"v":2},{}])"), R"([{"v":2},{}])");
  EXPECT_EQ(read("$..[?(@.price > 15)].color"), R"(["red"])");
}

TEST(Path, Functions) {
  EXPECT_EQ(read("$.book.length()"), "3");
  EXPECT_EQ(read("$.bicycle.keys()"), R"(["color","price"])");
  EXPECT_EQ(read("$.n.sum()", R"({"n":[1,2,3.5]})"), "6.5");
  EXPECT_EQ(read("$.n.avg()", R"({"n":[1,2,3]})"), "2");
  EXPECT_EQ(read("$.n.min()", R"({"n":[3,1,2]})"), "1");
  EXPECT_EQ(read("$..price.max()"), "19.95");
  EXPECT_EQ(read("$.n.stddev()", R"({"n":[1,3]})"), "1");
  EXPECT_EQ(read("$.n.first()", R"({"n":[3,1,2]})"), "3");
  EXPECT_EQ(read("$.n.index(-1)", R"({"n":[3,1,2]})"), "2");
  EXPECT_EQ(read("$.n.append(4)", R"({"n":[3]})"), "[3,4]");
  EXPECT_EQ(read("$.concat($.a, '-', $.b)", R"({"a":"x","b":"y"})"), R"("x-y")");
  EXPECT_EQ(read("$.sum($.a, $.b)", R"({"a":1,"b":2})"), "3");
  EXPECT_EQ(read("$.no.length()"), "Missing property in path $['no']");
  EXPECT_EQ(read("$.none.sum()"), "Aggregation function attempted to calculate value using empty array");
}

TEST(Path, KeepsBackslashesThatEscapeNothing) {
  EXPECT_EQ(read(R"($['Test\""Name"'])", R"({"Test\\\"\"Name\"": 1})"), "1");
  EXPECT_EQ(read(R"($['it\'s'])", R"({"it's": 2})"), "2");
}

TEST(Path, RefusesWhatIsNoPath) {
  for (const char* path : {"",
                           "a",
                           "$.",
                           "$..",
                           "$...a",
                           "$.a..",
                           "$[",
                           "$[]",
                           "$['a'",
                           "$['a]",
                           "$[a]",
                           "$.a b",
                           "@.a",
                           "$[1:2:3]",
                           "$[:]",
                           "$[?]",
                           "$[?()]",
                           "$[?(@.a ==)]",
                           "$[?(@.a == b)]",
                           "$[?(1)]",
                           "$.a.nope()",
                           "$$$",
                           "$[?(@.a =~ /(/)]",
                           "$ .a"}) {
    EXPECT_THAT(read(path), ::testing::StartsWith("refused: ")) << path;
  }
}

TEST(Path, BoundsItsTextAndItsSteps) {
  EXPECT_FALSE(Path::compile("$." + std::string(kMaxPathBytes, 'a')));
  std::string steps = "$";
  for (size_t i = 0; i <= kMaxPathTokens; ++i) steps += ".a";
  EXPECT_EQ(Path::compile(steps).error().kind, Kind::exhausted);
  std::string filter = "$[?(" + std::string(100, '(') + "@.a" + std::string(100, ')') + ")]";
  EXPECT_EQ(Path::compile(filter).error().kind, Kind::exhausted);
  Value nested = json("[1]");
  for (int i = 0; i < 60; ++i) nested = Value::array({nested, nested});
  auto read = Path::compile("$..*")->read({nested, nested, nullptr});
  EXPECT_EQ(read.error().kind, Kind::exhausted);
}

TEST(Path, KnowsReferencesAndDefiniteness) {
  EXPECT_TRUE(Path::compile("$.a['b'][0]")->is_reference());
  EXPECT_TRUE(Path::compile("$$.Map.Item.Value")->is_reference());
  for (const char* path :
       {"$.a[*]", "$..a", "$.a[0,1]", "$.a[:1]", "$.a[?(@.b)]", "$['a','b']", "$.a.length()", "$.a[-1]"}) {
    EXPECT_FALSE(Path::compile(path)->is_reference()) << path;
  }
  EXPECT_TRUE(Path::compile("$.a[-1]")->is_definite());
  EXPECT_FALSE(Path::compile("$.a[0:1]")->is_definite());
  EXPECT_EQ(Path::compile("$v.k")->variable(), "v");
}

std::string write(std::string_view text, std::string_view document, std::string_view value = "true") {
  auto path = ReferencePath::compile(text);
  if (!path) return "refused: " + path.error().message;
  auto written = path->write(json(document), json(value));
  return written ? to_json(*written) : written.error().message;
}

TEST(ReferencePath, WritesInPlaceOrAtTheEnd) {
  EXPECT_EQ(write("$", R"({"a":1})"), "true");
  EXPECT_EQ(write("$.b", R"({"a":1.0})"), R"({"a":1.0,"b":true})");
  EXPECT_EQ(write("$.a", R"({"a":1,"b":2})"), R"({"a":true,"b":2})");
  EXPECT_EQ(write("$.x.y.z", R"({"a":1})"), R"({"a":1,"x":{"y":{"z":true}}})");
  EXPECT_EQ(write("$.x.y", R"({"x":{"z":0}})"), R"({"x":{"z":0,"y":true}})");
  EXPECT_EQ(write("$[1].payload", R"([{"a":1},{"id":7},4])"), R"([{"a":1},{"id":7,"payload":true},4])");
  EXPECT_EQ(write("$['a b']", "{}"), R"({"a b":true})");
}

TEST(ReferencePath, RefusesWhatIsInTheWay) {
  EXPECT_EQ(write("$.a", "[1]"), R"(Unable to apply step "a" to input [1])");
  EXPECT_EQ(write("$.a.b", R"({"a":5})"), R"(Unable to apply step "b" to input {"a":5})");
  EXPECT_EQ(write("$.a[3]", R"({"a":[5]})"), R"(Unable to apply step "3" to input {"a":[5]})");
  EXPECT_EQ(write("$.a[0]", "{}"), R"(Unable to apply step "0" to input {})");
  EXPECT_EQ(write("$.a", "null"), R"(Unable to apply step "a" to input null)");
}

TEST(ReferencePath, RefusesWhatNamesNoOnePlace) {
  for (const char* path : {"$.a[*]", "$..a", "$$.a", "$v.a", "$.a[0:1]", "a", "$.a[?(@.b)]", "$.a.length()"}) {
    EXPECT_THAT(write(path, "{}"), ::testing::StartsWith("refused: ")) << path;
  }
}

}  // namespace
}  // namespace hearth::expression
