// AccountCalls: reserved concurrency, tags, and what an account may have and has.
#pragma once

#include "api/lambda/parts.h"

namespace hearth::api::lambda {

class AccountCalls {
 public:
  static constexpr int64_t kMaxCodeBytes = 75LL * 1024 * 1024 * 1024;  // an account's zips; as on AWS

  explicit AccountCalls(const Parts& parts) : parts_(parts) {}

  Answer put_concurrency(Request request);
  Answer get_concurrency(Request request);
  Answer delete_concurrency(Request request);
  Answer tag(Request request);
  Answer untag(Request request);
  Answer list_tags(Request request);
  Answer settings(Request request);

 private:
  Outcome<const runtime::Function*> find(const Request& request) const;
  // Of all functions of the account but `except`.
  int64_t reserved(const AccountId& account, const std::string& except) const;
  boost::asio::awaitable<Outcome<runtime::Function>> annotate(Request request,
                                                              std::function<Result<>(runtime::Function&)> change);

  const Parts& parts_;
};

}  // namespace hearth::api::lambda
