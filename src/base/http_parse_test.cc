#include "base/http_parse.h"

#include <gtest/gtest.h>

namespace hearth::http {
namespace {

TEST(HttpParse, AChunkedBodyMayComeByteByByte) {
  for (const std::string_view chunks : {"0\r\n\r\n", "3\r\nabc\r\n0\r\n\r\n", "0\r\nA: b\r\n\r\n"}) {
    const std::string head_text = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
    Head head;
    RequestParser parser(head);
    ASSERT_EQ(parser.take_head(head_text.data(), head_text.data() + head_text.size()), Parsed::done);
    std::string body, waiting;
    auto parsed = Parsed::more;
    for (const char byte : chunks) {
      ASSERT_EQ(parsed, Parsed::more);
      waiting.push_back(byte);
      size_t consumed = 0;
      parsed = parser.take_chunks(waiting, 100, body, consumed);
      waiting.erase(0, consumed);
    }
    EXPECT_EQ(parsed, Parsed::done);
    EXPECT_EQ(body, chunks.starts_with('3') ? "abc" : "");
  }
}

}  // namespace
}  // namespace hearth::http
