// FunctionRef: which function a client means: a name, name:qualifier, a partial ARN or a whole ARN.
//
// Forms (NAME with or without :QUALIFIER): NAME · function:NAME · ACCOUNT:NAME · ACCOUNT:function:NAME ·
// REGION:ACCOUNT:function:NAME · arn:aws:lambda:REGION:ACCOUNT:function:NAME. One that names another account's or
// region's function is not found; one that is none of these is a ValidationException.
#pragma once

#include <string>
#include <string_view>

#include "api/lambda/refusal.h"
#include "base/ids.h"

namespace hearth::api::lambda {

struct FunctionRef {
  static constexpr size_t kMaxName = 64;

  std::string name;
  std::string qualifier;  // "" = none said
};

// `text` is decoded.
Outcome<FunctionRef> parse_function_ref(std::string_view text, const AccountId& account, const std::string& region);

// The same with the request's Qualifier, which must not contradict.
Outcome<FunctionRef> with_qualifier(FunctionRef ref, std::string_view qualifier);

// "Function not found: arn:…", as AWS words it.
std::unexpected<Refusal> function_not_found(const FunctionRef& ref, const AccountId& account,
                                            const std::string& region);

std::string function_arn(const FunctionRef& ref, const AccountId& account, const std::string& region);

}  // namespace hearth::api::lambda
