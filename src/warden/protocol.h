// The protocol between hearthd and hearth-warden: JSON requests and replies over one Unix seqpacket connection.
//
// - A request is {"id":N,"op":"…", fields of the op}; its reply {"id":N,"reply":"…","ok":{fields of that reply}} or
//   {"id":N,"error":{"kind","message"}}. Replies may come in any order. Events carry "event" instead of "id". File
//   descriptors travel beside a reply.
// - The first request is `hello` with kProtocolVersion; another version is refused and the connection closed.
// - The warden serves one connection at a time, from the uid that its configuration names; a new one replaces the old.
// - Everything is bounded: kMaxMessage a datagram, the limits at each field, kMaxOutstanding requests under way (one
//   more is answered with Kind::exhausted).
// - The warden trusts nothing beyond this page: ids and names have the shapes below, packages are digests opened
//   beneath the warden's own packages folder, never paths. What does not fit is Kind::invalid and changes nothing.
// - Shapes: a container is "c" and 16 hex digits; a digest 64 hex digits; every other id and name is 1…kMaxName of
//   [a-zA-Z0-9._-] and starts with a letter or digit; addresses are IPv4, dotted; ranges are ADDRESS/0…32.
// - `ensure_*` are idempotent: hearthd says them again after either process restarts.
//
// Encoding and decoding are pure functions, fuzzed (fuzz/warden_protocol.cc).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/ids.h"
#include "base/json.h"
#include "base/result.h"

