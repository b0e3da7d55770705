#include "http_response.h"

#include <gtest/gtest.h>

#include <string>

namespace hearth::shim {
namespace {

TEST(ParseHead, ReadsAnInvocation) {
  std::string text =
      "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nlambda-runtime-aws-request-id: 8476a536\r\n"
      "Lambda-Runtime-Deadline-Ms:1542409706888 \r\nLambda-Runtime-Invoked-Function-Arn: arn:aws:lambda:x\r\n"
      "Lambda-Runtime-Trace-Id: Root=1-5\r\nCONTENT-LENGTH: 2\r\n\r\n";
  const std::string received = text + "{}";  // the head's fields are views into it
  ResponseHead head;
  ASSERT_EQ(parse_head(received, head), static_cast<long>(text.size()));
  EXPECT_EQ(head.status, 200);
  EXPECT_EQ(head.content_length, 2U);
  EXPECT_EQ(head.request_id, "8476a536");
  EXPECT_EQ(head.deadline_ms, "1542409706888");
  EXPECT_EQ(head.function_arn, "arn:aws:lambda:x");
  EXPECT_EQ(head.trace_id, "Root=1-5");
  EXPECT_EQ(head.content_type, "application/json");
  EXPECT_EQ(head.client_context.data(), nullptr);
  EXPECT_FALSE(head.closes);
}

TEST(ParseHead, AsksForMoreUntilTheEmptyLine) {
  std::string text = "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n";
  ResponseHead head;
  for (size_t size = 0; size < text.size(); ++size) EXPECT_EQ(parse_head(text.substr(0, size), head), 0) << size;
  EXPECT_EQ(parse_head(text, head), static_cast<long>(text.size()));
}

TEST(ParseHead, SeesThatTheServerCloses) {
  ResponseHead head;
  ASSERT_GT(parse_head("HTTP/1.1 500 X\r\nConnection: Close\r\nContent-Length: 0\r\n\r\n", head), 0);
  EXPECT_TRUE(head.closes);
}

TEST(ParseHead, RefusesWhatIsNoResponse) {
  for (const char* text :
       {"GET / HTTP/1.1\r\n\r\n", "HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 2x0 OK\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551617\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\nno colon\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\n: v\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 099 OK\r\nContent-Length: 0\r\n\r\n"}) {
    ResponseHead head;
    EXPECT_EQ(parse_head(text, head), -1) << text;
  }
}

TEST(ParseHead, RefusesAHeadOverTheLimit) {
  ResponseHead head;
  std::string text = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX: ";
  EXPECT_EQ(parse_head(text + std::string(kMaxHead - text.size() - 1, 'x'), head), 0);
  EXPECT_EQ(parse_head(text + std::string(kMaxHead, 'x') + "\r\n\r\n", head), -1);
}

}  // namespace
}  // namespace hearth::shim
