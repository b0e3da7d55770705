#include "api/admin/router.h"

#include <gtest/gtest.h>

#include "api/admin/world_under_test.h"

namespace hearth::api::admin {
namespace {

asio::awaitable<Outcome> echo(Request request) {
  json::array parts(request.parts.begin(), request.parts.end());
  co_return json::value(std::move(parts));
}

asio::awaitable<Outcome> broken(Request) { co_return fail(Kind::exhausted, "enough"); }

class RouterTest : public testing::Test {
 protected:
  RouterTest() {
    router_.add("GET", "things/{thing}", echo);
    router_.add("GET", "things/{thing}/parts/{part}", echo);
    router_.add("POST", "things", broken);
  }
  Reply send(const std::string& method, const std::string& path) {
    Call call;
    call.method = method;
    call.path = path;
    std::optional<Reply> reply;
    asio::co_spawn(loop_, router_.handle(std::move(call)), [&](std::exception_ptr, Reply answer) { reply = answer; });
    loop_.run();
    loop_.restart();
    return *reply;
  }

  asio::io_context loop_;
  Router router_;
};

TEST_F(RouterTest, GivesAHandlerWhatStoodInThePattern) {
  EXPECT_EQ(send("GET", "/_hearth/v1/things/a").body, R"(["a"])");
  EXPECT_EQ(send("GET", "/_hearth/v1/things/a/parts/b").body, R"(["a","b"])");
}

TEST_F(RouterTest, AnswersAnErrorByItsKind) {
  Reply reply = send("POST", "/_hearth/v1/things");
  EXPECT_EQ(reply.status, 429);
  EXPECT_EQ(reply.body, R"({"error":"exhausted","message":"enough"})");
}

TEST_F(RouterTest, TellsUnknownPathsFromUnknownMethods) {
  for (const char* path : {"/_hearth/v1/", "/_hearth/v1/other", "/_hearth/v1/things/", "/_hearth/v2/things/a", "/",
                           "/_hearth/v1/things/a/", "/_hearth/v1/a/b/c/d/e/f/g/h/i"}) {
    EXPECT_EQ(send("GET", path).status, 404) << path;
  }
  EXPECT_EQ(send("DELETE", "/_hearth/v1/things/a").status, 405);
}

TEST(Request, ReadsQueriesWithinTheirLimits) {
  Request request;
  request.call.query = {{"n", "7"}, {"text", "x"}};
  EXPECT_EQ(*request.query_integer("n", 1, 7, 0), 7);
  EXPECT_EQ(*request.query_integer("missing", 1, 7, 3), 3);
  EXPECT_EQ(request.query_integer("n", 1, 6, 0).error().message, "n must be an integer between 1 and 6");
  EXPECT_EQ(request.query_integer("text", 1, 6, 0).error().message, "text must be an integer between 1 and 6");
  EXPECT_TRUE(request.only_query({"n", "text"}));
  EXPECT_EQ(request.only_query({"n"}).error().message, "query parameter text is not known here");
  request.call.body = std::string(kMaxBody, ' ') + "1";
  EXPECT_EQ(request.body().error().message, "JSON text is over 65536 bytes");
}

}  // namespace
}  // namespace hearth::api::admin
