#include "api/ec2/select.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hearth::api::ec2 {
namespace {

using ::testing::ElementsAre;

TEST(Wildcards, StarAnyTextQuestionMarkOneCharacter) {
  EXPECT_TRUE(matches("", ""));
  EXPECT_TRUE(matches("*", ""));
  EXPECT_TRUE(matches("a*c*e", "abcde"));
  EXPECT_TRUE(matches("*ab", "aab"));
  EXPECT_FALSE(matches("a*c", "abcd"));
  EXPECT_TRUE(matches("a?c", "abc"));
  EXPECT_FALSE(matches("a?c", "ac"));
  EXPECT_TRUE(matches("a\\*c", "a*c"));
  EXPECT_FALSE(matches("a\\*c", "abc"));
  EXPECT_FALSE(matches("abc", "ABC"));
  std::string stars;
  for (int i = 0; i < 500; ++i) stars += "a*";
  EXPECT_FALSE(matches(stars + "b", std::string(4000, 'a')));  // and does so at once
}

struct Row {
  std::string id;
  std::string colour;
  vpc::Tags tags;
};

const Kindred<Row> kRows{.id = [](const Row& row) { return row.id; },
                         .tags = [](const Row& row) -> const vpc::Tags& { return row.tags; },
                         .fields = {{"colour", [](const Row& row) { return Values{row.colour}; }}},
                         .ids_parameter = "RowId",
                         .prefix = "row-",
                         .missing_code = "InvalidRow.NotFound",
                         .malformed_code = "InvalidRow.Malformed",
                         .noun = "row"};

class SelectTest : public ::testing::Test {
 protected:
  void SetUp() override {
    for (int i = 1; i <= 7; ++i)
      rows.push_back({"row-" + std::to_string(i), i % 2 ? "red" : "blue", {{"Name", "n" + std::to_string(i)}}});
  }
  // Ids that the form selects, or the error's code.
  std::string of(std::string_view form) {
    auto selection = select(*Param::parse({}, form), rows, kRows);
    if (!selection) return selection.error().code;
    std::string out;
    for (const auto& row : selection->rows) out += row.id.substr(4);
    token = selection->next_token;
    return out;
  }
  std::vector<Row> rows;
  std::string token;
};

TEST_F(SelectTest, IdsThenFilters) {
  EXPECT_EQ(of(""), "1234567");
  EXPECT_EQ(of("RowId.1=row-3&RowId.2=row-2"), "23");
  EXPECT_EQ(of("RowId.1=row-9"), "InvalidRow.NotFound");
  EXPECT_EQ(of("RowId.1=vpc-9"), "InvalidRow.Malformed");
  EXPECT_EQ(of("Filter.1.Name=colour&Filter.1.Value.1=red"), "1357");
  EXPECT_EQ(of("Filter.1.Name=colour&Filter.1.Value.1=r*&Filter.1.Value.2=blue"), "1234567");
  EXPECT_EQ(of("Filter.1.Name=colour&Filter.1.Value.1=red&Filter.2.Name=tag:Name&Filter.2.Value.1=n3"), "3");
  EXPECT_EQ(of("Filter.1.Name=tag-value&Filter.1.Value.1=n4"), "4");
  EXPECT_EQ(of("Filter.1.Name=tag-key&Filter.1.Value.1=Nam"), "");
  EXPECT_EQ(of("Filter.1.Name=size&Filter.1.Value.1=1"), "InvalidParameterValue");
  EXPECT_EQ(of("Filter.1.Name=colour"), "InvalidParameterValue");
}

TEST_F(SelectTest, PagesFollowEachOther) {
  EXPECT_EQ(of("MaxResults=5"), "12345");
  ASSERT_NE(token, "");
  EXPECT_EQ(of("MaxResults=5&NextToken=" + token), "67");
  EXPECT_EQ(token, "");
  EXPECT_EQ(of("MaxResults=4"), "InvalidParameterValue");
  EXPECT_EQ(of("MaxResults=5&RowId.1=row-1"), "InvalidParameterCombination");
  EXPECT_EQ(of("NextToken=x"), "InvalidNextToken");
}

TEST_F(SelectTest, FiltersAreBounded) {
  std::string form;
  for (size_t i = 1; i <= kMaxFilters; ++i)
    form += "Filter." + std::to_string(i) + ".Name=colour&Filter." + std::to_string(i) + ".Value.1=*&";
  EXPECT_EQ(of(form), "1234567");
  EXPECT_EQ(of(form + "Filter.99.Name=colour&Filter.99.Value.1=*"), "FilterLimitExceeded");
  std::string values = "Filter.1.Name=colour";
  for (size_t i = 0; i <= kMaxFilterValues; ++i) values += "&Filter.1.Value." + std::to_string(i) + "=x";
  EXPECT_EQ(of(values), "FilterLimitExceeded");
}

}  // namespace
}  // namespace hearth::api::ec2
