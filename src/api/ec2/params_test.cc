#include "api/ec2/params.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hearth::api::ec2 {
namespace {

using ::testing::ElementsAre;

std::string code_of(std::string_view form) {
  auto params = Param::parse({}, form);
  return params ? "" : params.error().code;
}

TEST(Params, FormIsATree) {
  auto params = *Param::parse({{"Action", "X"}}, "Filter.1.Name=a%20b+c&Filter.1.Value.1=%C3%A9&&Empty=&Bare");
  EXPECT_EQ(params["Action"].text(), "X");
  EXPECT_EQ(params["Filter"]["1"]["Name"].text(), "a b c");
  EXPECT_EQ(params["Filter"]["1"]["Value"]["1"].text(), "\xc3\xa9");
  EXPECT_TRUE(params["Empty"].given());
  EXPECT_TRUE(params["Bare"].given());
  EXPECT_FALSE(params["Filter"]["2"]["Name"].given());
}

TEST(Params, ItemsAreInTheOrderOfTheirNumbers) {
  auto params = *Param::parse({}, "Id.10=c&Id.2=b&Id.1=a&Id.x=no");
  EXPECT_THAT(params["Id"].texts(), ElementsAre("a", "b", "c"));
}

TEST(Params, RefusesWhatIsMalformed) {
  for (auto form : {"a=%", "a=%4", "a=%zz", "=x", "a=1&a=2", "a.1.2.3.4.5.6.7.8=x"})
    EXPECT_EQ(code_of(form), "MalformedQueryString") << form;
  EXPECT_EQ(code_of("a.1.2.3.4.5.6.7=x"), "");
  for (auto form : {"a=%00", "a=%1b", "a=%ff", "a=%c0%80", "a=%ed%a0%80", "a=%f4%90%80%80", "a=%ef%bf%bf", "a=%e2%82"})
    EXPECT_EQ(code_of(form), "InvalidParameterValue") << form;
  EXPECT_EQ(code_of("a=%f0%9f%94%a5%0a"), "");
}

TEST(Params, IsBounded) {
  EXPECT_EQ(code_of(std::string(Param::kMaxKey, 'k') + "=" + std::string(Param::kMaxValue, 'v')), "");
  EXPECT_EQ(code_of(std::string(Param::kMaxKey + 1, 'k') + "=v"), "MalformedQueryString");
  EXPECT_EQ(code_of("k=" + std::string(Param::kMaxValue + 1, 'v')), "MalformedQueryString");
  EXPECT_EQ(code_of(std::string(Param::kMaxBody + 1, '&')), "MalformedQueryString");
  std::string many;
  for (size_t i = 0; i < Param::kMaxParams; ++i) many += "k" + std::to_string(i) + "=&";
  EXPECT_EQ(code_of(many), "");
  EXPECT_EQ(code_of(many + "one=more"), "MalformedQueryString");
}

TEST(Params, ValuesAreReadByTypeAndRange) {
  auto params = *Param::parse({}, "n=7&t=true&s=abc&e=");
  EXPECT_EQ(*params["n"].integer("n", 1, 9, 0), 7);
  EXPECT_EQ(*params["none"].integer("n", 1, 9, 5), 5);
  EXPECT_EQ(params["n"].integer("n", 8, 9, 0).error().code, "InvalidParameterValue");
  EXPECT_EQ(params["s"].integer("s", 8, 9, 0).error().code, "InvalidParameterValue");
  EXPECT_TRUE(*params["t"].flag("t", false));
  EXPECT_FALSE(params["s"].flag("s", false));
  EXPECT_EQ(params["e"].required("e").error().code, "MissingParameter");
}

}  // namespace
}  // namespace hearth::api::ec2
