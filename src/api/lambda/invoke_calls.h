// InvokeCalls: Invoke, the hot path. The payload is checked to be JSON and moved, never parsed into values or copied.
#pragma once

#include "api/lambda/parts.h"

namespace hearth::api::lambda {

class InvokeCalls {
 public:
  static constexpr size_t kMaxPayload = 6 * 1024 * 1024;  // RequestResponse, each way
  static constexpr size_t kMaxEvent = 1024 * 1024;        // Event
  static constexpr size_t kMaxClientContext = 3583;       // bytes of base64

  InvokeCalls(const Parts& parts, const Model& model) : parts_(parts), model_(model) {}

  // `label`: the function as it stood in the path, decoded.
  Answer invoke(Call call, std::string label);

 private:
  enum class Type { request_response, event, dry_run };
  Outcome<Type> type_of(const Call& call, std::string_view label) const;
  Outcome<runtime::Invocation> invocation_of(Call& call, FunctionRef ref, Type type) const;
  Answer answer(runtime::Invocation invocation);
  Answer enqueue(runtime::Invocation invocation);

  const Parts& parts_;
  const Model& model_;
};

}  // namespace hearth::api::lambda
