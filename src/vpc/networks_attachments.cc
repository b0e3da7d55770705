// Networks: how functions get into VPCs: attachments, policies, and keeping the warden in agreement.
#include <fmt/format.h>
#include <openssl/sha.h>

#include <algorithm>
#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <ranges>

#include "base/log.h"
#include "vpc/address.h"
#include "vpc/networks.h"
#include "vpc/records.h"
#include "vpc/rules.h"
#include "vpc/turns.h"
#include "vpc/warden_network.h"

namespace hearth::vpc {
namespace {

namespace asio = boost::asio;

constexpr const char* kOutside = "outside";

template <typename T>
bool holds(const std::vector<T>& list, const T& item) {
  return std::ranges::find(list, item) != list.end();
}

Failure lambda_error(std::string_view call, std::string_view code, std::string message) {
  return fail(Kind::invalid,
              fmt::format("Error occurred while {}. EC2 Error Code: {}. EC2 Error Message: {}", call, code, message));
}

// eni-… that stays the same while the subnet's gateway keeps its address.
std::string interface_id(const Subnet& subnet) {
  std::string text = subnet.id.str() + "\n" + subnet.gateway_address;
  std::array<unsigned char, SHA256_DIGEST_LENGTH> digest{};
  SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data());
  std::string id = "eni-";
  for (size_t i = 0; i < 9; ++i) id += fmt::format("{:02x}", digest[i]);
  return id.substr(0, 4 + 17);
}

std::set<uint32_t> taken_addresses(const Subnet& subnet) {
  std::set<uint32_t> taken;
  for (const auto& address : std::views::values(subnet.hosts))
    if (auto parsed = parse_address(address)) taken.insert(*parsed);
  if (auto gateway = parse_address(subnet.gateway_address)) taken.insert(*gateway);
  return taken;
}

// The first failure of several things that are all tried.
void keep_first(Result<>& first, Result<> next) {
  if (first && !next) first = std::move(next);
}

}  // namespace

Result<VpcId> Networks::resolve(const AccountId& account, const VpcConfig& config) const {
  if (config.subnets.empty() || config.groups.empty())
    return fail(Kind::invalid, "SubnetIds and SecurityIds must coexist or be both empty list.");
  if (config.subnets.size() > kMaxFunctionSubnets || config.groups.size() > kMaxFunctionGroups)
    return fail(Kind::invalid, fmt::format("A function is in at most {} subnets and {} security groups",
                                           kMaxFunctionSubnets, kMaxFunctionGroups));
  VpcId vpc;
  for (const auto& id : config.subnets) {
    const Subnet* subnet = find_subnet(account, id);
    if (!subnet)
      return lambda_error("DescribeSubnets", "InvalidSubnetID.NotFound",
                          fmt::format("The subnet ID '{}' does not exist", id.str()));
    if (!vpc.empty() && subnet->vpc != vpc) return fail(Kind::invalid, "Subnets are required to be in the same VPC.");
    vpc = subnet->vpc;
  }
  for (const auto& id : config.groups) {
    const Group* group = find_group(account, id);
    if (!group)
      return lambda_error("DescribeSecurityGroups", "InvalidGroup.NotFound",
                          fmt::format("The security group '{}' does not exist", id.str()));
    if (group->vpc != vpc) return fail(Kind::invalid, "Security Groups are required to be in the same VPC as Subnets.");
  }
  TRY(check_limits(account, config));
  return vpc;
}

// Gateways and policies are the machine's: one account must not have them all.
Result<> Networks::check_limits(const AccountId& account, const VpcConfig& config) const {
  std::set<SubnetId> attached;
  for (const auto& [id, subnet] : records_->of(account).subnets)
    if (!subnet.gateway_address.empty()) attached.insert(id);
  const size_t before = attached.size();
  attached.insert(config.subnets.begin(), config.subnets.end());
  if (attached.size() > kMaxAttached && attached.size() > before)
    return lambda_error("CreateNetworkInterface", "NetworkInterfaceLimitExceeded",
                        fmt::format("Functions of an account are in at most {} subnets", kMaxAttached));
  std::set<std::string> sets;
  for (const auto& groups : group_sets(account)) sets.insert(policy_name(groups));
  if (sets.size() >= kMaxGroupSets && !sets.contains(policy_name(config.groups)))
    return lambda_error(
        "CreateNetworkInterface", "SecurityGroupsPerInterfaceLimitExceeded",
        fmt::format("Functions of an account have at most {} different sets of security groups", kMaxGroupSets));
  return {};
}

