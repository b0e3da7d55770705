// Networks: VPCs, subnets, security groups and the gateway's interfaces in them; durable records, kept in agreement
// with the warden.
//
// Invariants
//  1. Memory holds all records (loaded at start); every change is in the registry before it is seen.
//  2. What exists in the kernel follows the records. A subnet is made at the warden when something needs it (a
//  function,
//     a host, a tie to a real network); all of that is said again after each (re)connection, and what failed is
//     tried again until it stands; what the warden has and no record knows is deleted then. Deletion goes the other
//     way round: first the kernel, then the record.
//  3. Changes of one account happen one after the other; accounts do not wait for each other.
//  4. Every look-up names the account: nobody sees another's.
//  5. Who uses a subnet or group is asked of the owner of functions (UsesFn), never counted here.
//
// Pointers that look-ups answer are good until the next co_await. Errors carry EC2's codes (model.h).
// Owned by the loop's thread. Must outlive its tasks in `tasks`.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/config.h"
#include "base/json.h"
#include "base/task_group.h"
#include "store/registry.h"
#include "vpc/model.h"
#include "warden_client/client.h"

namespace hearth::vpc {

class Records;
class WardenNetwork;
class Turns;

class Networks {
 public:
  static constexpr size_t kMaxVpcs = 50;             // an account
  static constexpr size_t kMaxSubnets = 200;         // a VPC
  static constexpr size_t kMaxGroups = 500;          // an account
  static constexpr size_t kMaxRules = 60;            // a group and direction
  static constexpr size_t kMaxTags = 50;             // a resource
  static constexpr size_t kMaxHosts = 250;           // a subnet
  static constexpr size_t kMaxNameservers = 3;       // as resolv.conf
  static constexpr size_t kMaxAttached = 100;        // subnets of an account with a gateway in them, of 4,094 in all
  static constexpr size_t kMaxGroupSets = 100;       // of an account's functions, of 1,023 in all
  static constexpr size_t kMaxFunctionSubnets = 16;  // as on AWS
  static constexpr size_t kMaxFunctionGroups = 5;

  struct Options {
    std::string gateway_driver = "auto";
    std::string outside = "host";  // "none": functions without a VPC have no network
    std::string resolv_conf = "/etc/resolv.conf";
    // How long an attachment that no function names is kept, so that calls under way end with their network.
    std::chrono::milliseconds release_after = std::chrono::minutes(16);
    // Between two tries to make what does not stand: the first wait, doubled each time up to the last.
    std::chrono::milliseconds first_retry = std::chrono::milliseconds(100);
    std::chrono::milliseconds last_retry = std::chrono::seconds(10);
    // How long a reset waits for instances that are ending.
    std::chrono::milliseconds ending = std::chrono::seconds(20);

    static Options of(const Config& config);
  };

  using WardenFn = std::function<WardenClient&()>;
  using UsesFn = std::function<std::vector<Use>(const AccountId&)>;

  static boost::asio::awaitable<Result<std::unique_ptr<Networks>>> load(store::Registry& registry, WardenFn warden,
                                                                        UsesFn uses, TaskGroup& tasks, Options options);
  ~Networks();

  // ---- functions
  // The VPC that all of them are in, or Kind::invalid worded as Lambda words it. Both lists must hold something.
  Result<VpcId> resolve(const AccountId& account, const VpcConfig& config) const;
  // Makes the way out stand, and answers after it is proven. nullopt: a function without a VPC.
  boost::asio::awaitable<Result<>> prepare(AccountId account, std::optional<VpcConfig> config);
  // For the bind; no I/O. Kind::conflict, with the reason, while what it needs could not be made at the warden.
  // REQUIRES: prepare() succeeded once for this configuration (it survives restarts).
  Result<Plan> plan(const AccountId& account, const std::optional<VpcConfig>& config) const;
  // To be called when a function was deleted or has left a subnet: lets go, after `release_after`, of what none names.
  void release_unused(const AccountId& account);

