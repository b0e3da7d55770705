#include "vpc/model.h"

namespace hearth::vpc {
namespace {

std::string_view code_of(Kind kind) {
  switch (kind) {
    case Kind::invalid:
    case Kind::not_found:
      return "InvalidParameterValue";
    case Kind::conflict:
      return "IncorrectState";
    case Kind::denied:
      return "UnauthorizedOperation";
    case Kind::exhausted:
      return "RequestLimitExceeded";
    case Kind::timeout:
    case Kind::unavailable:
      return "Unavailable";
    case Kind::internal:
      return "InternalError";
  }
  return "InternalError";
}

}  // namespace

Ec2Error::Ec2Error(Error error) : Error(std::move(error)), code(code_of(kind)) {}

}  // namespace hearth::vpc
