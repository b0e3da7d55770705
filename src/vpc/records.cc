#include "vpc/records.h"

#include <algorithm>
#include <ranges>

#include "vpc/codec.h"

namespace hearth::vpc {
namespace {

namespace asio = boost::asio;

constexpr std::string_view kVpcs = "vpc/";
constexpr std::string_view kSubnets = "subnet/";
constexpr std::string_view kGroups = "security_group/";

template <typename IdType>
std::string key_of(std::string_view kind, const AccountId& account, const IdType& id) {
  return std::string(kind) + account.str() + "/" + id.str();
}

// Calls `take` with every value below `prefix`.
asio::awaitable<Result<>> for_each(store::Registry* registry, std::string prefix,
                                   std::function<Result<>(std::string_view)> take) {
  std::string after;
  while (true) {
    auto page = co_await registry->list(prefix, after, store::Registry::kMaxPage);
    if (!page) co_return std::unexpected(page.error());
    for (const auto& record : *page) {
      auto taken = take(record.value);
      if (!taken) {
        taken.error().message = record.key + ": " + taken.error().message;
        co_return taken;
      }
    }
    if (page->size() < store::Registry::kMaxPage) co_return Result<>();
    after = page->back().key;
  }
}

}  // namespace

asio::awaitable<Result<>> Records::load() {
  std::function<Result<>(std::string_view)> take_vpc = [this](std::string_view text) -> Result<> {
    TRY_ASSIGN(Vpc vpc, decode_vpc(text));
    accounts_[vpc.account].vpcs[vpc.id] = vpc;
    return {};
  };
  std::function<Result<>(std::string_view)> take_subnet = [this](std::string_view text) -> Result<> {
    TRY_ASSIGN(Subnet subnet, decode_subnet(text));
    accounts_[subnet.account].subnets[subnet.id] = subnet;
    return {};
  };
  std::function<Result<>(std::string_view)> take_group = [this](std::string_view text) -> Result<> {
    TRY_ASSIGN(Group group, decode_group(text));
    accounts_[group.account].groups[group.id] = group;
    return {};
  };
  CO_TRY(co_await for_each(&registry_, std::string(kVpcs), take_vpc));
  CO_TRY(co_await for_each(&registry_, std::string(kSubnets), take_subnet));
  CO_TRY(co_await for_each(&registry_, std::string(kGroups), take_group));
  co_return co_await remove_orphans();
}

asio::awaitable<Result<>> Records::remove_orphans() {
  std::vector<std::pair<AccountId, SubnetId>> subnets;
  std::vector<std::pair<AccountId, GroupId>> groups;
  for (const auto& [account, records] : accounts_) {
    for (const auto& [id, subnet] : records.subnets)
      if (!records.vpcs.contains(subnet.vpc)) subnets.emplace_back(account, id);
    for (const auto& [id, group] : records.groups)
      if (!records.vpcs.contains(group.vpc)) groups.emplace_back(account, id);
  }
  for (const auto& [account, id] : subnets) CO_TRY(co_await erase(account, id));
  for (const auto& [account, id] : groups) CO_TRY(co_await erase(account, id));
  co_return Result<>();
}

const Records::Account& Records::of(const AccountId& account) const {
  static const Account kNone;
  auto found = accounts_.find(account);
  return found == accounts_.end() ? kNone : found->second;
}

std::vector<AccountId> Records::accounts() const {
  auto names = std::views::keys(accounts_);
  return {names.begin(), names.end()};
}

bool Records::host_exists(const std::string& name) const {
  for (const auto& records : std::views::values(accounts_))
    for (const auto& subnet : std::views::values(records.subnets))
      if (subnet.hosts.contains(name)) return true;
  return false;
}

asio::awaitable<Result<>> Records::save(Vpc vpc) {
  auto stored = co_await registry_.put(key_of(kVpcs, vpc.account, vpc.id), encode(vpc), std::nullopt);
  if (!stored) co_return std::unexpected(stored.error());
  accounts_[vpc.account].vpcs[vpc.id] = std::move(vpc);
  co_return Result<>();
}

asio::awaitable<Result<>> Records::save(Subnet subnet) {
  auto stored = co_await registry_.put(key_of(kSubnets, subnet.account, subnet.id), encode(subnet), std::nullopt);
  if (!stored) co_return std::unexpected(stored.error());
  accounts_[subnet.account].subnets[subnet.id] = std::move(subnet);
  co_return Result<>();
}

asio::awaitable<Result<>> Records::save(Group group) {
  auto stored = co_await registry_.put(key_of(kGroups, group.account, group.id), encode(group), std::nullopt);
  if (!stored) co_return std::unexpected(stored.error());
  accounts_[group.account].groups[group.id] = std::move(group);
  co_return Result<>();
}

asio::awaitable<Result<>> Records::erase(AccountId account, VpcId id) {
  CO_TRY(co_await registry_.remove(key_of(kVpcs, account, id), std::nullopt));
  accounts_[account].vpcs.erase(id);
  co_return Result<>();
}

asio::awaitable<Result<>> Records::erase(AccountId account, SubnetId id) {
  CO_TRY(co_await registry_.remove(key_of(kSubnets, account, id), std::nullopt));
  accounts_[account].subnets.erase(id);
  co_return Result<>();
}

asio::awaitable<Result<>> Records::erase(AccountId account, GroupId id) {
  CO_TRY(co_await registry_.remove(key_of(kGroups, account, id), std::nullopt));
  accounts_[account].groups.erase(id);
  co_return Result<>();
}

}  // namespace hearth::vpc