  // ---- the warden
  // The hooks of the warden's client. In between, everything that must exist is said, and said again until it stands.
  void warden_connected();
  void warden_disconnected();
  // Says everything that must exist once. Goes on after a failure; answers the first.
  boost::asio::awaitable<Result<>> ensure_all();
  // Deletes all that the account has, whatever depends on it (testing.reset; functions go first).
  boost::asio::awaitable<Result<>> reset(AccountId account);

  // ---- look-ups, in id order
  std::vector<const Vpc*> vpcs(const AccountId& account) const;
  std::vector<const Subnet*> subnets(const AccountId& account) const;
  std::vector<const Group*> groups(const AccountId& account) const;
  std::vector<NetworkInterface> interfaces(const AccountId& account) const;
  const Vpc* find_vpc(const AccountId& account, const VpcId& id) const;
  const Subnet* find_subnet(const AccountId& account, const SubnetId& id) const;
  const Group* find_group(const AccountId& account, const GroupId& id) const;
  int64_t free_addresses(const Subnet& subnet) const;

  // ---- VPCs
  boost::asio::awaitable<Ec2Result<Vpc>> create_vpc(AccountId account, std::string cidr, Tags tags);
  boost::asio::awaitable<Ec2Result<>> delete_vpc(AccountId account, VpcId id);
  struct VpcChange {
    std::optional<bool> dns_support;
    std::optional<bool> dns_hostnames;
    std::optional<std::vector<std::string>> nameservers;
  };
  boost::asio::awaitable<Ec2Result<>> modify_vpc(AccountId account, VpcId id, VpcChange change);

  // ---- subnets
  struct SubnetRequest {
    VpcId vpc;
    std::string cidr;
    std::string availability_zone;
    Tags tags;
  };
  boost::asio::awaitable<Ec2Result<Subnet>> create_subnet(AccountId account, SubnetRequest request);
  boost::asio::awaitable<Ec2Result<>> delete_subnet(AccountId account, SubnetId id);
  boost::asio::awaitable<Ec2Result<>> modify_subnet(AccountId account, SubnetId id, bool public_addresses);

  // ---- security groups
  struct GroupRequest {
    VpcId vpc;
    std::string name;
    std::string description;
    Tags tags;
  };
  boost::asio::awaitable<Ec2Result<Group>> create_group(AccountId account, GroupRequest request);
  boost::asio::awaitable<Ec2Result<>> delete_group(AccountId account, GroupId id);
  // All or none. Answers them with their ids. Running functions follow before it answers.
  boost::asio::awaitable<Ec2Result<std::vector<GroupRule>>> add_rules(AccountId account, GroupId group,
                                                                      std::vector<GroupRule> rules);
  boost::asio::awaitable<Ec2Result<>> remove_rules(AccountId account, GroupId group, std::vector<std::string> ids);
  // `descriptions`: rule id → text.
  boost::asio::awaitable<Ec2Result<>> describe_rules(AccountId account, GroupId group, Tags descriptions);

  // ---- tags of a VPC, subnet, group or rule, by its id
  const Tags* tags_of(const AccountId& account, const std::string& id) const;
  boost::asio::awaitable<Ec2Result<>> change_tags(AccountId account, std::vector<std::string> ids,
                                                  std::function<void(Tags&)> change);

  // ---- trials and ties to real networks. `subnet` empty: the only one of the VPC.
  // A network namespace called `name` with one interface in the subnet; `address` empty: the next free one.
  struct Host {
    std::string name;
    SubnetId subnet;
    std::string address;
  };
  boost::asio::awaitable<Ec2Result<Host>> add_host(AccountId account, VpcId vpc, SubnetId subnet, std::string name,
                                                   std::string address);
  boost::asio::awaitable<Ec2Result<>> delete_host(AccountId account, VpcId vpc, std::string name);
  boost::asio::awaitable<Ec2Result<>> attach_bridge(AccountId account, VpcId vpc, SubnetId subnet, std::string bridge,
                                                    int64_t vlan);
  boost::asio::awaitable<Ec2Result<>> attach_vxlan(AccountId account, VpcId vpc, SubnetId subnet, int64_t vni,
                                                   std::string remote);
  boost::asio::awaitable<Ec2Result<>> detach(AccountId account, VpcId vpc, SubnetId subnet);
  // The gateway's counters of this VPC's attachments: {SUBNET:{counter:number}}.
  boost::asio::awaitable<Ec2Result<json::object>> counters(AccountId account, VpcId vpc);
  // All of the gateway's, of every account (warden::GatewayStatsReply).
  boost::asio::awaitable<Result<json::object>> gateway_counters();

