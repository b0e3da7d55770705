// FunctionNetwork: the warden's view of the network: slots for containers, gateways, VPC switches, policies.
//
// The *function network* is one network namespace (`<instance>-fn`). The host-side veth of every container is there,
// without an address: its TC program lets out only what the binding of that interface allows, tags it with the
// attachment and hands it to the gateway. Gateways, VPC switches (`<instance>-vpc-…`) and VPC hosts are namespaces of
// their own. Nothing here is ever routed by the host's own stack, except the "outside" attachment.
//
// Invariants
//  1. No packet leaves a slot before bind() or after unbind().
//  2. A slot's address is handed out again only after its gateways dropped its sessions.
//  3. `ensure_*` are idempotent and survive kill -9 of the warden: all state is in the kernel (namespaces bound below
//     `<run_dir>/netns`, maps pinned below the BPF file system) and is found again by open().
//
// Thread: the warden's only one; calls change the thread's network namespace for their duration and put it back.
// Refuses: names and addresses of another shape than warden/protocol.h allows are Kind::invalid.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/fd.h"
#include "base/ids.h"
#include "base/json.h"
#include "base/result.h"

namespace hearth::gateway {

// One container's place in the network, made beforehand: a namespace with `lo` up, `eth0` with its address, default
// route and permanent neighbour, and the host-side end with its programs attached.
struct Slot {
  int64_t number = 0;   // 0…; unique among living slots
  std::string address;  // 100.64.0.0/10
  std::string mac;
  uint32_t ifindex = 0;  // of the host-side end, in the function network
  Fd netns;
};

struct Rule {  // one egress rule: protocol number (-1: all), port range (ICMP: ignored), IPv4 prefix, host byte order
  int protocol = -1;
  uint16_t from_port = 0;
  uint16_t to_port = 65535;
  uint32_t address = 0;
  int prefix_length = 0;
};

struct AttachmentInfo {
  uint16_t tag = 0;
  std::string mac;
  std::string address;
  bool proven = false;
};

// What happened to a gateway's port blocks, in its order, behind a place in its journal.
struct BlockChanges {
  struct Change {
    std::string what;  // "given", "standing", "released", "cleared", "begun", "resumed" (warden/protocol.h)
    WallTime at{};
    std::string attachment;  // "": not known any more
    std::string vpc;         // "": the way out's, or not known any more
    std::string external;    // address
    std::string container;   // address
    uint32_t first_port = 0;
    uint32_t count = 0;
  };
  uint64_t epoch = 0;
  uint64_t serial = 0;
  std::vector<Change> changes;
};

class FunctionNetwork {
 public:
  struct Options {
    std::string instance;                      // "hearth": prefix of names
    std::string run_dir;                       // "/run/hearth"
    std::string gateway_program;               // path of hearth-gateway
    std::string gateway_image;                 // folder of the image of gateways' machines; need not be there
    std::string gateway_accelerator = "auto";  // of machines: "kvm", "tcg", or what boots one
    std::string outside_netns;  // "" = the host's own; "none" = no way out; otherwise a name below /run/netns
    // Gets each line that a gateway says on its standard error, from dispatch(), a bounded number a second.
    std::function<void(std::string_view line)> gateway_said = [](std::string_view) {};
  };

  // Makes what is missing and finds what is there.
  static Result<std::unique_ptr<FunctionNetwork>> open(Options options);
  virtual ~FunctionNetwork() = default;

  // ---- slots
  virtual Result<Slot> make_slot() = 0;
  // Takes over the slot of a container that outlived a warden; `netns` is of one of its processes.
  virtual Result<Slot> adopt_slot(int64_t number, Fd netns) = 0;
  // Unbinds, releases the slot's sessions at the gateways, deletes the interface. The address is reused only after
  // that.
  virtual Result<> release_slot(Slot slot) = 0;
  // Lets the slot's packets through to `attachment` under `policy` ("" = all egress). One map write. Unavailable when
  // one of them is not there.
  virtual Result<> bind(const Slot& slot, const std::string& attachment, const std::string& policy) = 0;
  virtual Result<> unbind(const Slot& slot) = 0;

  // ---- gateways and attachments. `done` runs from dispatch() or at once.
  virtual Result<> ensure_gateway(const GatewayId& gateway, const std::string& driver) = 0;
  using AttachmentDone = std::function<void(Result<AttachmentInfo>)>;
  virtual void ensure_attachment(const GatewayId& gateway, const std::string& attachment, const VpcId& vpc,
                                 const SubnetId& subnet, const std::string& address, AttachmentDone done) = 0;
  virtual void ensure_outside(const GatewayId& gateway, AttachmentDone done) = 0;
  virtual Result<> delete_attachment(const std::string& attachment) = 0;
  virtual Result<> ensure_policy(const std::string& policy, const std::vector<Rule>& egress) = 0;
  virtual Result<> delete_policy(const std::string& policy) = 0;
  // {"attachments":{NAME:{counter:number}},"gateway":{counter:number}}: of those named that are the gateway's.
  using StatsDone = std::function<void(Result<json::object>)>;
  virtual void stats(const GatewayId& gateway, const std::vector<std::string>& attachments, StatsDone done) = 0;
  // Answers when there is something to tell, or with nothing after some seconds; takes what is up to `serial` as taken.
  using BlocksDone = std::function<void(Result<BlockChanges>)>;
  virtual void take_blocks(const GatewayId& gateway, uint64_t epoch, uint64_t serial, BlocksDone done) = 0;

  // ---- local VPCs
  virtual Result<> ensure_vpc(const VpcId& vpc) = 0;
  virtual Result<> ensure_subnet(const VpcId& vpc, const SubnetId& subnet, const std::string& cidr) = 0;
  virtual Result<> delete_subnet(const VpcId& vpc, const SubnetId& subnet) = 0;
  virtual Result<> delete_vpc(const VpcId& vpc) = 0;
  virtual Result<> add_vpc_host(const VpcId& vpc, const SubnetId& subnet, const std::string& name,
                                const std::string& address) = 0;
  virtual Result<> delete_vpc_host(const std::string& name) = 0;
  virtual Result<> attach_bridge(const VpcId& vpc, const SubnetId& subnet, const std::string& bridge, int vlan) = 0;
  virtual Result<> attach_vxlan(const VpcId& vpc, const SubnetId& subnet, uint32_t vni, const std::string& remote) = 0;
  virtual Result<> detach_vpc(const VpcId& vpc, const SubnetId& subnet) = 0;

  // ---- what there is, of whatever age
  enum class Thing { attachment, host, policy, subnet, vpc };
  struct Named {
    std::string name;
    VpcId vpc;  // of a subnet
  };
  virtual Result<std::vector<Named>> list(Thing thing) const = 0;

  // ---- the warden's event loop
  // Descriptors to poll for reading (gateway control sockets and pidfds); dispatch() handles what is ready, restarts
  // gateways that died and runs deadlines. next_deadline_ms(): how long poll may sleep, -1 for ever.
  virtual std::vector<int> poll_fds() const = 0;
  virtual void dispatch() = 0;
  virtual int next_deadline_ms() const = 0;

  // Ends gateways and removes every namespace, interface, pin and host rule that the instance made, whoever made it:
  // works after kill -9 of everything.
  static Result<> purge(const Options& options);
};

}  // namespace hearth::gateway
