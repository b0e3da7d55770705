// Result<T>: the value of an operation, or the Error that explains why there is none.
//
// Libraries return errors and never log them; only a task's top logs. `api` maps Kind to an HTTP code and `graph`
// maps it to a States.* error, in one table each, so a Kind is chosen for what the caller can do about it.
// Exceptions are left to bugs and out-of-memory.
#pragma once

#include <expected>
#include <source_location>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

namespace hearth {

enum class Kind {
  invalid,      // the caller's input is wrong; the message names the field and the limit
  not_found,    // the named thing does not exist
  conflict,     // it exists already, or its state forbids this now
  denied,       // who asks may not
  exhausted,    // a limit is reached; later or with less it may work
  timeout,      // a deadline passed
  unavailable,  // a peer is away; the same call may work later
  internal,     // the host or this program failed
};

std::string_view to_string(Kind kind);

// The Kind of `name` as to_string spells it; internal for any other word.
Kind kind_named(std::string_view name);

struct Error {
  Kind kind = Kind::internal;
  std::string message;
  int errno_value = 0;  // 0: none
  std::source_location where = std::source_location::current();

  // "message: strerror".
  std::string with_reason() const;
  // "message: strerror (file:line)", for logs.
  std::string describe() const;
};

template <typename T = void>
using Result = std::expected<T, Error>;

using Failure = std::unexpected<Error>;

inline Failure fail(Kind kind, std::string message, std::source_location where = std::source_location::current()) {
  return Failure(Error{kind, std::move(message), 0, where});
}

// An Error of the system call that `what` names, with its errno and the Kind that fits it (EACCES and EPERM: denied,
// ENOENT and ESRCH: not_found, EEXIST and EBUSY: conflict, ENOMEM, EMFILE, ENOSPC …: exhausted, otherwise internal).
Failure fail_errno(std::string what, int errno_value, std::source_location where = std::source_location::current());
Failure fail_errno(std::string what, std::source_location where = std::source_location::current());

}  // namespace hearth

#define HEARTH_CONCAT_(a, b) a##b
#define HEARTH_CONCAT(a, b) HEARTH_CONCAT_(a, b)

// TRY(expression): returns the error of a Result<> from the surrounding function, or goes on.
#define TRY(...)                                                              \
  do {                                                                        \
    auto try_result_ = (__VA_ARGS__);                                         \
    if (!try_result_) return std::unexpected(std::move(try_result_).error()); \
  } while (false)

// TRY_ASSIGN(declaration, expression): the same, and binds the value.
#define TRY_ASSIGN(declaration, ...)                                                \
  auto HEARTH_CONCAT(try_value_, __LINE__) = (__VA_ARGS__);                         \
  if (!HEARTH_CONCAT(try_value_, __LINE__))                                         \
    return std::unexpected(std::move(HEARTH_CONCAT(try_value_, __LINE__)).error()); \
  declaration = *std::move(HEARTH_CONCAT(try_value_, __LINE__))

// Their twins inside coroutines.
#define CO_TRY(...)                                                              \
  do {                                                                           \
    auto try_result_ = (__VA_ARGS__);                                            \
    if (!try_result_) co_return std::unexpected(std::move(try_result_).error()); \
  } while (false)

#define CO_TRY_ASSIGN(declaration, ...)                                                \
  auto HEARTH_CONCAT(try_value_, __LINE__) = (__VA_ARGS__);                            \
  if (!HEARTH_CONCAT(try_value_, __LINE__))                                            \
    co_return std::unexpected(std::move(HEARTH_CONCAT(try_value_, __LINE__)).error()); \
  declaration = *std::move(HEARTH_CONCAT(try_value_, __LINE__))