Result<Plan> Networks::plan(const AccountId& account, const std::optional<VpcConfig>& config) const {
  const auto not_ready = [](const std::string& why) {
    return fail(Kind::conflict, "The function's network connection is not ready: " + why);
  };
  if (!config) {
    if (options_.outside == "none") return Plan();
    const auto missing = missing_.find(kOutside);
    if (missing != missing_.end()) return not_ready(missing->second);
    return Plan{kOutside, "", outside_nameservers_};
  }
  Plan plan;
  plan.policy = policy_name(config->groups);
  if (const auto missing = missing_.find(plan.policy); missing != missing_.end()) return not_ready(missing->second);
  std::string why;
  for (const auto& id : config->subnets) {
    const Subnet* subnet = find_subnet(account, id);
    if (!subnet || subnet->gateway_address.empty()) continue;
    if (const auto missing = missing_.find(id.str()); missing != missing_.end()) {
      why = missing->second;
      continue;
    }
    plan.attachment = id.str();
    const Vpc* vpc = find_vpc(account, subnet->vpc);
    if (vpc && vpc->dns_support) plan.nameservers = vpc->nameservers;
    return plan;
  }
  if (!why.empty()) return not_ready(why);
  return plan;
}

// ---- who uses what

bool Networks::in_use(const AccountId& account, const SubnetId& id) const {
  auto named = [&id](const Use& use) { return holds(use.config.subnets, id); };
  return std::ranges::any_of(uses_(account), named);
}

bool Networks::in_use(const AccountId& account, const GroupId& id) const {
  auto named = [&id](const Use& use) { return holds(use.config.groups, id); };
  return std::ranges::any_of(uses_(account), named);
}

std::vector<NetworkInterface> Networks::interfaces(const AccountId& account) const {
  std::map<SubnetId, std::set<GroupId>> used;
  for (const auto& use : uses_(account))
    for (const auto& id : use.config.subnets) used[id].insert(use.config.groups.begin(), use.config.groups.end());
  std::vector<NetworkInterface> out;
  for (const auto& [id, groups] : used) {
    const Subnet* subnet = find_subnet(account, id);
    if (!subnet || subnet->gateway_address.empty()) continue;
    std::string eni = interface_id(*subnet);
    out.push_back({eni, id, subnet->vpc, subnet->availability_zone, subnet->gateway_address, subnet->gateway_mac,
                   "AWS Lambda VPC ENI-" + id.str(), std::vector<GroupId>(groups.begin(), groups.end())});
  }
  std::ranges::sort(out, {}, &NetworkInterface::id);
  return out;
}

std::vector<std::vector<GroupId>> Networks::group_sets(const AccountId& account) const {
  std::map<std::string, std::vector<GroupId>> sets;
  for (const auto& use : uses_(account)) sets.emplace(policy_name(use.config.groups), use.config.groups);
  auto said = policies_.find(account);
  if (said != policies_.end()) sets.insert(said->second.begin(), said->second.end());
  auto values = std::views::values(sets);
  return {values.begin(), values.end()};
}

// ---- making the way

asio::awaitable<Result<>> Networks::prepare(AccountId account, std::optional<VpcConfig> config) {
  if (!config) co_return co_await prepare_outside();
  CO_TRY_ASSIGN(auto turn, co_await turns_->take(account));
  CO_TRY(resolve(account, *config));
  co_return co_await prepare_subnets(account, std::move(*config));
}

asio::awaitable<Result<>> Networks::prepare_outside() {
  if (options_.outside == "none") co_return Result<>();
  auto made = co_await warden_->ensure_gateway();
  if (made) made = co_await warden_->ensure_outside();
  if (made) missing_.erase(kOutside);
  co_return made;
}

