#include "base/result.h"

#include <fmt/format.h>

#include <array>
#include <cerrno>

namespace hearth {
namespace {

constexpr std::array<std::string_view, 8> kKindNames = {"invalid",   "not_found", "conflict",    "denied",
                                                        "exhausted", "timeout",   "unavailable", "internal"};

Kind kind_of(int errno_value) {
  switch (errno_value) {
    case EACCES:
    case EPERM:
      return Kind::denied;
    case ENOENT:
    case ESRCH:
    case ENODEV:
      return Kind::not_found;
    case EEXIST:
    case EBUSY:
      return Kind::conflict;
    case ENOMEM:
    case EMFILE:
    case ENFILE:
    case ENOSPC:
    case EDQUOT:
    case EAGAIN:
    case E2BIG:
      return Kind::exhausted;
    case ETIMEDOUT:
      return Kind::timeout;
    case ECONNREFUSED:
    case ECONNRESET:
    case EPIPE:
    case ENOTCONN:
      return Kind::unavailable;
    default:
      return Kind::internal;
  }
}

}  // namespace

std::string_view to_string(Kind kind) { return kKindNames[static_cast<size_t>(kind)]; }

Kind kind_named(std::string_view name) {
  for (size_t i = 0; i < kKindNames.size(); ++i) {
    if (kKindNames[i] == name) return static_cast<Kind>(i);
  }
  return Kind::internal;
}

std::string Error::with_reason() const {
  return errno_value == 0 ? message : message + ": " + std::generic_category().message(errno_value);
}

std::string Error::describe() const {
  // One that another process told has no place here.
  if (where.line() == 0) return with_reason();
  std::string_view file = where.file_name();
  if (auto slash = file.rfind("src/"); slash != std::string_view::npos) file.remove_prefix(slash + 4);
  return fmt::format("{} ({}:{})", with_reason(), file, where.line());
}

Failure fail_errno(std::string what, int errno_value, std::source_location where) {
  return Failure(Error{kind_of(errno_value), std::move(what), errno_value, where});
}

Failure fail_errno(std::string what, std::source_location where) { return fail_errno(std::move(what), errno, where); }

}  // namespace hearth
