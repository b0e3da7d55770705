// AccountCalls: reserved concurrency, tags, and what an account may have and has.
#pragma once

#include <map>

#include "api/lambda/parts.h"

namespace hearth::api::lambda {

class AccountCalls {
 public:
  explicit AccountCalls(const Parts& parts) : parts_(parts) {}

  Answer put_concurrency(Request request);
  Answer get_concurrency(Request request);
  Answer delete_concurrency(Request request);
  Answer tag(Request request);
  Answer untag(Request request);
  Answer list_tags(Request request);
  Answer settings(Request request);

 private:
  using Reserving = std::multimap<runtime::FunctionKey, int64_t>;  // asked for and not yet recorded

  Outcome<const runtime::Function*> find(const Request& request) const;
  // What other functions of the account have reserved, or are about to.
  int64_t reserved_by_others(const Request& request) const;
  boost::asio::awaitable<Outcome<runtime::Function>> annotate(Request request,
                                                              std::function<Result<>(runtime::Function&)> change);

  const Parts& parts_;
  Reserving reserving_;
};

}  // namespace hearth::api::lambda
