// Parts: what the Lambda API stands on, handed over by hearthd's main; references outlive the service.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/thread_pool.hpp>

#include "api/code_links.h"
#include "api/lambda/body.h"
#include "api/lambda/function_ref.h"
#include "api/lambda/model.h"
#include "api/lambda/settings.h"
#include "base/clock.h"
#include "base/config.h"
#include "runtime/functions.h"
#include "runtime/invoker.h"
#include "runtime/packages.h"

namespace hearth::api::lambda {

struct Parts {
  const Config& config;
  const Clock& clock;
  runtime::Functions& functions;
  runtime::Packages& packages;
  runtime::Invoker& invoker;
  const CodeLinks& links;
  boost::asio::thread_pool& blocking;
  RuntimeAvailableFn runtime_available;
  ResolveVpcFn resolve_vpc;
};

// One call whose input has passed the model.
struct Request {
  Call call;
  Body body;
  std::string label;  // what stood in the path, decoded
  FunctionRef ref;    // of operations on a function; with the request's Qualifier

  runtime::FunctionKey key() const { return {call.account, ref.name}; }
  std::string arn() const { return function_arn(ref, call.account, call.region); }
  std::unexpected<Refusal> not_found() const { return function_not_found(ref, call.account, call.region); }
};

using Answer = boost::asio::awaitable<Outcome<Reply>>;

}  // namespace hearth::api::lambda