asio::awaitable<Result<>> Networks::prepare_subnets(AccountId account, VpcConfig config) {
  CO_TRY(co_await warden_->ensure_gateway());
  policies_[account].emplace(policy_name(config.groups), config.groups);
  for (const auto& id : config.subnets) CO_TRY(co_await attach(account, id));
  // The policy itself, and every other whose rules let functions reach these groups: their addresses may be new.
  co_return co_await say_policies(account, config.groups);
}

asio::awaitable<Result<>> Networks::attach(AccountId account, SubnetId id) {
  const Subnet* found = find_subnet(account, id);
  if (!found) co_return fail(Kind::not_found, fmt::format("The subnet ID '{}' does not exist", id.str()));
  Subnet subnet = *found;
  if (subnet.gateway_address.empty()) {
    CO_TRY_ASSIGN(Cidr range, parse_cidr(subnet.cidr));
    CO_TRY_ASSIGN(uint32_t address, next_free(range, taken_addresses(subnet)));
    subnet.gateway_address = address_text(address);
    CO_TRY(co_await records_->save(subnet));
  }
  CO_TRY(co_await warden_->ensure_subnet(subnet));
  CO_TRY_ASSIGN(warden::AttachmentReply reply, co_await warden_->ensure_attachment(subnet));
  missing_.erase(id.str());
  if (reply.mac == subnet.gateway_mac) co_return Result<>();
  subnet.gateway_mac = reply.mac;
  co_return co_await records_->save(std::move(subnet));
}

asio::awaitable<Result<>> Networks::detach_gateway(AccountId account, SubnetId id) {
  CO_TRY(co_await warden_->drop_attachment(id));
  missing_.erase(id.str());
  const Subnet* found = find_subnet(account, id);
  if (!found) co_return Result<>();
  Subnet subnet = *found;
  subnet.gateway_address.clear();
  subnet.gateway_mac.clear();
  co_return co_await records_->save(std::move(subnet));
}

bool Networks::concerns(const AccountId& account, const std::vector<GroupId>& groups,
                        const std::vector<GroupId>& changed) const {
  for (const auto& id : groups) {
    if (holds(changed, id)) return true;
    const Group* group = find_group(account, id);
    if (!group) continue;
    for (const auto& rule : group->rules)
      if (rule.egress && holds(changed, rule.referenced_group)) return true;
  }
  return false;
}

asio::awaitable<Result<>> Networks::say_policies(AccountId account, std::vector<GroupId> changed) {
  Result<> first;
  for (const auto& groups : group_sets(account)) {
    if (!changed.empty() && !concerns(account, groups, changed)) continue;
    auto egress = egress_of(groups, records_->of(account), interfaces(account));
    if (!egress) {
      keep_first(first, std::unexpected(egress.error()));
      continue;
    }
    auto said = co_await warden_->ensure_policy(policy_name(groups), std::move(*egress));
    if (said) policies_[account].emplace(policy_name(groups), groups);
    // One that stands with its old rules is no reason to stop functions.
    if (said || changed.empty()) said = noted(policy_name(groups), std::move(said));
    keep_first(first, std::move(said));
  }
  co_return first;
}

// ---- letting go

void Networks::release_unused(const AccountId& account) {
  if (++releases_[account] == 1) tasks_.spawn("release of network attachments", release_later(account));
}

asio::awaitable<void> Networks::release_later(AccountId account) {
  asio::steady_timer timer(tasks_.executor());
  int seen = 0;
  while (seen != releases_[account]) {
    seen = releases_[account];
    timer.expires_after(options_.release_after);
    auto [ended] = co_await timer.async_wait(asio::as_tuple(asio::use_awaitable));
    if (ended) co_return;  // the daemon stops; ensure_all() of the next one starts the wait again
  }
  releases_.erase(account);
  auto released = co_await release_now(account);
  if (!released) log::warn("unused network attachments stay: {}", released.error().describe());
}

