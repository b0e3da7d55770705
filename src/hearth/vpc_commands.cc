#include <fmt/format.h>

#include <memory>

#include "hearth/commands.h"
#include "hearth/table.h"

namespace hearth::cli {
namespace {

std::string attached_to(const json::value& subnet) {
  if (auto bridge = cell(subnet, "attached.bridge"); !bridge.empty()) {
    std::string vlan = cell(subnet, "attached.vlan");
    return "bridge " + bridge + (vlan == "0" ? "" : " VLAN " + vlan);
  }
  if (auto vni = cell(subnet, "attached.vxlan"); !vni.empty()) {
    return "VXLAN " + vni + " to " + cell(subnet, "attached.remote");
  }
  return "";
}

Result<int> list_vpcs(Context& context, bool all_accounts) {
  Query query;
  if (!all_accounts) {
    TRY_ASSIGN(query["account"], context.account());
  }
  TRY_ASSIGN(json::value answer, context.admin("GET", "vpcs", query));
  TRY_ASSIGN(json::array vpcs, list_in(answer, "vpcs"));
  print(context, vpcs, [&] {
    Table table({"VPC", "ACCOUNT", "CIDR", "SUBNETS", "NAME"});
    for (const auto& vpc : vpcs) {
      auto subnets = list_in(vpc, "subnets");
      table.add({cell(vpc, "vpc"), cell(vpc, "account"), cell(vpc, "cidr"),
                 std::to_string(subnets ? subnets->size() : 0), cell(vpc, "tags.Name")});
    }
    return table.text();
  });
  return 0;
}

std::string describe_vpc(const json::value& vpc, const json::array& subnets) {
  std::string text =
      text_of_pairs({{"vpc", cell(vpc, "vpc")}, {"account", cell(vpc, "account")}, {"cidr", cell(vpc, "cidr")}});
  Table table({"SUBNET", "CIDR", "GATEWAY", "MAC", "FREE", "ATTACHED TO"});
  Table hosts({"HOST", "ADDRESS", "SUBNET"});
  json::object counted;
  for (const auto& subnet : subnets) {
    std::string id = cell(subnet, "subnet");
    table.add({id, cell(subnet, "cidr"), cell(subnet, "gateway.address"), cell(subnet, "gateway.mac"),
               cell(subnet, "free_addresses"), attached_to(subnet)});
    auto some = list_in(subnet, "hosts");
    for (const auto& host : some ? *some : json::array()) hosts.add({cell(host, "name"), cell(host, "address"), id});
    if (const auto* counters = subnet.get_object().if_contains("counters")) counted[id] = *counters;
  }
  if (!table.empty()) text += "\n" + table.text();
  if (!hosts.empty()) text += "\n" + hosts.text();
  std::string error = cell(vpc, "counters_error");
  if (!error.empty()) return text + "\ncounters are not known: " + error + "\n";
  return counted.empty() ? text : text + "\n" + text_of_counters(counted);
}

Result<int> show_vpc(Context& context, const std::string& id) {
  TRY_ASSIGN(json::value vpc, context.admin("GET", "vpcs/" + id));
  TRY_ASSIGN(json::array subnets, list_in(vpc, "subnets"));
  print(context, vpc, [&] { return describe_vpc(vpc, subnets); });
  return 0;
}

struct HostOptions {
  std::string vpc;
  std::string subnet;
  std::string name;
  std::string address;
};

Result<int> add_host(Context& context, const HostOptions& options) {
  json::object body{{"subnet", options.subnet}, {"name", options.name}};
  if (!options.address.empty()) body["address"] = options.address;
  TRY_ASSIGN(json::value host, context.admin("POST", "vpcs/" + options.vpc + "/hosts", {}, body));
  print(context, host, [&] { return cell(host, "address") + "\n"; });
  return 0;
}

Result<int> remove_host(Context& context, const std::string& name) {
  TRY(context.admin("DELETE", "hosts/" + name));
  print(context, json::object{{"removed", name}}, [&] { return fmt::format("host {} is removed\n", name); });
  return 0;
}

struct AttachOptions {
  std::string vpc;
  std::string subnet;
  std::string bridge;
  int64_t vlan = 0;
  int64_t vxlan = 0;
  std::string remote;
};

Result<int> attach(Context& context, const AttachOptions& options) {
  json::object body;
  if (!options.subnet.empty()) body["subnet"] = options.subnet;
  if (!options.bridge.empty()) body["bridge"] = options.bridge;
  if (options.vlan != 0) body["vlan"] = options.vlan;
  if (options.vxlan != 0) body["vxlan"] = options.vxlan;
  if (!options.remote.empty()) body["remote"] = options.remote;
  TRY(context.admin("PUT", "vpcs/" + options.vpc + "/attachment", {}, body));
  std::string to = options.bridge.empty() ? fmt::format("VXLAN {} to {}", options.vxlan, options.remote)
                                          : "bridge " + options.bridge;
  print(context, json::object{{"attached", options.vpc}},
        [&] { return fmt::format("{} is attached to {}\n", options.vpc, to); });
  return 0;
}

Result<int> detach(Context& context, const std::string& vpc, const std::string& subnet) {
  Query query;
  if (!subnet.empty()) query["subnet"] = subnet;
  TRY(context.admin("DELETE", "vpcs/" + vpc + "/attachment", query));
  print(context, json::object{{"detached", vpc}}, [&] { return fmt::format("{} is detached\n", vpc); });
  return 0;
}

void add_host_commands(CLI::App& vpc, Actions& actions) {
  auto options = std::make_shared<HostOptions>();
  auto* host = vpc.add_subcommand("host", "Hosts for trials: network namespaces in a subnet");
  host->require_subcommand(1);
  auto* add = host->add_subcommand("add", "Add one and print its address (ip netns exec NAME …)");
  add->add_option("vpc", options->vpc, "VPC")->required();
  add->add_option("subnet", options->subnet, "Subnet")->required();
  add->add_option("name", options->name, "Name of the host and its network namespace")->required();
  add->add_option("--address", options->address, "Its address (default: the next free one)");
  actions.on(add, [options](Context& context) { return add_host(context, *options); });
  auto* remove = host->add_subcommand("remove", "Remove one");
  remove->add_option("name", options->name, "Host")->required();
  actions.on(remove, [options](Context& context) { return remove_host(context, options->name); });
}

void add_attach_commands(CLI::App& vpc, Actions& actions) {
  auto options = std::make_shared<AttachOptions>();
  auto* command = vpc.add_subcommand("attach", "Tie a subnet to a real network");
  command->add_option("vpc", options->vpc, "VPC")->required();
  command->add_option("--subnet", options->subnet, "Subnet (default: the VPC's only one)");
  auto* bridge = command->add_option("--bridge", options->bridge, "A bridge of this machine");
  command->add_option("--vlan", options->vlan, "VLAN there (default: untagged)")
      ->needs(bridge)
      ->check(CLI::Range(1, 4094));
  auto* vxlan = command->add_option("--vxlan", options->vxlan, "VXLAN network identifier");
  vxlan->check(CLI::Range(1, 0xff'ffff))->excludes(bridge);
  auto* remote = command->add_option("--remote", options->remote, "Address of its other end");
  remote->needs(vxlan);
  vxlan->needs(remote);
  actions.on(command, [options](Context& context) { return attach(context, *options); });

  auto* undo = vpc.add_subcommand("detach", "Undo attach");
  undo->add_option("vpc", options->vpc, "VPC")->required();
  undo->add_option("--subnet", options->subnet, "Subnet (default: the VPC's only one)");
  actions.on(undo, [options](Context& context) { return detach(context, options->vpc, options->subnet); });
}

}  // namespace

void add_vpc_commands(CLI::App& program, Actions& actions) {
  auto* vpc = program.add_subcommand("vpc", "Local VPCs: hosts, ties to real networks, counters (alone: list)");
  vpc->require_subcommand(0, 1);
  actions.on_alone(vpc, [](Context& context) { return list_vpcs(context, false); });
  auto all = std::make_shared<bool>(false);
  auto* list = vpc->add_subcommand("list", "VPCs of an account");
  list->add_flag("--all", *all, "Of all accounts");
  actions.on(list, [all](Context& context) { return list_vpcs(context, *all); });
  auto id = std::make_shared<std::string>();
  auto* show = vpc->add_subcommand("show", "Subnets, gateways, hosts and counters of one");
  show->add_option("vpc", *id, "VPC")->required();
  actions.on(show, [id](Context& context) { return show_vpc(context, *id); });
  add_host_commands(*vpc, actions);
  add_attach_commands(*vpc, actions);
}

}  // namespace hearth::cli
