#include "gateway/network.h"

#include <arpa/inet.h>

#include <algorithm>
#include <cerrno>
#include <set>

#include "kernel/bpf.h"
#include "kernel/netns.h"

namespace hearth::gateway {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

Result<std::unique_ptr<FunctionNetwork>> FunctionNetwork::open(Options options) {
  TRY_ASSIGN(auto network, Network::open(std::move(options)));
  return network;
}

Result<std::unique_ptr<Network>> Network::open(Options options) {
  TRY(check_name("instance", options.instance));
  std::unique_ptr<Network> network(new Network(std::move(options)));
  TRY(network->start());
  return network;
}

Result<> Network::start() {
  TRY(kernel::make_directories(names_.netns_dir()));
  TRY(kernel::mount_bpf_fs(names_.bpf_dir()));
  TRY_ASSIGN(host_netns_, kernel::current_netns());
  if (options_.outside_netns != "none") {
    TRY_ASSIGN(outside_netns_, outside_netns(options_.outside_netns));
  }
  TRY_ASSIGN(programs_, Programs::open(names_.function_pins()));
  TRY_ASSIGN(function_netns_, kernel::open_or_make_netns(names_.function_netns(), kernel::disable_ipv6));
  TRY_ASSIGN(auto netlink, kernel::Netlink::open_in(function_netns_.get()));
  netlink_ = std::make_unique<kernel::Netlink>(std::move(netlink));
  TRY_ASSIGN(auto host, kernel::Netlink::open());
  vpcs_ = std::make_unique<Vpcs>(names_, *programs_, std::move(host));
  TRY_ASSIGN(auto slots_netlink, kernel::Netlink::open_in(function_netns_.get()));
  slots_ = std::make_unique<Slots>(*programs_, std::move(slots_netlink),
                                   [this](const Binding& ended, uint32_t address, std::function<void()> freed) {
                                     release_at_gateway(ended, address, std::move(freed));
                                   });
  return find_gateways();
}

// ---- gateways ---------------------------------------------------------------------------------------------------

Result<> Network::find_gateways() {
  for (const auto& [name, record] : programs_->gateways()) {
    auto driver = make_driver(record.is_machine ? "vm" : "netns", hosting());
    // Its functions do without it until ensure_gateway, the others have theirs.
    const auto opened = driver ? open_gateway(GatewayId(name), record.number, std::move(*driver))
                               : Result<>(std::unexpected(driver.error()));
    if (!opened) options_.gateway_said("gateway " + name + " can't be hosted: " + opened.error().describe());
  }
  for (const auto& [name, record] : programs_->attachments()) {
    SupervisedGateway* gateway = gateway_numbered(record.gateway);
    auto at = data_plane_of(record);
    // Its VPC may be gone: then hearthd deletes the attachment or ensures it again.
    if (gateway != nullptr && at) gateway->set_attachment(record.tag, *at, [](Result<ControlReply>) {});
  }
  return {};
}

Hosting Network::hosting() const {
  return {names_, options_.gateway_program, options_.gateway_image, options_.gateway_accelerator,
          function_netns_.get()};
}

Result<> Network::put_program(int netns, uint32_t ifindex, int program, const std::string& name) {
  TRY_ASSIGN(auto inside, kernel::NetnsScope::enter(netns));
  return kernel::attach_program(ifindex, kernel::Hook::ingress, program, name);
}

Result<> Network::open_gateway(const GatewayId& gateway, uint32_t number, std::unique_ptr<Driver> driver) {
  TRY_ASSIGN(auto supervised, SupervisedGateway::open({gateway, number}, std::move(driver), options_.gateway_said));
  TRY(put_program(function_netns_.get(), nic_ifindex(number), programs_->gateway_return(), "gateway_return"));
  if (!supervised->driver().shares_kernel()) {
    TRY_ASSIGN(Fd ports, supervised->port_netns());
    TRY(put_program(ports.get(), trunk_ifindex(number), programs_->trunk_in(), "trunk_in"));
  }
  options_.gateway_said("gateway " + gateway.str() + " is hosted by the driver " +
                        std::string(supervised->driver().name()));
  gateways_[gateway] = std::move(supervised);
  return {};
}

Result<> Network::ensure_gateway(const GatewayId& gateway, const std::string& driver) {
  TRY(check_gateway_name(gateway.str()));
  if (gateways_.contains(gateway)) return {};
  const auto known = programs_->gateways().find(gateway.str());
  const bool is_known = known != programs_->gateways().end();
  const std::string as_known = is_known && known->second.is_machine ? "vm" : "netns";
  TRY_ASSIGN(auto made, make_driver(is_known ? as_known : driver, hosting()));
  if (is_known) return open_gateway(gateway, known->second.number, std::move(made));
  std::set<uint32_t> used;
  for (const auto& [name, record] : programs_->gateways()) used.insert(record.number);
  uint32_t number = 0;
  while (used.contains(number)) ++number;
  if (number >= kMaxGateways) return fail(Kind::exhausted, "at most 16 gateways");
  TRY(programs_->put_gateway(gateway.str(), {.number = number, .is_machine = !made->shares_kernel()}));
  return open_gateway(gateway, number, std::move(made));
}

Result<SupervisedGateway*> Network::gateway_of(const GatewayId& gateway) {
  const auto found = gateways_.find(gateway);
  if (found == gateways_.end()) return fail(Kind::not_found, "no gateway " + gateway.str());
  return found->second.get();
}

SupervisedGateway* Network::gateway_numbered(uint32_t number) {
  for (const auto& [id, gateway] : gateways_) {
    if (gateway->place().number == number) return gateway.get();
  }
  return nullptr;
}

// ---- slots ------------------------------------------------------------------------------------------------------

Result<Slot> Network::make_slot() { return slots_->make(); }
Result<Slot> Network::adopt_slot(int64_t number, Fd netns) { return slots_->adopt(number, std::move(netns)); }
Result<> Network::release_slot(Slot slot) { return slots_->release(std::move(slot)); }
Result<> Network::unbind(const Slot& slot) { return slots_->unbind(slot); }

Result<> Network::bind(const Slot& slot, const std::string& attachment, const std::string& policy) {
  const auto found = programs_->attachments().find(attachment);
  // It may be made yet: hearthd says again what there should be.
  if (found == programs_->attachments().end()) return fail(Kind::unavailable, "no attachment " + attachment);
  TRY_ASSIGN(const uint32_t index, programs_->policy_index(policy));
  const attachment_record& record = found->second;
  SupervisedGateway* gateway = gateway_numbered(record.gateway);
  if (gateway == nullptr) return fail(Kind::unavailable, "the attachment's gateway is not there");
  return slots_->bind(slot, record.tag, record.gateway, gateway->driver().shares_kernel(), index);
}

void Network::release_at_gateway(const Binding& ended, uint32_t address, std::function<void()> freed) {
  SupervisedGateway* gateway = gateway_numbered(ended.gateway);
  if (gateway == nullptr) return freed();
  ControlRequest request{.op = ControlOp::release, .at = {}};
  request.tag = ended.tag;
  request.address = address;
  request.generation = ended.generation;
  gateway->send(request, [freed = std::move(freed)](Result<ControlReply> reply) {
    // Refused: the place stays away from new containers until the next warden asks again.
    if (reply) freed();
  });
}

// ---- attachments ------------------------------------------------------------------------------------------------

// Tags are unique over all gateways of the instance, so that a counter's index is a tag.
Result<uint16_t> Network::tag_for(const std::string& attachment) const {
  const auto& known = programs_->attachments();
  if (const auto found = known.find(attachment); found != known.end()) return found->second.tag;
  std::set<uint16_t> used;
  for (const auto& [name, record] : known) used.insert(record.tag);
  for (uint16_t tag = 1; tag <= kMaxTag; ++tag) {
    if (!used.contains(tag)) return tag;
  }
  return fail(Kind::exhausted, "at most 4094 attachments");
}

Result<attachment_record> Network::plan_attachment(const GatewayId& gateway, const std::string& attachment,
                                                   const VpcId& vpc, const SubnetId& subnet,
                                                   const std::string& address) {
  TRY(check_name("attachment", attachment));
  if (attachment == kOutside) return fail(Kind::invalid, "the attachment 'outside' is made by ensure_outside");
  TRY_ASSIGN(SupervisedGateway* const at, gateway_of(gateway));
  TRY_ASSIGN(const SubnetInfo info, vpcs_->subnet(vpc, subnet));
  TRY_ASSIGN(const uint32_t number, kernel::parse_address(address));
  const uint32_t last = info.cidr.network() | ~info.cidr.mask();
  if ((number & info.cidr.mask()) != info.cidr.network() || number <= info.router || number == last)
    return fail(Kind::invalid, address + " is no address for a gateway in the subnet");
  attachment_record record{};
  TRY_ASSIGN(record.tag, tag_for(attachment));
  TRY_ASSIGN(const kernel::Mac mac, names_.attachment_mac(attachment));
  std::copy(mac.begin(), mac.end(), record.mac);
  record.gateway = static_cast<uint8_t>(at->place().number);
  record.prefix_length = static_cast<uint8_t>(info.cidr.length);
  record.address = htonl(number);
  record.router = htonl(info.router);
  record.vpc = as_name(vpc.str());
  record.subnet = as_name(subnet.str());
  const auto known = programs_->attachments().find(attachment);
  if (known != programs_->attachments().end() && known->second.gateway != record.gateway)
    return fail(Kind::conflict, "attachment " + attachment + " is at another gateway");
  // Its port stands in that VPC's namespace.
  if (known != programs_->attachments().end() && text_of(known->second.vpc) != vpc.str())
    return fail(Kind::conflict, "attachment " + attachment + " is in another VPC");
  for (const auto& [name, other] : programs_->attachments()) {
    if (name != attachment && other.address == record.address && text_of(other.vpc) == vpc.str())
      return fail(Kind::conflict, address + " is the address of the attachment " + name);
  }
  return record;
}

Result<attachment_record> Network::plan_outside(const GatewayId& gateway) {
  TRY_ASSIGN(SupervisedGateway* const at, gateway_of(gateway));
  const auto known = programs_->attachments().find(kOutside);
  const bool none = !outside_netns_.valid();
  if (known != programs_->attachments().end() && known->second.drops == none) {
    if (known->second.gateway != at->place().number) return fail(Kind::conflict, "outside is at another gateway");
    return known->second;
  }
  attachment_record record{};
  TRY_ASSIGN(record.tag, tag_for(kOutside));
  TRY_ASSIGN(const kernel::Mac mac, names_.attachment_mac(kOutside));
  std::copy(mac.begin(), mac.end(), record.mac);
  record.gateway = static_cast<uint8_t>(at->place().number);
  record.drops = none;
  if (none) return record;
  TRY_ASSIGN(auto netlink, kernel::Netlink::open_in(outside_netns_.get()));
  TRY_ASSIGN(const OutsideNet net, choose_outside_net(netlink));
  record.prefix_length = static_cast<uint8_t>(net.prefix_length);
  record.address = htonl(net.gateway);
  record.router = htonl(net.router);
  return record;
}

Result<kernel::Netlink> Network::port_netlink(const attachment_record& record) {
  for (const auto& [name, gateway] : programs_->gateways()) {
    if (gateway.number != record.gateway) continue;
    TRY_ASSIGN(Fd netns, kernel::open_netns(names_.gateway_netns(GatewayId(name))));
    return kernel::Netlink::open_in(netns.get());
  }
  return fail(Kind::unavailable, "the attachment's gateway is not there");
}

// The pair between the gateway and where the attachment leads. A gateway of this kernel puts its program on our end.
Result<> Network::make_port(const attachment_record& record, const kernel::LinkEnd& far) {
  const uint32_t ifindex = port_ifindex(record.gateway, record.tag);
  TRY_ASSIGN(auto netlink, port_netlink(record));
  if (!netlink.link(ifindex)) {
    kernel::LinkEnd near{
        .name = "p" + std::to_string(record.tag), .netns = -1, .ifindex = ifindex, .mac = {}, .mtu = 0};
    // Our end has the gateway's MAC: what is for the gateway arrives as "for this host".
    std::copy_n(record.mac, 6, near.mac.begin());
    kernel::Batch make;
    make.veth(near, far);
    TRY(netlink.run(make));
  }
  SupervisedGateway* gateway = gateway_numbered(record.gateway);
  if (!gateway->driver().shares_kernel()) {
    TRY_ASSIGN(Fd ports, gateway->port_netns());
    TRY(put_program(ports.get(), ifindex, programs_->port_in(), "port_in"));
  }
  kernel::Batch batch;
  batch.up(ifindex);
  return netlink.run(batch);
}

Result<> Network::remove_port(const attachment_record& record) {
  auto netlink = port_netlink(record);
  // A gateway that never was hosted has no namespace, and no ports.
  if (!netlink && netlink.error().errno_value == ENOENT) return {};
  if (!netlink) return std::unexpected(netlink.error());
  kernel::Batch batch;
  batch.remove(port_ifindex(record.gateway, record.tag));
  auto removed = netlink->run(batch);
  if (!removed && removed.error().errno_value == ENODEV) return {};
  return removed;
}

Result<> Network::plug_port(const std::string& attachment, const attachment_record& record) {
  const VpcId vpc(text_of(record.vpc));
  TRY_ASSIGN(const SubnetInfo info, vpcs_->subnet(vpc, SubnetId(text_of(record.subnet))));
  TRY_ASSIGN(Vpcs::Room* const room, vpcs_->room(vpc));
  const std::string name = Names::attachment_port(attachment);
  TRY(make_port(record, {.name = name, .netns = room->netns.get(), .ifindex = 0, .mac = {}, .mtu = 0}));
  TRY_ASSIGN(const kernel::LinkInfo link, room->netlink.link(name));
  kernel::Batch batch;
  batch.alias(link.ifindex, attachment);
  if (link.master != info.bridge) batch.master(link.ifindex, info.bridge);
  batch.up(link.ifindex);
  return room->netlink.run(batch);
}

Result<> Network::plug_outside(const attachment_record& record) {
  const std::string name = names_.outside_link();
  if (record.drops) {
    TRY(remove_port(record));
    return undo_host(names_);
  }
  {
    // It led somewhere else under another setting.
    TRY_ASSIGN(auto outside, kernel::Netlink::open_in(outside_netns_.get()));
    if (!outside.link(name)) TRY(remove_port(record));
  }
  TRY(make_port(record, {.name = name, .netns = outside_netns_.get(), .ifindex = 0, .mac = {}, .mtu = 0}));
  TRY_ASSIGN(auto netlink, kernel::Netlink::open_in(outside_netns_.get()));
  TRY_ASSIGN(const kernel::LinkInfo link, netlink.link(name));
  kernel::Batch address;
  address.address(link.ifindex, ntohl(record.router), record.prefix_length);
  auto addressed = netlink.run(address);
  if (!addressed && addressed.error().errno_value != EEXIST) return addressed;
  {
    // Of this interface alone, and before it is up: the namespace is somebody else's.
    TRY_ASSIGN(auto inside, kernel::NetnsScope::enter(outside_netns_.get()));
    TRY(kernel::disable_ipv6_of(name));
  }
  kernel::Batch up;
  up.up(link.ifindex);
  TRY(netlink.run(up));
  if (!options_.outside_netns.empty()) return undo_host(names_);
  return open_host(names_, {.router = ntohl(record.router), .gateway = ntohl(record.address)});
}

Result<attachment> Network::data_plane_of(const attachment_record& record) {
  attachment at{};
  at.state = record.drops ? kAttachmentDrops : kAttachmentActive;
  at.mtu = 1500;
  at.address = record.address;
  at.mask = record.prefix_length == 0 ? 0 : htonl(~uint32_t{0} << (32 - record.prefix_length));
  at.network = at.address & at.mask;
  at.router = record.router;
  std::copy_n(record.mac, 6, at.mac);
  const std::string vpc = text_of(record.vpc);
  if (vpc.empty()) return at;
  TRY_ASSIGN(const SubnetInfo info, vpcs_->subnet(VpcId(vpc), SubnetId(text_of(record.subnet))));
  at.mtu = static_cast<uint16_t>(std::clamp<uint32_t>(info.mtu, 576, 65535));
  return at;
}

void Network::tell_and_prove(const attachment_record& record, AttachmentDone done) {
  auto at = data_plane_of(record);
  if (!at) return done(std::unexpected(at.error()));
  SupervisedGateway* gateway = gateway_numbered(record.gateway);
  AttachmentInfo info;
  info.tag = record.tag;
  kernel::Mac mac;
  std::copy_n(record.mac, 6, mac.begin());
  info.mac = kernel::to_string(mac);
  if (record.address != 0) info.address = kernel::address_text(ntohl(record.address));
  const auto prove = [gateway, info, drops = record.drops != 0, done](Result<ControlReply> set) mutable {
    if (!set) return done(std::unexpected(set.error()));
    if (drops) {
      // There is no path, and that is what was asked for.
      info.proven = true;
      return done(info);
    }
    ControlRequest request{.op = ControlOp::prove, .at = {}};
    request.tag = info.tag;
    const auto tell = [info, done](Result<ControlReply> proved) mutable {
      info.proven = proved && proved->proven != 0;
      done(info);
    };
    gateway->send(request, tell, kProveAnswerMs);
  };
  gateway->set_attachment(record.tag, *at, prove, kTellMs);
}

void Network::ensure_attachment(const GatewayId& gateway, const std::string& attachment, const VpcId& vpc,
                                const SubnetId& subnet, const std::string& address, AttachmentDone done) {
  auto record = plan_attachment(gateway, attachment, vpc, subnet, address);
  if (!record) return done(std::unexpected(record.error()));
  // Remembered before it is made: what a killed warden began is finished or deleted by name.
  auto made = programs_->put_attachment(attachment, *record);
  if (made) made = plug_port(attachment, *record);
  if (!made) return done(std::unexpected(made.error()));
  tell_and_prove(*record, std::move(done));
}

void Network::ensure_outside(const GatewayId& gateway, AttachmentDone done) {
  auto record = plan_outside(gateway);
  if (!record) return done(std::unexpected(record.error()));
  auto made = programs_->put_attachment(kOutside, *record);
  if (made) made = plug_outside(*record);
  if (!made) return done(std::unexpected(made.error()));
  tell_and_prove(*record, std::move(done));
}

// A binding alone says nothing: that of a container that was lost stays until its place is wanted.
bool Network::is_bound(const std::function<bool(const Binding&)>& so) {
  return std::ranges::any_of(programs_->bound(), [&](uint32_t place) {
    const auto entry = programs_->binding_of(place);
    return entry && so(*entry) && netlink_->link(kSlotIfindex + place);
  });
}

Result<> Network::delete_attachment(const std::string& attachment) {
  const auto found = programs_->attachments().find(attachment);
  if (found == programs_->attachments().end()) return {};
  const attachment_record record = found->second;
  if (is_bound([&record](const Binding& binding) { return binding.tag == record.tag; }))
    return fail(Kind::conflict, "attachment " + attachment + " is in use");
  if (SupervisedGateway* gateway = gateway_numbered(record.gateway))
    gateway->remove_attachment(record.tag, [](Result<ControlReply>) {});
  TRY(remove_port(record));
  if (attachment == kOutside) TRY(undo_host(names_));
  block_names_.deleted(attachment, record);
  return programs_->drop_attachment(attachment);
}

Result<> Network::ensure_policy(const std::string& policy, const std::vector<Rule>& egress) {
  return programs_->set_policy(policy, egress);
}
Result<> Network::delete_policy(const std::string& policy) {
  const auto found = programs_->policies().find(policy);
  if (found == programs_->policies().end()) return {};
  if (is_bound([index = found->second](const Binding& binding) { return binding.policy == index; }))
    return fail(Kind::conflict, "policy " + policy + " is in use");
  return programs_->remove_policy(policy);
}

// ---- local VPCs -------------------------------------------------------------------------------------------------

Result<> Network::ensure_vpc(const VpcId& vpc) { return vpcs_->ensure_vpc(vpc); }
Result<> Network::ensure_subnet(const VpcId& vpc, const SubnetId& subnet, const std::string& cidr) {
  return vpcs_->ensure_subnet(vpc, subnet, cidr);
}

Result<> Network::delete_subnet(const VpcId& vpc, const SubnetId& subnet) {
  for (const auto& [name, record] : programs_->attachments()) {
    if (text_of(record.vpc) == vpc.str() && text_of(record.subnet) == subnet.str())
      return fail(Kind::conflict, "subnet " + subnet.str() + " has the attachment " + name);
  }
  return vpcs_->delete_subnet(vpc, subnet);
}

Result<> Network::delete_vpc(const VpcId& vpc) {
  for (const auto& [name, record] : programs_->attachments()) {
    if (text_of(record.vpc) == vpc.str())
      return fail(Kind::conflict, "VPC " + vpc.str() + " has the attachment " + name);
  }
  return vpcs_->delete_vpc(vpc);
}

Result<> Network::add_vpc_host(const VpcId& vpc, const SubnetId& subnet, const std::string& name,
                               const std::string& address) {
  TRY_ASSIGN(const uint32_t number, kernel::parse_address(address));
  for (const auto& [attachment, record] : programs_->attachments()) {
    if (text_of(record.vpc) == vpc.str() && ntohl(record.address) == number)
      return fail(Kind::conflict, address + " is the gateway's");
  }
  return vpcs_->add_host(vpc, subnet, name, address);
}
Result<> Network::delete_vpc_host(const std::string& name) { return vpcs_->delete_host(name); }

// A VXLAN makes the bridge's MTU smaller; the gateway clamps to it.
Result<> Network::follow_mtu(const SubnetId& subnet) {
  for (const auto& [name, record] : programs_->attachments()) {
    if (text_of(record.subnet) != subnet.str()) continue;
    TRY_ASSIGN(const attachment at, data_plane_of(record));
    if (SupervisedGateway* gateway = gateway_numbered(record.gateway))
      gateway->set_attachment(record.tag, at, [](Result<ControlReply>) {});
  }
  return {};
}

Result<> Network::attach_bridge(const VpcId& vpc, const SubnetId& subnet, const std::string& bridge, int vlan) {
  TRY(vpcs_->attach_bridge(vpc, subnet, bridge, vlan));
  return follow_mtu(subnet);
}
Result<> Network::attach_vxlan(const VpcId& vpc, const SubnetId& subnet, uint32_t vni, const std::string& remote) {
  TRY(vpcs_->attach_vxlan(vpc, subnet, vni, remote));
  return follow_mtu(subnet);
}
Result<> Network::detach_vpc(const VpcId& vpc, const SubnetId& subnet) {
  TRY(vpcs_->detach(vpc, subnet));
  return follow_mtu(subnet);
}

Result<std::vector<FunctionNetwork::Named>> Network::list(Thing thing) const {
  std::vector<Named> names;
  switch (thing) {
    case Thing::attachment:
      for (const auto& [name, record] : programs_->attachments()) names.push_back({name, VpcId()});
      return names;
    case Thing::policy:
      for (const auto& [name, index] : programs_->policies()) names.push_back({name, VpcId()});
      return names;
    case Thing::host: {
      TRY_ASSIGN(const auto hosts, names_in(names_.hosts_dir()));
      for (const auto& name : hosts) names.push_back({name, VpcId()});
      return names;
    }
    case Thing::vpc: {
      TRY_ASSIGN(const auto vpcs, vpcs_->all());
      for (const auto& id : vpcs) names.push_back({id.str(), VpcId()});
      return names;
    }
    case Thing::subnet:
      break;
  }
  TRY_ASSIGN(const auto vpcs, vpcs_->all());
  for (const auto& id : vpcs) {
    TRY_ASSIGN(const auto subnets, vpcs_->subnets(id));
    for (const auto& subnet : subnets) names.push_back({subnet.str(), id});
  }
  return names;
}

// ---- event loop -------------------------------------------------------------------------------------------------

std::vector<int> Network::poll_fds() const {
  std::vector<int> fds;
  for (const auto& [id, gateway] : gateways_) {
    for (const int fd : gateway->poll_fds()) fds.push_back(fd);
  }
  return fds;
}

void Network::dispatch() {
  for (const auto& [id, gateway] : gateways_) gateway->dispatch();
}

int Network::next_deadline_ms() const {
  int64_t next = -1;
  for (const auto& [id, gateway] : gateways_) {
    const auto due = gateway->next_deadline();
    if (!due) continue;
    const int64_t wait = std::max<int64_t>(0, std::chrono::ceil<milliseconds>(*due - steady_clock::now()).count());
    next = next < 0 ? wait : std::min(next, wait);
  }
  return static_cast<int>(next);
}

}  // namespace hearth::gateway