asio::awaitable<Result<>> Networks::release_now(AccountId account) {
  CO_TRY_ASSIGN(auto turn, co_await turns_->take(account));
  std::vector<SubnetId> unused;
  for (const auto& [id, subnet] : records_->of(account).subnets)
    if (!subnet.gateway_address.empty() && !in_use(account, id)) unused.push_back(id);
  Result<> first;
  for (const auto& id : unused) keep_first(first, co_await detach_gateway(account, id));
  std::set<std::string> named;
  for (const auto& use : uses_(account)) named.insert(policy_name(use.config.groups));
  std::vector<std::string> policies;
  for (const auto& name : std::views::keys(policies_[account]))
    if (!named.contains(name)) policies.push_back(name);
  for (const auto& name : policies) {
    auto dropped = co_await warden_->drop_policy(name);
    if (dropped) policies_[account].erase(name);
    if (dropped) missing_.erase(name);
    keep_first(first, std::move(dropped));
  }
  co_return first;
}

// ---- the whole of it

void Networks::warden_connected() { tasks_.spawn("agreement on networks", agree(++connection_)); }

void Networks::warden_disconnected() {
  ++connection_;
  retry_.cancel();
}

asio::awaitable<void> Networks::agree(uint64_t connection) {
  Unsaid unsaid{.outside = true, .accounts = records_->accounts(), .unknown = true};
  std::string last;
  for (auto pause = options_.first_retry;; pause = std::min(2 * pause, options_.last_retry)) {
    auto said = co_await say(&unsaid);
    if (said || connection != connection_) co_return;
    std::string why = said.error().describe();
    if (why != last) log::error("not all networks could be made, trying again: {}", why);
    last = std::move(why);
    retry_.expires_after(pause);
    auto [ended] = co_await retry_.async_wait(asio::as_tuple(asio::use_awaitable));
    if (ended || connection != connection_) co_return;
  }
}

asio::awaitable<Result<>> Networks::ensure_all() {
  Unsaid unsaid{.outside = true, .accounts = records_->accounts(), .unknown = false};
  co_return co_await say(&unsaid);
}

asio::awaitable<Result<>> Networks::say(Unsaid* unsaid) {
  Result<> first;
  if (unsaid->outside) {
    auto made = co_await prepare_outside();
    first = noted(kOutside, std::move(made));
  }
  unsaid->outside = !first;
  std::vector<AccountId> left;
  for (const auto& account : unsaid->accounts) {
    auto ensured = co_await ensure_account(account);
    if (!ensured) left.push_back(account);
    keep_first(first, std::move(ensured));
  }
  unsaid->accounts = std::move(left);
  if (unsaid->unknown) {
    auto deleted = co_await delete_unknown();
    unsaid->unknown = !deleted;
    keep_first(first, std::move(deleted));
  }
  co_return first;
}

// Records are written before the warden is told and erased after it, so nothing that is being made or deleted by
// others is unknown.
asio::awaitable<Result<>> Networks::delete_unknown() {
  Result<> first;
  for (std::string kind : {"host", "attachment", "policy", "subnet", "vpc"})
    keep_first(first, co_await delete_unknown_of(std::move(kind)));
  co_return first;
}

asio::awaitable<Result<>> Networks::delete_unknown_of(std::string kind) {
  CO_TRY_ASSIGN(const auto there, co_await warden_->list(kind));
  const auto known = known_names(kind);
  Result<> first;
  for (const auto& thing : there) {
    // Asked once more: it may have been made while others were deleted.
    if (known.contains(thing.name) || known_names(kind).contains(thing.name)) continue;
    log::info("the warden's {} {} is known to nobody and is deleted", kind, thing.name);
    keep_first(first, co_await warden_->drop_listed(kind, thing));
  }
  co_return first;
}

std::set<std::string> Networks::known_names(const std::string& kind) const {
  std::set<std::string> names;
  if (kind == "attachment") names.insert(kOutside);
  for (const auto& account : records_->accounts()) {
    const auto& records = records_->of(account);
    if (kind == "vpc")
      for (const auto& id : std::views::keys(records.vpcs)) names.insert(id.str());
    if (kind == "policy")
      for (const auto& groups : group_sets(account)) names.insert(policy_name(groups));
    for (const auto& [id, subnet] : records.subnets) {
      if (kind == "subnet" || (kind == "attachment" && !subnet.gateway_address.empty())) names.insert(id.str());
      if (kind == "host")
        for (const auto& host : std::views::keys(subnet.hosts)) names.insert(host);
    }
  }
  return names;
}

