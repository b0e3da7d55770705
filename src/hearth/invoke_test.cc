#include "hearth/invoke.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>

namespace hearth::cli {
namespace {

TEST(Payload, IsTextOrAFileWithinItsLimit) {
  char folder[] = "/tmp/hearth-cli-XXXXXX";
  std::string path = std::string(mkdtemp(folder)) + "/payload";
  EXPECT_EQ(*read_payload(R"({"a":1})"), R"({"a":1})");
  std::ofstream(path, std::ios::binary) << std::string(kMaxPayload, 'x');
  EXPECT_EQ(read_payload("@" + path)->size(), kMaxPayload);
  std::ofstream(path, std::ios::app) << "y";
  EXPECT_EQ(read_payload("@" + path).error().message, "payload is over 6291456 bytes");
  EXPECT_EQ(read_payload("@" + path + ".none").error().kind, Kind::not_found);
  std::filesystem::remove_all(folder);
}

TEST(FunctionError, IsTypeMessageAndTrace) {
  EXPECT_EQ(
      describe_function_error(R"({"errorType":"KeyError","errorMessage":"'a'","stackTrace":["  one\n","  two\n"]})"),
      "KeyError: 'a'\n  one\n  two");
  EXPECT_EQ(describe_function_error(R"({"errorMessage":"only"})"), "only");
  EXPECT_EQ(describe_function_error(R"({"other":1})"), R"({"other":1})");
  EXPECT_EQ(describe_function_error("plain"), "plain");
}

}  // namespace
}  // namespace hearth::cli
