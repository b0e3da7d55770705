#include "hearth/http_client.h"

#include <gtest/gtest.h>

namespace hearth::cli {
namespace {

HttpReply reply(int status, std::string body) {
  HttpReply made;
  made.status = status;
  made.body = std::move(body);
  return made;
}

TEST(EncodeQuery, PutsNamesInOrderAndEscapesAllButUnreserved) {
  EXPECT_EQ(encode_query({}), "");
  EXPECT_EQ(encode_query({{"b", "x y/+&="}, {"a", "-_.~9"}}), "a=-_.~9&b=x%20y%2F%2B%26%3D");
  EXPECT_EQ(encode_query({{"a", "é"}}), "a=%C3%A9");
}

TEST(ReadReply, GivesTheBodyOrWhatWentWrong) {
  EXPECT_EQ(json::serialize(*read_reply(reply(200, R"({"a":1})"))), R"({"a":1})");
  EXPECT_TRUE(read_reply(reply(204, ""))->get_object().empty());
  EXPECT_EQ(read_reply(reply(200, "<html>")).error().kind, Kind::internal);

  auto missing = read_reply(reply(404, R"({"Message":"Function not found"})"));
  EXPECT_EQ(missing.error().kind, Kind::not_found);
  EXPECT_EQ(missing.error().message, "Function not found");
  EXPECT_EQ(read_reply(reply(403, R"({"message":"no"})")).error().message, "no");
  EXPECT_EQ(read_reply(reply(403, R"({"message":"no\nand a page"})")).error().message, "no");
  EXPECT_EQ(read_reply(reply(502, "bad gateway")).error().message, "hearthd answered with status 502");
}

TEST(HttpClient, RefusesAPathThatItCouldNotSign) {
  HttpRequest request;
  request.path = "/functions/a b";
  EXPECT_EQ(HttpClient("127.0.0.1:1").send({}, request).error().kind, Kind::invalid);
}

TEST(HttpClient, SaysHowToStartADaemonThatIsAway) {
  HttpRequest request;
  request.path = "/";
  auto answer = HttpClient("127.0.0.1:1").send({"key", "secret", "us-east-1", ""}, request);
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().message, "no answer from 127.0.0.1:1 — is hearthd running? (./dev up)");
}

}  // namespace
}  // namespace hearth::cli
