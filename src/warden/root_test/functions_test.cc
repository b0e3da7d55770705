// What functions see and what is told of their errors.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>

#include "warden/root_test/fixture.h"

namespace hearth::warden {
namespace {

using ::testing::HasSubstr;

struct InitFailure {
  const char* handler;
  std::map<std::string, std::string> files;
  const char* type;
  const char* message;
};

TEST_F(WardenRoot, FailedImportsAreTold) {
  const std::vector<InitFailure> cases = {
      {"app.handler",
       {{"other.py", ""}},
       "Runtime.ImportModuleError",
       "Unable to import module 'app': No module named 'app'"},
      {"app.handler", {{"app.py", ""}}, "Runtime.HandlerNotFound", "Handler 'handler' missing on module 'app'"},
      {"app.handler", {{"app.py", "def x(:\n"}}, "Runtime.UserCodeSyntaxError", "Syntax error in module 'app': "},
      {"app", {{"app.py", ""}}, "Runtime.MalformedHandlerName", "Bad handler 'app': "},
      {"sys.exit", {{"app.py", ""}}, "Runtime.BuiltInModuleConflict", "Cannot use built-in module sys"},
      {"app.handler", {{"app.py", "raise ValueError('at top')\n"}}, "ValueError", "at top"},
  };
  for (const auto& failure : cases) {
    Made made = make();
    client_->call_for<BindReply>(bind_request(made, package(failure.files), failure.handler));
    RuntimeApi api(made.runtime_api.get());
    HttpRequest post = api.read();
    api.reply(202);
    EXPECT_EQ(post.line, "POST /2018-06-01/runtime/init/error HTTP/1.1") << failure.type;
    EXPECT_THAT(post.head, HasSubstr(std::string("Lambda-Runtime-Function-Error-Type: ") + failure.type));
    auto error = json::parse(post.body).as_object();
    EXPECT_EQ(error["errorType"], failure.type);
    EXPECT_THAT(std::string(error["errorMessage"].as_string().c_str()), HasSubstr(failure.message));
    EXPECT_THAT(read_output(made.output.get(), "[ERROR]"), HasSubstr(std::string("[ERROR] ") + failure.type + ": "));
    ContainerGone gone = client_->wait_gone(made.id);
    EXPECT_EQ(gone.cause, "exited");
    EXPECT_EQ(gone.code, 1);
  }
}

TEST_F(WardenRoot, FailedInvocationsAreToldAndTheNextOneWorks) {
  Made made = run_python(
      "import decimal, logging\n"
      "def handler(event, context):\n"
      "    if event == 'raise': raise KeyError('k')\n"
      "    if event == 'set': return {1}\n"
      "    if event == 'log': logging.warning('careful')\n"
      "    if event == 'large': return 'x' * (7 * 2**20)\n"
      "    if event == 'bytes': return b'raw'\n"
      "    return {'d': decimal.Decimal('1.10'), 'u': '\\u00e4', 'c': context.client_context and "
      "context.client_context.custom}\n");
  RuntimeApi api(made.runtime_api.get());
  api.invoke(R"("raise")");
  HttpRequest post = api.read();
  api.reply(202);
  EXPECT_EQ(post.line, "POST /2018-06-01/runtime/invocation/request-1/error HTTP/1.1");
  auto error = json::parse(post.body).as_object();
  EXPECT_EQ(error["errorType"], "KeyError");
  EXPECT_EQ(error["errorMessage"], "'k'");
  EXPECT_EQ(error["requestId"], "request-1");
  ASSERT_EQ(error["stackTrace"].as_array().size(), 1U);
  EXPECT_EQ(error["stackTrace"].as_array()[0],
            "  File \"/var/task/app.py\", line 3, in handler\n    if event == 'raise': raise KeyError('k')\n");
  EXPECT_THAT(post.head, HasSubstr("Lambda-Runtime-Function-Error-Type: KeyError\r\n"));
  EXPECT_THAT(read_output(made.output.get(), "KeyError('k')"),
              HasSubstr("[ERROR] KeyError: 'k'\rTraceback (most recent call last):\r\xc2\xa0\xc2\xa0"
                        "File"));

  api.invoke(R"("set")", "request-2");
  post = api.read();
  api.reply(202);
  EXPECT_THAT(post.body, HasSubstr("Runtime.MarshalError"));
  EXPECT_THAT(post.body, HasSubstr("Unable to marshal response: Object of type set is not JSON serializable"));

  EXPECT_EQ(api.call("{}", "request-3"), R"({"d": 1.10, "u": "\u00e4", "c": null})");
  EXPECT_EQ(api.call("{}", "request-4", "Lambda-Runtime-Client-Context: {\"custom\":{\"a\":1}}\r\n"),
            R"({"d": 1.10, "u": "\u00e4", "c": {"a": 1}})");
  EXPECT_EQ(api.call(R"("bytes")", "request-5"), "raw");

  api.call(R"("log")", "request-6");
  EXPECT_THAT(read_output(made.output.get(), "careful\n"), HasSubstr("\trequest-6\tcareful\n"));

  api.invoke(R"("large")", "request-7");
  post = api.read();
  EXPECT_EQ(post.body.size(), 7U * 1024 * 1024 + 2);
  api.reply(413);
  post = api.read();
  api.reply(202);
  EXPECT_EQ(post.line, "POST /2018-06-01/runtime/invocation/request-7/error HTTP/1.1");
  EXPECT_THAT(post.body, HasSubstr("Function.ResponseSizeTooLarge"));
  EXPECT_EQ(api.call(R"("bytes")", "request-8"), "raw");
}

TEST_F(WardenRoot, SixMebibytesGoThroughBothWays) {
  Made made = run_python("def handler(event, context): return event\n");
  RuntimeApi api(made.runtime_api.get());
  std::string body = "\"" + std::string(6UL * 1024 * 1024 - 2, 'x') + "\"";
  EXPECT_TRUE(api.call(body) == body);
}

TEST_F(WardenRoot, TheShimConnectsAgainWhenHearthdWasRestarted) {
  Made made = run_python("def handler(event, context): return event\n");
  RuntimeApi api(made.runtime_api.get());
  EXPECT_EQ(api.call("1"), "1");
  EXPECT_THAT(api.read().line, HasSubstr("/invocation/next"));
  api.reconnect();
  EXPECT_EQ(api.call("2", "request-2"), "2");
}

// ---- custom runtimes

TEST_F(WardenRoot, ACustomRuntimeExecutesItsBootstrap) {
  Made made = make("provided.al2023");
  client_->call_for<BindReply>(bind_request(
      made, package({{"bootstrap", "#!/bin/sh\necho $AWS_LAMBDA_FUNCTION_NAME in $(pwd) as $(id -u)\nexit 5\n"}})));
  EXPECT_THAT(read_output(made.output.get(), "993\n"), HasSubstr("demo in /var/task as 993\n"));
  ContainerGone gone = client_->wait_gone(made.id);
  EXPECT_EQ(gone.cause, "exited");
  EXPECT_EQ(gone.code, 5);
}

TEST_F(WardenRoot, ACustomRuntimeWithoutBootstrapExits127) {
  Made made = make("provided");
  client_->call_for<BindReply>(bind_request(made, package({{"readme", "nothing"}})));
  EXPECT_THAT(read_output(made.output.get(), "\n"), HasSubstr("Couldn't find valid bootstrap(s)"));
  EXPECT_EQ(client_->wait_gone(made.id).code, 127);
}

}  // namespace
}  // namespace hearth::warden
