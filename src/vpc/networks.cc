#include "vpc/networks.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <ranges>

#include "vpc/address.h"
#include "vpc/records.h"
#include "vpc/turns.h"
#include "vpc/warden_network.h"

namespace hearth::vpc {
namespace {

namespace asio = boost::asio;

constexpr int kMinPrefix = 16;  // of VPCs and subnets
constexpr int kMaxPrefix = 28;
constexpr size_t kMaxResolvConf = 64 * 1024;

// Where no VPC can be: the function network, and what no host may have.
constexpr std::string_view kForbidden[] = {"100.64.0.0/10", "0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16",
                                           "224.0.0.0/3"};

template <typename Map>
auto pointers(const Map& map) {
  std::vector<const typename Map::mapped_type*> out;
  for (const auto& item : std::views::values(map)) out.push_back(&item);
  return out;
}

template <typename Map, typename Key>
const typename Map::mapped_type* find_in(const Map& map, const Key& key) {
  auto found = map.find(key);
  return found == map.end() ? nullptr : &found->second;
}

// The IPv4 nameservers of resolv.conf that a container can ask: those of the loopback answer only the host.
std::vector<std::string> nameservers_of(const std::string& path) {
  std::vector<std::string> out;
  std::ifstream file(path);
  std::string line;
  for (size_t read = 0; read < kMaxResolvConf && std::getline(file, line); read += line.size() + 1) {
    constexpr std::string_view kWord = "nameserver";
    if (!line.starts_with(kWord)) continue;
    auto begin = line.find_first_not_of(" \t", kWord.size());
    if (begin == std::string::npos || begin == kWord.size()) continue;
    auto address = parse_address(line.substr(begin, line.find_first_of(" \t\r#;", begin) - begin));
    if (!address || *address >> 24 == 127) continue;
    out.push_back(address_text(*address));
    if (out.size() == Networks::kMaxNameservers) break;
  }
  return out;
}

Ec2Result<Cidr> vpc_range(const std::string& text) {
  auto range = parse_cidr(text);
  if (!range)
    return refuse(Kind::invalid, "InvalidParameterValue",
                  fmt::format("Value ({}) for parameter cidrBlock is invalid. This is not a valid CIDR block.", text));
  if (range->prefix < kMinPrefix || range->prefix > kMaxPrefix)
    return refuse(Kind::invalid, "InvalidVpc.Range",
                  fmt::format("The CIDR '{}' is invalid: its size must be between /16 and /28.", text));
  for (auto forbidden : kForbidden)
    if (parse_cidr(forbidden)->overlaps(*range))
      return refuse(Kind::invalid, "InvalidVpc.Range",
                    fmt::format("The CIDR '{}' is invalid: it overlaps {}, which is reserved.", text, forbidden));
  return *range;
}

Ec2Result<Cidr> subnet_range(const std::string& text, const Vpc& vpc, const Records::Account& records) {
  auto range = parse_cidr(text);
  if (!range)
    return refuse(Kind::invalid, "InvalidParameterValue",
                  fmt::format("Value ({}) for parameter cidrBlock is invalid. This is not a valid CIDR block.", text));
  TRY_ASSIGN(Cidr whole, parse_cidr(vpc.cidr));
  if (range->prefix < kMinPrefix || range->prefix > kMaxPrefix || !whole.contains(*range))
    return refuse(Kind::invalid, "InvalidSubnet.Range", fmt::format("The CIDR '{}' is invalid.", text));
  for (const auto& other : std::views::values(records.subnets)) {
    if (other.vpc != vpc.id) continue;
    TRY_ASSIGN(Cidr taken, parse_cidr(other.cidr));
    if (taken.overlaps(*range))
      return refuse(Kind::conflict, "InvalidSubnet.Conflict",
                    fmt::format("The CIDR '{}' conflicts with another subnet", text));
  }
  return *range;
}

std::unexpected<Ec2Error> no_vpc(const VpcId& id) {
  return refuse(Kind::not_found, "InvalidVpcID.NotFound", fmt::format("The vpc ID '{}' does not exist", id.str()));
}
std::unexpected<Ec2Error> no_subnet(const SubnetId& id) {
  return refuse(Kind::not_found, "InvalidSubnetID.NotFound",
                fmt::format("The subnet ID '{}' does not exist", id.str()));
}

}  // namespace

struct Networks::Private {};

Networks::Options Networks::Options::of(const Config& config) {
  Options options;
  options.gateway_driver = config.gateway_driver;
  options.outside = config.outside;
  return options;
}

Networks::Networks(const Private&, store::Registry& registry, WardenFn warden, UsesFn uses, TaskGroup& tasks,
                   Options options)
    : records_(std::make_unique<Records>(registry)),
      warden_(std::make_unique<WardenNetwork>(std::move(warden), options.gateway_driver)),
      turns_(std::make_unique<Turns>()),
      uses_(std::move(uses)),
      tasks_(tasks),
      options_(std::move(options)),
      outside_nameservers_(nameservers_of(options_.resolv_conf)),
      retry_(tasks.executor()) {}

Networks::~Networks() = default;

asio::awaitable<Result<std::unique_ptr<Networks>>> Networks::load(store::Registry& registry, WardenFn warden,
                                                                  UsesFn uses, TaskGroup& tasks, Options options) {
  auto networks =
      std::make_unique<Networks>(Private{}, registry, std::move(warden), std::move(uses), tasks, std::move(options));
  CO_TRY(co_await networks->records_->load());
  co_return networks;
}

// ---- look-ups

std::vector<const Vpc*> Networks::vpcs(const AccountId& account) const { return pointers(records_->of(account).vpcs); }
std::vector<const Subnet*> Networks::subnets(const AccountId& account) const {
  return pointers(records_->of(account).subnets);
}
std::vector<const Group*> Networks::groups(const AccountId& account) const {
  return pointers(records_->of(account).groups);
}
const Vpc* Networks::find_vpc(const AccountId& account, const VpcId& id) const {
  return find_in(records_->of(account).vpcs, id);
}
const Subnet* Networks::find_subnet(const AccountId& account, const SubnetId& id) const {
  return find_in(records_->of(account).subnets, id);
}
const Group* Networks::find_group(const AccountId& account, const GroupId& id) const {
  return find_in(records_->of(account).groups, id);
}

int64_t Networks::free_addresses(const Subnet& subnet) const {
  auto range = parse_cidr(subnet.cidr);
  if (!range) return 0;
  auto taken = subnet.hosts.size() + (subnet.gateway_address.empty() ? 0 : 1);
  return static_cast<int64_t>(range->size() - kReservedInAll) - static_cast<int64_t>(taken);
}

// ---- VPCs

asio::awaitable<Ec2Result<Vpc>> Networks::create_vpc(AccountId account, std::string cidr, Tags tags) {
  CO_TRY_ASSIGN(auto turn, co_await turns_->take(account));
  if (records_->of(account).vpcs.size() >= kMaxVpcs)
    co_return refuse(Kind::exhausted, "VpcLimitExceeded", "The maximum number of VPCs has been reached.");
  CO_TRY_ASSIGN(Cidr range, vpc_range(cidr));
  Vpc vpc{.id = VpcId("vpc-" + random_hex(17)), .account = account, .cidr = range.text(), .tags = std::move(tags)};
  Group group{.id = GroupId("sg-" + random_hex(17)),
              .account = account,
              .vpc = vpc.id,
              .name = "default",
              .description = "default VPC security group"};
  GroupRule inside{.id = "sgr-" + random_hex(17), .protocol = "-1", .referenced_group = group.id};
  GroupRule outside{.id = "sgr-" + random_hex(17), .egress = true, .protocol = "-1", .cidr = "0.0.0.0/0"};
  group.rules = {inside, outside};
  CO_TRY(co_await records_->save(group));
  auto saved = co_await records_->save(vpc);
  if (!saved) {
    records_->forget(account, group.id);
    co_return std::unexpected(saved.error());
  }
  co_return vpc;
}

asio::awaitable<Ec2Result<>> Networks::delete_vpc(AccountId account, VpcId id) {
  CO_TRY_ASSIGN(auto turn, co_await turns_->take(account));
  if (!find_vpc(account, id)) co_return no_vpc(id);
  const auto& records = records_->of(account);
  auto inside = [&id](const auto& item) { return item.vpc == id; };
  auto kept = [&id](const Group& group) { return group.vpc == id && group.name != "default"; };
  if (std::ranges::any_of(std::views::values(records.subnets), inside) ||
      std::ranges::any_of(std::views::values(records.groups), kept))
    co_return refuse(Kind::conflict, "DependencyViolation",
                     fmt::format("The vpc '{}' has dependencies and cannot be deleted.", id.str()));
  std::vector<GroupId> defaults;
  for (const auto& group : std::views::values(records.groups))
    if (group.vpc == id) defaults.push_back(group.id);
  CO_TRY(co_await warden_->drop_vpc(id));
  CO_TRY(co_await records_->erase(account, id));
  for (const auto& group : defaults) CO_TRY(co_await records_->erase(account, group));
  co_return Ec2Result<>();
}

asio::awaitable<Ec2Result<>> Networks::modify_vpc(AccountId account, VpcId id, VpcChange change) {
  CO_TRY_ASSIGN(auto turn, co_await turns_->take(account));
  const Vpc* found = find_vpc(account, id);
  if (!found) co_return no_vpc(id);
  Vpc vpc = *found;
  vpc.dns_support = change.dns_support.value_or(vpc.dns_support);
  vpc.dns_hostnames = change.dns_hostnames.value_or(vpc.dns_hostnames);
  if (change.nameservers) {
    if (change.nameservers->size() > kMaxNameservers)
      co_return refuse(Kind::invalid, "InvalidParameterValue",
                       fmt::format("A VPC has at most {} nameservers", kMaxNameservers));
    for (const auto& server : *change.nameservers) CO_TRY(parse_address(server));
    vpc.nameservers = *change.nameservers;
  }
  CO_TRY(co_await records_->save(std::move(vpc)));
  co_return Ec2Result<>();
}

// ---- subnets

asio::awaitable<Ec2Result<Subnet>> Networks::create_subnet(AccountId account, SubnetRequest request) {
  CO_TRY_ASSIGN(auto turn, co_await turns_->take(account));
  const Vpc* vpc = find_vpc(account, request.vpc);
  if (!vpc) co_return no_vpc(request.vpc);
  const auto& records = records_->of(account);
  auto beside = [&request](const Subnet& other) { return other.vpc == request.vpc; };
  if (std::ranges::count_if(std::views::values(records.subnets), beside) >= static_cast<int64_t>(kMaxSubnets))
    co_return refuse(Kind::exhausted, "SubnetLimitExceeded", "The maximum number of subnets has been reached.");
  CO_TRY_ASSIGN(Cidr range, subnet_range(request.cidr, *vpc, records));
  Subnet subnet{.id = SubnetId("subnet-" + random_hex(17)),
                .account = account,
                .vpc = request.vpc,
                .cidr = range.text(),
                .availability_zone = std::move(request.availability_zone),
                .tags = std::move(request.tags)};
  CO_TRY(co_await records_->save(subnet));
  co_return subnet;
}

asio::awaitable<Ec2Result<>> Networks::delete_subnet(AccountId account, SubnetId id) {
  CO_TRY_ASSIGN(auto turn, co_await turns_->take(account));
  const Subnet* found = find_subnet(account, id);
  if (!found) co_return no_subnet(id);
  const auto has_dependencies = [&id] {
    return refuse(Kind::conflict, "DependencyViolation",
                  fmt::format("The subnet '{}' has dependencies and cannot be deleted.", id.str()));
  };
  if (in_use(account, id) || !found->hosts.empty()) co_return has_dependencies();
  Subnet subnet = *found;
  auto dropped = co_await warden_->drop_subnet(std::move(subnet));
  // Instances of a function that has left it are still ending.
  if (!dropped && dropped.error().kind == Kind::conflict) co_return has_dependencies();
  CO_TRY(std::move(dropped));
  CO_TRY(co_await records_->erase(account, id));
  missing_.erase(id.str());
  co_return Ec2Result<>();
}

asio::awaitable<Ec2Result<>> Networks::modify_subnet(AccountId account, SubnetId id, bool public_addresses) {
  CO_TRY_ASSIGN(auto turn, co_await turns_->take(account));
  const Subnet* found = find_subnet(account, id);
  if (!found) co_return no_subnet(id);
  Subnet subnet = *found;
  subnet.public_addresses = public_addresses;
  CO_TRY(co_await records_->save(std::move(subnet)));
  co_return Ec2Result<>();
}

}  // namespace hearth::vpc
