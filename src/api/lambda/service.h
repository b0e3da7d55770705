// LambdaService: the Lambda API behind the front door.
//
// Order for each call: route by the model's table → body → the model's constraints → the function that is meant → its
// operation. An operation of the API that is not offered answers 501 NotImplementedException and names itself; what is
// no operation answers 404 UnknownOperationException.
//
// Owned by the loop's thread.
#pragma once

#include <functional>
#include <map>
#include <string_view>

#include "api/lambda/account_calls.h"
#include "api/lambda/function_calls.h"
#include "api/lambda/invoke_calls.h"
#include "api/lambda/parts.h"
#include "api/service.h"

namespace hearth::api::lambda {

class LambdaService final : public Service {
 public:
  // Of request bodies with base64 code: 50 MB, and 256 KiB for what else CreateFunction holds; as on AWS.
  static constexpr size_t kMaxCodeBody = 69'905'067;
  static constexpr size_t kMaxCreateBody = kMaxCodeBody + 256 * 1024;
  static constexpr size_t kParseOnLoop = 256 * 1024;  // larger bodies are parsed on the blocking pool

  explicit LambdaService(Parts parts);

  boost::asio::awaitable<Reply> handle(Call call) override;
  Reply refuse(int status, std::string_view code, std::string_view message, std::string_view request_id) const override;
  BodyLimit body_limit(std::string_view method, std::string_view path) const override;

  // Whether it has code for each operation that the model's table calls served, and for no other.
  bool serves(std::string_view operation) const;

 private:
  using Handler = std::function<Answer(Request)>;

  Answer dispatch(Call call);
  boost::asio::awaitable<Outcome<Body>> read(std::string text);

  const Parts parts_;
  Model model_;
  FunctionCalls functions_;
  AccountCalls account_;
  InvokeCalls invoke_;
  std::map<std::string_view, Handler> handlers_;
};

}  // namespace hearth::api::lambda
