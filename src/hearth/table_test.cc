#include "hearth/table.h"

#include <gtest/gtest.h>

namespace hearth::cli {
namespace {

json::value parse(std::string_view text) { return *parse_json(text, 10'000); }

TEST(Table, AlignsWordsLeftNumbersRightAndPadsNoLastWord) {
  Table table({"NAME", "COUNT", "STATE"});
  table.add({"a", "5", "ok"});
  table.add({"longer", "", ""});
  EXPECT_EQ(table.text(),
            "NAME    COUNT  STATE\n"
            "a           5  ok\n"
            "longer      -  -\n");
}

TEST(Table, CountsCodePointsAndAlignsALastNumber) {
  Table table({"N", "MS"});
  table.add({"é…", "1.50"});
  table.add({"abc", "-10.25"});
  EXPECT_EQ(table.text(),
            "N        MS\n"
            "é…     1.50\n"
            "abc  -10.25\n");
}

TEST(Table, AlignsAColumnWithoutAnyValueLeft) {
  Table table({"A", "LONG", "B"});
  table.add({"1", "", "x"});
  EXPECT_EQ(table.text(), "A  LONG  B\n1  -     x\n");
}

TEST(Table, ShowsHeadingsWithoutRows) { EXPECT_EQ(Table({"A", "B"}).text(), "A  B\n"); }

TEST(Cells, ShowPlainValuesAndFollowPaths) {
  auto value = parse(R"({"a":{"b":"text","n":3,"f":1.234,"t":true,"z":null,"l":[1]}})");
  EXPECT_EQ(cell(value, "a.b"), "text");
  EXPECT_EQ(cell(value, "a.n"), "3");
  EXPECT_EQ(cell(value, "a.f"), "1.234");
  EXPECT_EQ(cell(value, "a.t"), "yes");
  EXPECT_EQ(cell(value, "a.z"), "");
  EXPECT_EQ(cell(value, "a.l"), "[1]");
  EXPECT_EQ(cell(value, "a.missing"), "");
  EXPECT_EQ(cell(value, "a.b.deeper"), "");
}

TEST(JsonForPeople, ShowsPairsTablesAndNestedParts) {
  EXPECT_EQ(text_of_json(parse(R"({"total":7,"runtimes":{"python3.11":{"warm":4,"max":64}},"list":[{"id":"x"}]})")),
            "total  7\n"
            "\nruntimes\n"
            "NAME        WARM  MAX\n"
            "python3.11     4   64\n"
            "\nlist\n"
            "ID\n"
            "x\n");
  EXPECT_EQ(text_of_json(parse(R"([{"in_use":1},{"idle":2}])")),
            "IN USE  IDLE\n"
            "     1     -\n"
            "     -     2\n");
  EXPECT_EQ(text_of_json(parse("[]")), "[]\n");
  EXPECT_EQ(text_of_json(parse("{}")), "");
}

TEST(Counters, HaveAColumnAGroupAndNoRowOfZeros) {
  EXPECT_EQ(
      text_of_counters(parse(R"({"gateway":{"in":0,"lost":0},"subnet-1":{"in":12,"lost":0,"own":3}})").get_object()),
      "COUNTER  gateway  subnet-1\n"
      "in             0        12\n"
      "own            -         3\n");
  EXPECT_EQ(text_of_counters(parse(R"({"gateway":{"in":0}})").get_object()), "COUNTER  gateway\n(all are zero)\n");
}

TEST(Units, AreTheLargestThatFit) {
  EXPECT_EQ(bytes(1023), "1023 B");
  EXPECT_EQ(bytes(1536), "1.5 KiB");
  EXPECT_EQ(bytes(5LL << 30), "5.0 GiB");
  EXPECT_EQ(bytes(5000LL << 30), "5000.0 GiB");
  EXPECT_EQ(duration(59), "59 s");
  EXPECT_EQ(duration(61), "1 min 1 s");
  EXPECT_EQ(duration(3660), "1 h 1 min");
  EXPECT_EQ(duration(93'784), "1 d 2 h 3 min");
}

}  // namespace
}  // namespace hearth::cli
