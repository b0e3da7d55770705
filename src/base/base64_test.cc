#include "base/base64.h"

#include <gtest/gtest.h>

namespace hearth {
namespace {

TEST(Base64, GoesThereAndBack) {
  using namespace std::string_literals;
  for (const std::string& bytes : {""s, "f"s, "fo"s, "foo"s, "\0\xff\x80"s}) {
    EXPECT_EQ(base64_decode(base64_encode(bytes)).value(), bytes);
  }
  EXPECT_EQ(base64_encode("fo"), "Zm8=");
}

TEST(Base64, WhatIsNoneIsRefused) {
  for (const char* text : {"Zg", "Zg=", "Z===", "Zm=v", "Zm9v\n", " Zm9", "****"}) {
    EXPECT_EQ(base64_decode(text).error().kind, Kind::invalid) << text;
  }
}

}  // namespace
}  // namespace hearth
