#include "runtime/runtime_request.h"

#include <gtest/gtest.h>

#include <vector>

namespace hearth::runtime {
namespace {

const RuntimeRequestParser::WantsBodyFn kAll = [](const RuntimeRequest&) { return true; };
const RuntimeRequestParser::WantsBodyFn kNone = [](const RuntimeRequest&) { return false; };

// Feeds `text` in pieces of `piece` bytes, keeping what the parser did not use, as the connection does.
Result<std::vector<RuntimeRequest>> parse(RuntimeRequestParser& parser, std::string_view text, size_t piece) {
  std::vector<RuntimeRequest> requests;
  std::string buffer;
  for (size_t at = 0; at < text.size(); at += piece) {
    buffer += text.substr(at, piece);
    while (!buffer.empty()) {
      TRY_ASSIGN(const size_t used, parser.put(buffer));
      buffer.erase(0, used);
      if (parser.done()) {
        requests.push_back(parser.take());
      } else if (used == 0) {
        break;
      }
    }
  }
  return requests;
}

constexpr std::string_view kAnswerAndNext =
    "POST /2018-06-01/runtime/invocation/abc-1/response HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\ntrue"
    "GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: x\r\n\r\n";

TEST(RuntimeRequest, PipelinedRequestsComeOneByOneHoweverTheBytesFall) {
  for (size_t piece : {1, 2, 3, 7, 50, 1000}) {
    RuntimeRequestParser parser(kAll);
    auto requests = parse(parser, kAnswerAndNext, piece);
    ASSERT_TRUE(requests) << requests.error().describe();
    ASSERT_EQ(requests->size(), 2u) << piece;
    EXPECT_EQ((*requests)[0].endpoint, Endpoint::response);
    EXPECT_EQ((*requests)[0].request_id, "abc-1");
    EXPECT_EQ((*requests)[0].body, "true");
    EXPECT_TRUE((*requests)[0].keep_alive);
    EXPECT_EQ((*requests)[1].endpoint, Endpoint::next);
  }
}

TEST(RuntimeRequest, ChunkedAnswersMayCarryTheirErrorInTrailers) {
  constexpr std::string_view kText =
      "POST /2018-06-01/runtime/invocation/abc/response HTTP/1.1\r\nHost: x\r\n"
      "Lambda-Runtime-Function-Response-Mode: streaming\r\nTransfer-Encoding: chunked\r\n"
      "Trailer: Lambda-Runtime-Function-Error-Type\r\n\r\n"
      "3\r\nabc\r\n2\r\nde\r\n0\r\nLambda-Runtime-Function-Error-Type: Runtime.Broken\r\n"
      "Lambda-Runtime-Function-Error-Body: e30=\r\n\r\n";
  for (size_t piece : {1, 5, 1000}) {
    RuntimeRequestParser parser(kAll);
    auto requests = parse(parser, kText, piece);
    ASSERT_TRUE(requests) << requests.error().describe();
    ASSERT_EQ(requests->size(), 1u);
    EXPECT_TRUE((*requests)[0].streaming);
    EXPECT_EQ((*requests)[0].body, "abcde");
    EXPECT_EQ((*requests)[0].error_type, "Runtime.Broken");
    EXPECT_EQ((*requests)[0].error_body, "e30=");
  }
}

TEST(RuntimeRequest, TheTimeOfTheImportIsBelievedWithinItsLimit) {
  for (const auto& [text, import] : {std::pair<const char*, int64_t>{"302", 302},
                                     {"0", 0},
                                     {"3600000000", 3'600'000'000},
                                     {"3600000001", 0},
                                     {"-1", 0},
                                     {"7s", 0},
                                     {"", 0},
                                     {"99999999999999999999", 0}}) {
    RuntimeRequestParser parser(kAll);
    auto requests =
        parse(parser,
              "GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHearth-Import-Us: " + std::string(text) + "\r\n\r\n",
              1000);
    ASSERT_TRUE(requests) << text;
    EXPECT_EQ(requests->at(0).import.count(), import) << text;
  }
}

TEST(RuntimeRequest, AnEmptyChunkedBodyMayComeByteByByte) {
  RuntimeRequestParser parser(kAll);
  auto requests = parse(parser,
                        "POST /2018-06-01/runtime/invocation/a/response HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
                        "0\r\n\r\n",
                        1);
  ASSERT_TRUE(requests) << requests.error().describe();
  ASSERT_EQ(requests->size(), 1u);
  EXPECT_EQ((*requests)[0].body, "");
}

TEST(RuntimeRequest, ABodyOverTheLimitIsReadToItsEndAndNotKept) {
  RuntimeRequestParser parser(kAll);
  const size_t size = RuntimeRequestParser::kMaxBody + 1;
  auto requests =
      parse(parser,
            "POST /2018-06-01/runtime/invocation/a/response HTTP/1.1\r\nContent-Length: " + std::to_string(size) +
                "\r\n\r\n" + std::string(size, 'x'),
            65536);
  ASSERT_TRUE(requests) << requests.error().describe();
  ASSERT_EQ(requests->size(), 1u);
  EXPECT_TRUE((*requests)[0].too_large);
  EXPECT_TRUE((*requests)[0].body.empty());
}

TEST(RuntimeRequest, ABodyOfExactlyTheLimitIsKept) {
  RuntimeRequestParser parser(kAll);
  const size_t size = RuntimeRequestParser::kMaxBody;
  auto requests =
      parse(parser,
            "POST /2018-06-01/runtime/invocation/a/response HTTP/1.1\r\nContent-Length: " + std::to_string(size) +
                "\r\n\r\n" + std::string(size, 'x'),
            65536);
  ASSERT_TRUE(requests) << requests.error().describe();
  EXPECT_FALSE((*requests)[0].too_large);
  EXPECT_EQ((*requests)[0].body.size(), size);
}

TEST(RuntimeRequest, AnUnwantedBodyIsThrownAwayUpToALimit) {
  RuntimeRequestParser parser(kNone);
  auto requests = parse(parser, kAnswerAndNext, 1000);
  ASSERT_TRUE(requests);
  EXPECT_FALSE((*requests)[0].wanted);
  EXPECT_TRUE((*requests)[0].body.empty());
  ASSERT_TRUE(parser.put("POST /2018-06-01/runtime/init/error HTTP/1.1\r\nContent-Length: 100000000\r\n\r\n"));
  const std::string piece(1024 * 1024, 'x');
  size_t taken = 0;
  while (taken <= 2 * RuntimeRequestParser::kMaxDiscarded && parser.put(piece)) taken += piece.size();
  EXPECT_EQ(taken, RuntimeRequestParser::kMaxDiscarded);
}

TEST(RuntimeRequest, HeadersOverTheLimitAndGarbageAreRefused) {
  RuntimeRequestParser large(kAll);
  EXPECT_FALSE(parse(large, "GET / HTTP/1.1\r\nA: " + std::string(RuntimeRequestParser::kMaxHeader, 'x'), 1000));
  RuntimeRequestParser error(kAll);
  EXPECT_FALSE(parse(error,
                     "POST /2018-06-01/runtime/invocation/a/error HTTP/1.1\r\nA: " +
                         std::string(RuntimeRequestParser::kMaxErrorHeader, 'x'),
                     65536));
  RuntimeRequestParser garbage(kAll);
  EXPECT_FALSE(parse(garbage, "\x16\x03\x01 not http\r\n\r\n", 1000));
  RuntimeRequestParser twice(kAll);
  EXPECT_FALSE(parse(twice, "POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 1000));
}

TEST(RuntimeRequest, AnErrorsHeaderMayBeAsLongAsAwssClientMakesIt) {
  const std::string cause(1024 * 1024 - 1, 'x');
  for (const char* path : {"invocation/a/error", "init/error"}) {
    for (size_t piece : {1000UL, 3UL * 1024 * 1024}) {
      RuntimeRequestParser parser(kAll);
      auto requests =
          parse(parser,
                std::string("POST /2018-06-01/runtime/") + path +
                    " HTTP/1.1\r\nContent-Length: 2\r\nLambda-Runtime-Function-Error-Type: E\r\n"
                    "Lambda-Runtime-Function-XRay-Error-Cause: " +
                    cause + "\r\nAccept: */*\r\n\r\n{}GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\n\r\n",
                piece);
      ASSERT_TRUE(requests) << path << ' ' << piece << ' ' << requests.error().describe();
      ASSERT_EQ(requests->size(), 2u);
      EXPECT_EQ((*requests)[0].error_type, "E");
      EXPECT_EQ((*requests)[0].body, "{}");
      EXPECT_EQ(parser.max_header(), RuntimeRequestParser::kMaxHeader);
    }
  }
}

TEST(RuntimeRequest, SaysOnceThatTheSenderWaitsForContinue) {
  RuntimeRequestParser parser(kAll);
  ASSERT_TRUE(
      parser.put("POST /2018-06-01/runtime/invocation/a/response HTTP/1.1\r\nExpect: 100-continue\r\n"
                 "Content-Length: 2\r\n\r\n"));
  EXPECT_TRUE(parser.take_continue());
  EXPECT_FALSE(parser.take_continue());
  ASSERT_TRUE(parser.put("{}"));
  EXPECT_TRUE(parser.done());
}

TEST(RuntimeRequest, EndpointsAreTheOnesOfTheApi) {
  std::string id;
  EXPECT_EQ(endpoint_of("GET", "/2018-06-01/runtime/invocation/next", id), Endpoint::next);
  EXPECT_EQ(endpoint_of("POST", "/2018-06-01/runtime/invocation/x/error", id), Endpoint::error);
  EXPECT_EQ(id, "x");
  EXPECT_EQ(endpoint_of("POST", "/2018-06-01/runtime/init/error", id), Endpoint::init_error);
  EXPECT_EQ(endpoint_of("GET", "/2018-06-01/runtime/restore/next", id), Endpoint::restore_next);
  EXPECT_EQ(endpoint_of("POST", "/2018-06-01/runtime/restore/error", id), Endpoint::restore_error);
  EXPECT_EQ(endpoint_of("POST", "/2020-01-01/extension/register", id), Endpoint::extension);
  EXPECT_EQ(endpoint_of("PUT", "/2020-08-15/logs", id), Endpoint::logs);
  EXPECT_EQ(endpoint_of("PUT", "/2022-07-01/telemetry", id), Endpoint::telemetry);
  EXPECT_EQ(endpoint_of("POST", "/2018-06-01/runtime/invocation/next", id), Endpoint::unknown);
  EXPECT_EQ(endpoint_of("POST", "/2018-06-01/runtime/invocation//response", id), Endpoint::unknown);
  EXPECT_EQ(endpoint_of("GET", "/", id), Endpoint::unknown);
}

}  // namespace
}  // namespace hearth::runtime