namespace hearth::warden {

constexpr int kProtocolVersion = 1;
constexpr size_t kMaxMessage = 128 * 1024;
constexpr size_t kMaxOutstanding = 1024;
constexpr size_t kMaxStart = 64 * 1024;  // bytes of the start message that the shim gets
constexpr size_t kMaxLayers = 5;         // as on AWS
constexpr size_t kMaxRules = 1000;       // egress rules of one policy
constexpr size_t kMaxName = 64;
constexpr size_t kMaxInterface = 15;  // bytes of an interface's name, as in Linux
constexpr size_t kMaxNameservers = 3;
constexpr size_t kMaxContainers = 4096;  // in one ListContainersReply
constexpr size_t kMaxListed = 500;       // names in one ListNetworkReply
constexpr size_t kMaxStats = 40;         // attachments in one GatewayStatsReply
constexpr size_t kMaxChanges = 64;       // of port blocks, in one TakeBlocksReply
constexpr size_t kMaxErrorText = 4096;   // bytes of an error's message; longer ones are cut

// ---- containers -----------------------------------------------------------------------------------------------

struct Hello {
  int version = kProtocolVersion;
};
struct HelloReply {
  int version = kProtocolVersion;
  std::vector<std::string> runtimes;  // what the host can run: "python3.11", "provided.al2023"
  std::string cgroup;                 // "v1" or "v2"
};

// What there is, for a hearthd that has restarted.
struct ListContainers {};
enum class ContainerState { making, warm, bound };
struct ContainerInfo {
  ContainerId container;
  std::string runtime;
  ContainerState state = ContainerState::warm;
};
struct ListContainersReply {
  std::vector<ContainerInfo> containers;
};

// Makes a warm container. Answered when its shim waits for its function, or with why it never will.
// Reply descriptors, in order: Runtime API listener (127.0.0.1:9001 in the container), AWS endpoint listener
// (127.0.0.1:9002), read end of its standard output and error, peak memory file (a decimal number to pread).
struct MakeContainer {
  std::string runtime;
};
// The same descriptors again.
struct AdoptContainer {
  ContainerId container;
};
struct ContainerReply {
  ContainerId container;
  std::string address;  // in the function network
};

// Gives a warm container its function. Conflict when it is not warm.
struct Bind {
  ContainerId container;
  PackageDigest package;                 // mounted read-only on /var/task
  std::vector<PackageDigest> layers;     // merged in this order on /opt
  int64_t memory_mib = 128;              // 128…10240
  int64_t tmp_mib = 512;                 // 512…10240
  std::string attachment;                // network: an attachment made before ("outside", a subnet id); "" = no network
  std::string policy;                    // security policy made before; "" = the attachment's default: allow all egress
  std::vector<std::string> nameservers;  // resolv.conf, at most 3
  std::string start;                     // JSON for the shim as shims/protocol.md says; the warden does not read it
};
struct BindReply {  // where the time went, in nanoseconds
  int64_t mount_ns = 0;
  int64_t limits_ns = 0;
  int64_t network_ns = 0;
  int64_t message_ns = 0;
};

// Ends a container, whatever its state. Answered at once; `container_gone` follows when nothing of it is left.
struct Kill {
  ContainerId container;
};
// Stops or resumes all of its processes.
struct Freeze {
  ContainerId container;
  bool frozen = true;
};

struct ContainerGone {  // event
  ContainerId container;
  std::string cause;  // "exited", "signaled", "killed" (by Kill), "lost" (its end was not seen)
  int64_t code = 0;   // exit status or signal number
  bool out_of_memory = false;
};

// ---- network --------------------------------------------------------------------------------------------------

struct EnsureGateway {
  GatewayId gateway;
  std::string driver;  // "netns", "vm", "auto"
};
struct EnsureVpc {  // a local VPC: a switch and router in a network namespace of its own
  VpcId vpc;
};
struct EnsureSubnet {
  VpcId vpc;
  SubnetId subnet;
  std::string cidr;  // the first address is the VPC router's
};
struct DeleteVpc {
  VpcId vpc;
};
struct DeleteSubnet {
  VpcId vpc;
  SubnetId subnet;
};

// Ties a subnet to the gateway: the gateway answers for `address` there and translates its containers to it.
// Answered when the path is proven (the next hop answered ARP) or a second has passed (`proven` false).
struct EnsureAttachment {
  GatewayId gateway;
  std::string attachment;  // the subnet id
  VpcId vpc;
  SubnetId subnet;
  std::string address;  // "10.0.1.5"
};
// The way out for functions without a VPC, by the host's default route or into the namespace that the warden's
// configuration names. Its attachment is called "outside".
struct EnsureOutside {
  GatewayId gateway;
};
struct AttachmentReply {
  int64_t tag = 0;  // VLAN tag on the gateway's trunk, 1…4094
  std::string mac;  // of the gateway in the subnet
  std::string address;
  bool proven = false;
};
struct DeleteAttachment {
  std::string attachment;
};

struct EgressRule {
  std::string protocol;  // "tcp", "udp", "icmp", "-1" (all)
  int64_t from_port = 0;
  int64_t to_port = 65535;
  std::string cidr;
};
struct EnsurePolicy {  // replaces the rules; running containers follow
  std::string policy;
  std::vector<EgressRule> egress;
};
struct DeletePolicy {
  std::string policy;
};

struct AddVpcHost {  // a named network namespace with one interface in the subnet (`ip netns exec NAME …`)
  VpcId vpc;
  SubnetId subnet;
  std::string name;
  std::string address;
};
struct DeleteVpcHost {
  std::string name;
};
struct AttachVpcBridge {  // ties the subnet's switch to a bridge of the host
  VpcId vpc;
  SubnetId subnet;
  std::string bridge;
  int64_t vlan = 0;  // 0: untagged
};
struct AttachVpcVxlan {
  VpcId vpc;
  SubnetId subnet;
  int64_t vni = 0;
  std::string remote;
};
struct DetachVpc {  // undoes AttachVpcBridge and AttachVpcVxlan
  VpcId vpc;
  SubnetId subnet;
};

// The names of all that there is of one kind, in order, from the first behind `after`; for a hearthd that deletes what
// it does not know any more. Hosts and subnets are of local VPCs.
struct ListNetwork {
  std::string kind;   // "attachment", "host", "policy", "subnet", "vpc"
  std::string after;  // "" = from the beginning
};
struct NetworkName {
  std::string name;
  std::string vpc;  // of a subnet; otherwise ""
};
struct ListNetworkReply {
  std::vector<NetworkName> names;  // at most kMaxListed
  bool more = false;               // behind the last of them
};

struct GatewayStats {
  GatewayId gateway;
  std::vector<std::string> attachments;  // the reply leaves out what is not there
};
struct GatewayStatsReply {
  // {"attachments":{NAME:{counter:number}},"gateway":{counter:number},"driver":"netns"|"vm (kvm)"|"vm (tcg)"}
  json::object counters;
};

// What happened to a gateway's port blocks behind a place in its journal (RFC 6888 REQ-12). What is up to that place is
// forgotten: ask again only when it is safe. Answered when there is something, or with nothing after some seconds.
struct TakeBlocks {
  GatewayId gateway;
  int64_t epoch = 0;  // of the last reply; 0: none is known, and all that stands is told
  int64_t serial = 0;
};
struct BlockChange {
  // "given", "standing" (was given at a time not told), "released", "cleared" (all of the attachment), "begun" (a new
  // epoch; `count` changes before it were lost), "resumed" (what was not told standing since "begun" is over)
  std::string what;
  int64_t at_ms = 0;       // since 1970
  std::string attachment;  // "": not known any more
  std::string vpc;         // "": not a VPC's, or not known any more
  std::string external;    // address
  std::string container;   // address
  int64_t first_port = 0;
  int64_t count = 0;  // of ports
};
struct TakeBlocksReply {
  int64_t epoch = 0;
  int64_t serial = 0;  // of the last of them
  std::vector<BlockChange> changes;
};

struct Done {};  // the reply of an op that has nothing to say

using Request = std::variant<Hello, ListContainers, MakeContainer, AdoptContainer, Bind, Kill, Freeze, EnsureGateway,
                             EnsureVpc, EnsureSubnet, DeleteVpc, DeleteSubnet, EnsureAttachment, EnsureOutside,
                             DeleteAttachment, EnsurePolicy, DeletePolicy, AddVpcHost, DeleteVpcHost, AttachVpcBridge,
                             AttachVpcVxlan, DetachVpc, ListNetwork, GatewayStats, TakeBlocks>;
using Reply = std::variant<Done, HelloReply, ListContainersReply, ContainerReply, BindReply, AttachmentReply,
                           ListNetworkReply, GatewayStatsReply, TakeBlocksReply>;

// "make_container" for MakeContainer, and so on.
std::string_view op_name(const Request& request);

struct RequestFrame {
  int64_t id = 0;
  Request request;
};
struct ReplyFrame {
  int64_t id = 0;
  Result<Reply> reply;
};
using ServerFrame = std::variant<ReplyFrame, ContainerGone>;

// REQUIRES: text fields are UTF-8. The result may be over kMaxMessage when the fields are: the sender checks.
std::string encode(const RequestFrame& frame);
std::string encode(const ReplyFrame& frame);
std::string encode(const ContainerGone& event);

// Both refuse what the limits and shapes above do not allow. `failed_id`, when given, gets the request's id if one
// could be read, so that a refused request can be answered.
Result<RequestFrame> decode_request(std::string_view datagram, std::optional<int64_t>* failed_id = nullptr);
Result<ServerFrame> decode_server_frame(std::string_view datagram);

}  // namespace hearth::warden
