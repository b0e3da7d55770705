// FunctionCalls: creating, reading, changing and deleting functions.
//
// Only $LATEST exists: another qualifier is not found.
#pragma once

#include "api/lambda/parts.h"

namespace hearth::api::lambda {

class FunctionCalls {
 public:
  static constexpr size_t kPage = 50;  // functions in one answer, whatever MaxItems says; as on AWS
  static constexpr int64_t kMaxCodeBytes = 75LL * 1024 * 1024 * 1024;  // an account's zips; as on AWS

  FunctionCalls(const Parts& parts, const Model& model);

  Answer create(Request request);
  Answer get(Request request);
  Answer get_configuration(Request request);
  Answer get_code_signing_config(Request request);
  Answer list(Request request);
  Answer list_versions(Request request);
  Answer update_code(Request request);
  Answer update_configuration(Request request);
  Answer remove(Request request);

 private:
  Outcome<const runtime::Function*> shown(const Request& request) const;
  Outcome<> check_code(const json::object& code, bool has_zip) const;
  // Whether the account has room for the zip in the place of `replaced` bytes.
  Outcome<> check_storage(const Request& request, int64_t replaced) const;
  Outcome<runtime::Function> wanted(const Request& request) const;
  std::string code_link(const Request& request, const runtime::Function& function) const;
  // Why an update was not taken, in AWS's words.
  Refusal why_not(const Request& request, const Error& error) const;
  boost::asio::awaitable<Outcome<runtime::PackageInfo>> unpack(std::string zip);

  const Parts& parts_;
  SettingsRules rules_;
};

}  // namespace hearth::api::lambda
