#include "base/json.h"

#include <gtest/gtest.h>

namespace hearth {
namespace {

std::string error_of(std::string_view text, auto read) {
  auto value = parse_json(text, 1000);
  if (!value) return value.error().message;
  auto reader = FieldReader::of(*value, "m");
  if (!reader) return reader.error().message;
  auto result = read(*reader);
  return result ? "" : result.error().message;
}

TEST(Json, ReadsFieldsAndNamesWhatIsWrong) {
  EXPECT_EQ(error_of(R"({"a":"x"})", [](auto& r) { return r.text("a", 1); }), "");
  EXPECT_EQ(error_of(R"({"a":"xy"})", [](auto& r) { return r.text("a", 1); }), "m.a is over 1 bytes");
  EXPECT_EQ(error_of(R"({})", [](auto& r) { return r.text("a", 1); }), "m.a is missing");
  EXPECT_EQ(error_of(R"({"n":7})", [](auto& r) { return r.integer("n", 1, 6); }), "m.n must be between 1 and 6");
  EXPECT_EQ(error_of(R"({"n":1.0})", [](auto& r) { return r.integer("n", 1, 6); }), "m.n must be an integer");
  EXPECT_EQ(error_of(R"({"l":[1]})", [](auto& r) { return r.texts_or_none("l", 2, 3); }), "m.l must hold strings");
  EXPECT_EQ(error_of(R"({"l":["a","b","c"]})", [](auto& r) { return r.texts_or_none("l", 2, 3); }),
            "m.l has over 2 items");
}

TEST(Json, RefusesUnknownMembersDepthAndSize) {
  EXPECT_EQ(error_of(R"({"z":1})", [](auto& r) { return r.finish(); }), "m.z is not known");
  EXPECT_EQ(error_of("[]", [](auto& r) { return r.finish(); }), "m must be an object");
  EXPECT_FALSE(parse_json(std::string(40, '[') + std::string(40, ']'), 1000));
  EXPECT_FALSE(parse_json("[1] 2", 1000));
  EXPECT_EQ(parse_json("[1]", 2).error().message, "JSON text is over 2 bytes");
}

}  // namespace
}  // namespace hearth