 private:
  using Done = boost::asio::awaitable<Result<>>;
  struct Private;  // only load() makes one

  Done prepare_outside();
  Done prepare_subnets(AccountId account, VpcConfig config);
  // Gives the subnet a gateway address, has the warden attach it, keeps what it answered.
  Done attach(AccountId account, SubnetId id);
  Done detach_gateway(AccountId account, SubnetId id);
  // Says again the policies whose groups are, or whose rules name, one of `changed`; all policies when it is empty.
  Done say_policies(AccountId account, std::vector<GroupId> changed);
  // What one connection has not been told, or not with success.
  struct Unsaid {
    bool outside = true;
    std::vector<AccountId> accounts;
    bool unknown = false;  // what is there and has no record is to be deleted
  };
  boost::asio::awaitable<void> agree(uint64_t connection);
  Done say(Unsaid* unsaid);
  Done delete_unknown();
  Done delete_unknown_of(std::string kind);
  std::set<std::string> known_names(const std::string& kind) const;
  Done ensure_account(AccountId account);
  Done ensure_needed(AccountId account, Subnet subnet);
  // Remembers why an attachment or policy, which is tried again, does not stand, or that it does. Answers `made`.
  Result<> noted(const std::string& name, Result<> made);
  Done release_now(AccountId account);
  boost::asio::awaitable<void> release_later(AccountId account);
  Done drop_all(AccountId account);
  Done reset_records(AccountId account);
  // Do functions with these groups depend on the egress rules of one of `changed`?
  bool concerns(const AccountId& account, const std::vector<GroupId>& groups,
                const std::vector<GroupId>& changed) const;
  Ec2Result<> check_egress(const Group& changed) const;
  Result<> check_limits(const AccountId& account, const VpcConfig& config) const;
  std::vector<std::vector<GroupId>> group_sets(const AccountId& account) const;
  bool in_use(const AccountId& account, const SubnetId& id) const;
  bool in_use(const AccountId& account, const GroupId& id) const;
  Ec2Result<Subnet> subnet_of(const AccountId& account, const VpcId& vpc, const SubnetId& subnet) const;
  boost::asio::awaitable<Ec2Result<>> save_tied(Subnet subnet, Subnet before);
  boost::asio::awaitable<Ec2Result<>> save_group(Group group, bool egress_changed);
  boost::asio::awaitable<void> say_groups_until_done(AccountId account);
  boost::asio::awaitable<Ec2Result<>> change_tags_of(AccountId account, std::string id,
                                                     std::function<void(Tags&)> change);

  std::unique_ptr<Records> records_;
  std::unique_ptr<WardenNetwork> warden_;
  std::unique_ptr<Turns> turns_;
  UsesFn uses_;
  TaskGroup& tasks_;
  Options options_;
  std::vector<std::string> outside_nameservers_;
  std::map<AccountId, std::map<std::string, std::vector<GroupId>>> policies_;  // said to the warden: name → groups
  std::map<std::string, std::string> missing_;  // attachment or policy that could not be made → why
  uint64_t connection_ = 0;                     // counts each beginning and end
  boost::asio::steady_timer retry_;
  std::map<AccountId, std::set<GroupId>> unsaid_groups_;  // whose change is not in force; say_groups_until_done() runs
  std::map<AccountId, int> releases_;  // release_later() tasks: calls of release_unused() since one last looked

 public:
  Networks(const Private&, store::Registry& registry, WardenFn warden, UsesFn uses, TaskGroup& tasks, Options options);
};

}  // namespace hearth::vpc
