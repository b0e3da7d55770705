// Refusal: an error of the Lambda API, and its form on the wire.
//
// The status, the key of the message ("Message" or "message") and whose fault it is follow from the code, as the model
// says. Kinds of our own errors become codes in one table here.
#pragma once

#include <expected>
#include <string>
#include <string_view>
#include <utility>

#include "api/service.h"
#include "base/json.h"
#include "base/result.h"

namespace hearth::api::lambda {

struct Refusal {
  std::string code;
  std::string message;
  NameValues headers = {};    // beside x-amzn-ErrorType
  json::object members = {};  // beside Type and message
};

template <typename T = void>
using Outcome = std::expected<T, Refusal>;

inline std::unexpected<Refusal> refuse(std::string code, std::string message) {
  return std::unexpected(Refusal{std::move(code), std::move(message)});
}
inline std::unexpected<Refusal> invalid_parameter(std::string message) {
  return refuse("InvalidParameterValueException", std::move(message));
}

// invalid → InvalidParameterValueException, not_found → ResourceNotFoundException, conflict →
// ResourceConflictException, exhausted → TooManyRequestsException, the rest → ServiceException (retryable; the detail
// goes to the log, not out).
Refusal refusal_of(const Error& error);

// `status`: of codes that the model has not; 0 = its own.
Reply reply_of(const Refusal& refusal, int status = 0);
int status_of(std::string_view code);

Reply json_reply(int status, const json::object& body);

}  // namespace hearth::api::lambda
