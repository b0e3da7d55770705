// Deployment: a function as it is in force, with what every invocation and bind of it needs at hand.
//
// Immutable; shared by the instances that were bound with it. A change of the function makes a new one.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/config.h"
#include "runtime/function.h"
#include "runtime/logs.h"

namespace hearth::runtime {

struct Deployment {
  Function function;
  std::string arn;
  std::shared_ptr<Logs::Sink> log;
};

// The start message for the shim (shims/protocol.md): handler and the whole environment, as AWS sets it. The function's
// own variables win over the platform's, except over the reserved ones.
// Source: AWS Lambda developer guide, "Defined runtime environment variables".
std::string start_message(const Function& function, const Config& config,
                          const std::vector<std::pair<std::string, std::string>>& credentials,
                          const std::string& log_stream);

// "2026/01/31/[$LATEST]" + 32 hex digits.
std::string log_stream_name(WallTime now, const std::string& version);

}  // namespace hearth::runtime