Result<> Networks::noted(const std::string& name, Result<> made) {
  if (made) missing_.erase(name);
  // While the warden is away nothing is known of what stands.
  if (!made && warden_->connected()) missing_[name] = made.error().message;
  return made;
}

asio::awaitable<Result<>> Networks::ensure_account(AccountId account) {
  CO_TRY_ASSIGN(auto turn, co_await turns_->take(account));
  std::vector<Subnet> needed;
  for (const auto& subnet : std::views::values(records_->of(account).subnets))
    if (!subnet.gateway_address.empty() || !subnet.hosts.empty() || !subnet.bridge.empty() || subnet.vni != 0)
      needed.push_back(subnet);
  Result<> first;
  bool unused = false;
  if (!needed.empty()) keep_first(first, co_await warden_->ensure_gateway());
  for (const auto& subnet : needed) {
    unused = unused || (!subnet.gateway_address.empty() && !in_use(account, subnet.id));
    keep_first(first, co_await ensure_needed(account, subnet));
  }
  std::vector<GroupId> all;
  keep_first(first, co_await say_policies(account, std::move(all)));
  if (unused) release_unused(account);
  co_return first;
}

asio::awaitable<Result<>> Networks::ensure_needed(AccountId account, Subnet subnet) {
  auto made = co_await warden_->ensure_subnet(subnet);
  if (made) made = co_await warden_->tie(subnet);
  if (made && !subnet.gateway_address.empty()) made = co_await attach(account, subnet.id);
  Result<> first = noted(subnet.id.str(), std::move(made));
  for (const auto& [name, address] : subnet.hosts) keep_first(first, co_await warden_->add_host(subnet, name, address));
  co_return first;
}

asio::awaitable<Result<>> Networks::reset(AccountId account) {
  CO_TRY_ASSIGN(auto turn, co_await turns_->take(account));
  std::chrono::milliseconds waited{0};
  for (auto pause = options_.first_retry;; pause = std::min(2 * pause, options_.last_retry)) {
    auto dropped = co_await drop_all(account);
    if (dropped) co_return co_await reset_records(account);
    // In use by instances that are ending: their functions are gone.
    if (dropped.error().kind != Kind::conflict || waited >= options_.ending) co_return dropped;
    asio::steady_timer timer(tasks_.executor(), pause);
    co_await timer.async_wait(asio::use_awaitable);
    waited += pause;
  }
}

asio::awaitable<Result<>> Networks::drop_all(AccountId account) {
  std::vector<Subnet> subnets;
  for (const auto& subnet : std::views::values(records_->of(account).subnets)) subnets.push_back(subnet);
  for (const auto& subnet : subnets) CO_TRY(co_await warden_->drop_subnet(subnet));
  std::vector<VpcId> vpcs;
  for (const auto& id : std::views::keys(records_->of(account).vpcs)) vpcs.push_back(id);
  for (const auto& id : vpcs) CO_TRY(co_await warden_->drop_vpc(id));
  std::vector<std::string> policies;
  for (const auto& name : std::views::keys(policies_[account])) policies.push_back(name);
  for (const auto& name : policies) CO_TRY(co_await warden_->drop_policy(name));
  policies_.erase(account);
  co_return Result<>();
}

asio::awaitable<Result<>> Networks::reset_records(AccountId account) {
  auto records = records_->of(account);  // a copy: what it names is erased
  for (const auto& id : std::views::keys(records.subnets)) CO_TRY(co_await records_->erase(account, id));
  for (const auto& id : std::views::keys(records.vpcs)) CO_TRY(co_await records_->erase(account, id));
  for (const auto& id : std::views::keys(records.groups)) CO_TRY(co_await records_->erase(account, id));
  co_return Result<>();
}

}  // namespace hearth::vpc
