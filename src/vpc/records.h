// Records: all VPCs, subnets and groups of all accounts, in memory and in the registry.
//
// Memory changes only after the registry answered. Parts of a VPC whose own record is missing (a crash between two
// writes: a VPC is written last and removed first) are removed by load().
#pragma once

#include <boost/asio/awaitable.hpp>
#include <map>

#include "base/result.h"
#include "store/registry.h"
#include "vpc/model.h"

namespace hearth::vpc {

class Records {
 public:
  struct Account {
    std::map<VpcId, Vpc> vpcs;
    std::map<SubnetId, Subnet> subnets;
    std::map<GroupId, Group> groups;
  };

  explicit Records(store::Registry& registry) : registry_(registry) {}

  boost::asio::awaitable<Result<>> load();

  // Of an account that has nothing: empty.
  const Account& of(const AccountId& account) const;
  std::vector<AccountId> accounts() const;
  // Is there a host of that name, whoever's?
  bool host_exists(const std::string& name) const;

  boost::asio::awaitable<Result<>> save(Vpc vpc);
  boost::asio::awaitable<Result<>> save(Subnet subnet);
  boost::asio::awaitable<Result<>> save(Group group);
  boost::asio::awaitable<Result<>> erase(AccountId account, VpcId id);
  boost::asio::awaitable<Result<>> erase(AccountId account, SubnetId id);
  boost::asio::awaitable<Result<>> erase(AccountId account, GroupId id);
  // From memory only: of a group whose VPC could not be written; load() removes its record.
  void forget(const AccountId& account, const GroupId& id) { accounts_[account].groups.erase(id); }

 private:
  boost::asio::awaitable<Result<>> remove_orphans();

  store::Registry& registry_;
  std::map<AccountId, Account> accounts_;
};

}  // namespace hearth::vpc
