#include "api/lambda/invoke_calls.h"

#include "api/lambda/fakes_test.h"

namespace hearth::api::lambda {
namespace {

class InvokeTest : public LambdaTest {
 protected:
  void SetUp() override { make("hello"); }
  Reply invoke(std::string payload, NameValues headers = {}, NameValues query = {}) {
    return send("POST", "/2015-03-31/functions/hello/invocations", std::move(payload), std::move(query),
                std::move(headers));
  }
};

TEST_F(InvokeTest, the_payload_goes_in_and_the_answer_comes_out_untouched) {
  std::string payload = R"({ "a" : 1.50, "a": "ü" })";  // no reserialisation: spaces, 1.50 and the double name stay
  Reply reply = invoke(payload);
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(reply.body, payload);
  EXPECT_EQ(header(reply, "X-Amz-Executed-Version"), "$LATEST");
  EXPECT_EQ(header(reply, "x-amzn-RequestId"), "the-request");
  EXPECT_EQ(header(reply, "X-Amz-Log-Result"), "");
  EXPECT_EQ(header(reply, "X-Amz-Function-Error"), "");
}

TEST_F(InvokeTest, without_a_payload_the_event_is_an_empty_object) {
  invoke("");
  EXPECT_EQ(invoker_.invoked.at(0).payload, "{}");
  EXPECT_EQ(invoker_.invoked.at(0).request_id, "id");  // the call's own
}

TEST_F(InvokeTest, a_payload_must_be_one_json_value) {
  for (const char* good : {"1", "null", "\"x\"", " [1,{}] \n", "true"}) EXPECT_EQ(invoke(good).status, 200) << good;
  for (const char* bad : {"{", "nope", "{} {}", "{\"a\":}", "\"\xff\"", " "}) {
    EXPECT_TRUE(
        verdict(invoke(bad)).starts_with("400 InvalidRequestContentException Could not parse request body into json: "))
        << bad;
  }
  EXPECT_EQ(invoke(std::string(900, '[') + std::string(900, ']')).status, 200);
  EXPECT_EQ(invoke(std::string(1001, '[') + std::string(1001, ']')).status, 400);
}

TEST_F(InvokeTest, a_function_error_is_still_200) {
  invoker_.answer = [](const runtime::Invocation&) -> Result<runtime::InvokeResult> {
    runtime::Answer answer;
    answer.function_error = "Unhandled";
    answer.payload = R"({"errorType":"E"})";
    return runtime::InvokeResult(answer);
  };
  Reply reply = invoke("{}");
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(header(reply, "X-Amz-Function-Error"), "Unhandled");
}

TEST_F(InvokeTest, the_log_is_asked_for) {
  Reply reply = invoke("{}", {{"x-amz-log-type", "Tail"}});
  EXPECT_EQ(header(reply, "X-Amz-Log-Result"), base64_encode("END"));
  EXPECT_TRUE(invoker_.invoked.at(0).log_tail);
}

TEST_F(InvokeTest, an_event_is_queued_and_a_dry_run_does_nothing) {
  Reply event = invoke("{}", {{"x-amz-invocation-type", "Event"}});
  EXPECT_EQ(event.status, 202);
  EXPECT_EQ(event.body, "");
  EXPECT_EQ(header(event, "x-amzn-RequestId"), "the-event");
  EXPECT_EQ(invoker_.enqueued.size(), 1u);
  EXPECT_EQ(invoke("{}", {{"x-amz-invocation-type", "DryRun"}}).status, 204);
  EXPECT_TRUE(invoker_.invoked.empty());
  EXPECT_NE(verdict(invoke("{}", {{"x-amz-invocation-type", "Later"}}))
                .find("'Later' at 'invocationType' failed to satisfy constraint: Member must satisfy enum value set: "
                      "[Event, RequestResponse, DryRun]"),
            std::string::npos);
}

TEST_F(InvokeTest, an_event_has_a_smaller_limit) {
  std::string fits = "\"" + std::string(InvokeCalls::kMaxEvent - 2, 'a') + "\"";
  EXPECT_EQ(invoke(fits, {{"x-amz-invocation-type", "Event"}}).status, 202);
  EXPECT_EQ(verdict(invoke(fits + " ", {{"x-amz-invocation-type", "Event"}})),
            "413 RequestTooLargeException Request must be smaller than 1048576 bytes for the InvokeFunction operation");
  EXPECT_EQ(invoke(fits + " ").status, 200);
  EXPECT_EQ(service_.body_limit("POST", "/2015-03-31/functions/hello/invocations").bytes, InvokeCalls::kMaxPayload);
}

TEST_F(InvokeTest, a_throttled_call_says_why_and_when_to_come_back) {
  invoker_.answer = [](const runtime::Invocation&) -> Result<runtime::InvokeResult> {
    return runtime::InvokeResult(runtime::Throttled{"ReservedFunctionConcurrentInvocationLimitExceeded"});
  };
  Reply reply = invoke("{}");
  EXPECT_EQ(verdict(reply), "429 TooManyRequestsException Rate Exceeded.");
  EXPECT_EQ(parsed(reply)["Reason"], "ReservedFunctionConcurrentInvocationLimitExceeded");
  EXPECT_EQ(header(reply, "Retry-After"), "1");
}

TEST_F(InvokeTest, a_failure_of_ours_is_retryable_and_tells_no_detail) {
  invoker_.answer = [](const runtime::Invocation&) -> Result<runtime::InvokeResult> {
    return fail(Kind::unavailable, "warden.sock: connection refused");
  };
  Reply reply = invoke("{}");
  EXPECT_EQ(reply.status, 500);
  EXPECT_EQ(header(reply, "x-amzn-ErrorType"), "ServiceException");
  EXPECT_TRUE(parsed(reply).contains("Message"));  // this one with a capital
  EXPECT_EQ(reply.body.find("warden"), std::string::npos);
}

TEST_F(InvokeTest, a_function_whose_network_is_not_ready_says_so) {
  invoker_.answer = [](const runtime::Invocation&) -> Result<runtime::InvokeResult> {
    return fail(Kind::conflict, "The function's network connection is not ready: no bridge br0 on this host");
  };
  EXPECT_EQ(verdict(invoke("{}")),
            "502 ResourceNotReadyException The function's network connection is not ready: no bridge br0 on this host");
}

TEST_F(InvokeTest, a_function_that_is_not_active_is_not_invoked) {
  auto& function = functions_.all.begin()->second;
  function.state = "Pending";
  EXPECT_EQ(
      verdict(invoke("{}")),
      "409 ResourceConflictException The operation cannot be performed at this time. The function is currently in "
      "the following state: Pending");
  function.state = "Failed";
  EXPECT_EQ(invoke("{}").status, 409);
  EXPECT_TRUE(invoker_.invoked.empty());
}

TEST_F(InvokeTest, qualifier_and_context_are_checked_and_handed_on) {
  EXPECT_EQ(invoke("{}", {}, {{"Qualifier", "$LATEST"}}).status, 200);
  EXPECT_EQ(invoke("{}", {}, {{"Qualifier", "1"}}).status, 404);
  EXPECT_EQ(invoke("{}", {{"x-amz-client-context", base64_encode(R"({"client":{}})")}}).status, 200);
  EXPECT_EQ(invoker_.invoked.back().client_context, base64_encode(R"({"client":{}})"));
  for (const std::string& bad : {std::string("%%%"), base64_encode("[]"), base64_encode("{")}) {
    EXPECT_EQ(verdict(invoke("{}", {{"x-amz-client-context", bad}})),
              "400 InvalidRequestContentException Client context must be a valid Base64-encoded JSON object.");
  }
  std::string large = base64_encode("{\"a\":\"" + std::string(InvokeCalls::kMaxClientContext, 'x') + "\"}");
  EXPECT_EQ(invoke("{}", {{"x-amz-client-context", large}}).status, 400);
  invoke("{}", {{"x-amzn-trace-id", "Root=1-a-b"}});
  EXPECT_EQ(invoker_.invoked.back().trace_id, "Root=1-a-b");
  invoke("{}", {{"x-amzn-trace-id", "Root=1-\xff"}});  // it would make an event that can't be read
  EXPECT_TRUE(invoker_.invoked.back().trace_id.starts_with("Root=1-6b"));
  invoke("{}");
  EXPECT_TRUE(invoker_.invoked.back().trace_id.starts_with("Root=1-"));
}

}  // namespace
}  // namespace hearth::api::lambda
