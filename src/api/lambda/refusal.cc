#include "api/lambda/refusal.h"

#include "api/lambda/model.h"
#include "base/log.h"

namespace hearth::api::lambda {
Refusal refusal_of(const Error& error) {
  switch (error.kind) {
    case Kind::invalid:
      return {"InvalidParameterValueException", error.message};
    case Kind::not_found:
      return {"ResourceNotFoundException", error.message};
    case Kind::conflict:
      return {"ResourceConflictException", error.message};
    case Kind::exhausted:
      return {"TooManyRequestsException", error.message};
    case Kind::denied:
    case Kind::timeout:
    case Kind::unavailable:
    case Kind::internal:
      break;
  }
  log::error("lambda: {}", error.describe());
  return {"ServiceException", "The service encountered an internal error. Try again in a while."};
}

int status_of(std::string_view code) {
  if (const ErrorShape* shape = error_shape(code)) return shape->status;
  if (code == "NotImplementedException") return 501;
  if (code == "UnknownOperationException") return 404;
  if (code == "AccessDeniedException") return 403;
  return 400;  // ValidationException, SerializationException
}

Reply reply_of(const Refusal& refusal, int status) {
  const ErrorShape* shape = error_shape(refusal.code);
  Reply reply;
  reply.status = status != 0 ? status : status_of(refusal.code);
  reply.headers = refusal.headers;
  reply.headers.emplace_back("x-amzn-ErrorType", refusal.code);
  json::object body;
  bool users = shape != nullptr ? shape->senders_fault : reply.status < 500;
  body["Type"] = users ? "User" : "Service";
  body[view(shape != nullptr ? shape->message_key : "message")] = refusal.message;
  for (const auto& member : refusal.members) body.insert(member);
  reply.body = json::serialize(body);
  return reply;
}

Reply json_reply(int status, const json::object& body) {
  Reply reply;
  reply.status = status;
  reply.body = json::serialize(body);
  return reply;
}

}  // namespace hearth::api::lambda
