// What the BPF programs and user space agree on: numbers, structs of the maps, events of the ring buffer, counters.
//
// Included by C (clang -target bpf) and C++. Addresses and ports in structs are in network byte order unless a field
// says host. Every struct has explicit padding and an asserted size. Numbers that name a device:
//   slot            kSlotIfindex + place         place = address - kSlotBase
//   gateway g       kNicIfindex + 2g             the function network's end of its NIC 0
//                   kNicIfindex + 2g + 1         of a machine: our end of its NIC 1, the trunk
//   attachment      kPortIfindex + 4096 g + tag  our end of its VPC port, in the gateway's namespace where it has one
// so that no program needs a map to get from one to the other.
#ifndef HEARTH_GATEWAY_BPF_SHARED_H_
#define HEARTH_GATEWAY_BPF_SHARED_H_

#include <linux/types.h>

#ifdef __cplusplus
#define HEARTH_ASSERT_SIZE(type, size) static_assert(sizeof(type) == (size), #type)
namespace hearth::gateway {
#else
#define HEARTH_ASSERT_SIZE(type, size) _Static_assert(sizeof(struct type) == (size), #type)
#endif

enum {
  kMaxTag = 4094,  // attachments of one gateway
  kTags = 4096,    // entries of a table indexed by tag
  kMaxGateways = 16,
  kMaxSlots = 16384,
  kSlotIfindex = 0x10000,
  kNicIfindex = 0x8000,
  kPortIfindex = 0x20000,
  kSlotBase = 0x64400100,  // 100.64.1.0, host order: the address of place 0
  kMaxPolicies = 1024,
  kMaxPolicyRules = 1000,
  kPolicyVerdicts = 65536,  // cached verdicts of policies
};

// (static: C and C++ include this)
static inline __u32 nic_ifindex(__u32 gateway) { return kNicIfindex + 2 * gateway; }
static inline __u32 trunk_ifindex(__u32 gateway) { return nic_ifindex(gateway) + 1; }
static inline __u32 port_ifindex(__u32 gateway, __u32 tag) { return kPortIfindex + kTags * gateway + tag; }

// ---- function network -----------------------------------------------------------------------------------------

// A binding is one 64-bit word of an array that the warden maps into its memory: one store binds a slot, one unbinds
// it, and a program sees all of it or nothing. Index: place. 0: nothing leaves.
//
//   bits 0–31   generation: serial of the slot, also the low four bytes of its MAC; never 0
//   bits 32–43  tag
//   bits 44–47  gateway
//   bit  48     the gateway is a namespace of this host: hand over without a queue
//   bits 49–58  policy, 0: all egress
enum { kTagShift = 32, kGatewayShift = 44, kPeerShift = 48, kPolicyShift = 49 };

struct policy_rule {
  __u32 address;  // host order
  __u32 mask;     // host order
  __u16 from_port;
  __u16 to_port;
  __u8 protocol;  // when any_protocol is 0
  __u8 any_protocol;
  __u16 pad;
};
HEARTH_ASSERT_SIZE(policy_rule, 16);

struct policy {
  __u32 version;  // changes with the rules: outdates cached verdicts
  __u32 count;
  __u32 allow_all;
  __u32 pad;
  struct policy_rule rules[kMaxPolicyRules];
};
HEARTH_ASSERT_SIZE(policy, 16 + 16 * kMaxPolicyRules);

struct verdict_key {
  __u32 policy;
  __u32 version;
  __u32 address;
  __u16 port;
  __u8 protocol;
  __u8 pad;
};
HEARTH_ASSERT_SIZE(verdict_key, 16);

enum { kNameSize = 64 };

struct name {
  char text[kNameSize];
};

struct attachment_record {  // key: name of the attachment; what a restarted warden needs to know
  __u16 tag;
  __u8 gateway;
  __u8 prefix_length;
  __u8 mac[6];
  __u8 drops;  // an "outside" without a way out
  __u8 pad;
  __u32 address;  // network order
  __u32 router;   // network order
  struct name vpc;
  struct name subnet;
};
HEARTH_ASSERT_SIZE(attachment_record, 20 + 2 * kNameSize);

enum { kIsMachine = 256 };  // beside the number, in what is remembered of a gateway

// ---- gateway --------------------------------------------------------------------------------------------------

enum {
  kBlockPorts = 64,
  kFirstBlock = 16,  // port 1024
  kBlocks = 1024,
  // A container has its due for sure; beyond it only while this much of the attachment's is not given yet.
  kDueBlocks = 16,  // 1,024 ports
  kDueSessions = 2048,
  kOpenBlocks = 756,
  kOpenSessions = 73728,
  kMaxBlocksOfHost = 512,        // 32,768 ports
  kMaxHosts = 16384,             // containers with a block, per attachment
  kMaxSessions = 98304,          // per attachment
  kMaxMappings = 65536,          // per attachment
  kMaxNeighbours = 4096,         // per attachment
  kPortTries = 2 * kBlockPorts,  // each port of a block, and each of the one that it grows by
  kRingTries = 8,
  kRingBytes = 1 << 22,   // some 2,000 packets: what twenty attachments may report in a tick
  kMaxHeldEach = 16,      // packets that may wait for one neighbour
  kMissesEachTick = 64,   // packets of one attachment that may be handed to the agent
  kErrorsEachTick = 32,   // ICMP errors to the containers of one attachment
  kMaxHeldPacket = 2048,  // bytes of a packet that may wait for its neighbour
};

enum { kContainerMtu = 1450 };  // fits a VXLAN behind the gateway

enum { kTickShift = 30 };  // a tick is 2^30 ns of CLOCK_MONOTONIC_COARSE

enum { kAttachmentActive = 1, kAttachmentDrops = 2 };

struct attachment {  // index: tag
  __u32 address;
  __u32 network;
  __u32 mask;
  __u32 router;
  __u8 mac[6];
  __u16 mtu;  // host order
  __u32 state;
  __u32 pad;
};
HEARTH_ASSERT_SIZE(attachment, 32);

enum { kTcp, kUdp, kIcmp, kProtocols };

struct port_block {  // index: external port / kBlockPorts
  __u32 generation;  // of the container that holds it, 0: free
  __u32 owner;       // its address
  __u32 next;        // ring of the owner's blocks
  __u32 pad;
  __u64 used[kProtocols];
  __u64 pad2[3];
};
HEARTH_ASSERT_SIZE(port_block, 64);

struct host {  // key: address of a container; its ring of blocks, and how many sessions it has
  __u32 generation;
  __u32 current;
  __u32 count;
  __u32 sessions;
};
HEARTH_ASSERT_SIZE(host, 16);

struct usage {   // index: tag; over all containers
  __u32 blocks;  // set right by each pass of the collector: user space takes blocks back
  __u32 sessions;
};
HEARTH_ASSERT_SIZE(usage, 8);

struct mapping_key {
  __u32 address;
  __u16 port;  // ICMP: the identifier
  __u8 protocol;
  __u8 pad;
};
HEARTH_ASSERT_SIZE(mapping_key, 8);

enum {
  kMappingDead = 1u << 31,  // in refs: being deleted
  kMappingShared = 1,       // in flags: the port's bit belongs to another mapping
};

struct mapping {  // one external port for one inside port, whatever the destination
  __u32 refs;     // sessions
  __u32 generation;
  __u16 port;
  __u16 flags;
  __u32 pad;
};
HEARTH_ASSERT_SIZE(mapping, 16);

struct session_key {
  __u32 remote;
  __u16 remote_port;  // ICMP: 0
  __u16 port;         // external
  __u8 protocol;
  __u8 pad[3];
};
HEARTH_ASSERT_SIZE(session_key, 12);

enum {  // phases and flags in state
  kAlive = 1 << 16,
  kDead = 1 << 17,  // expired; its collector or a new owner takes it by compare-and-swap
  kBusy = 1 << 18,  // being rewritten or deleted
  kSynOut = 1,
  kSynIn = 2,
  kFinOut = 4,
  kFinIn = 8,
  kRst = 16,
  kInbound = 32,  // UDP, ICMP: was answered
};

struct session {
  __u32 state;
  __u32 generation;
  __u32 address;  // inside
  __u16 port;     // inside
  __u16 pad;
  __u32 used;       // tick of the last packet that counts
  __u32 final_seq;  // TCP, host order: behind the container's FIN or RST; 0: none seen
  __u8 mac[6];      // of the next hop, in the tick before mac_tick
  __u16 pad2;
  __u32 mac_tick;
  __u32 pad3;
};
HEARTH_ASSERT_SIZE(session, 40);

struct timeouts {  // ticks
  __u32 tcp_established;
  __u32 tcp_transitory;
  __u32 udp;
  __u32 icmp;
  __u32 hold;  // how long a port of a gone container is kept from its destinations
};

struct neighbour_key {  // names an entry to user space; in its attachment's table the address does
  __u32 tag;
  __u32 address;
};

enum { kNeighbourPending = 1, kNeighbourValid = 2, kNeighbourStale = 3 };

struct neighbour {
  __u32 state;
  __u32 updated;  // tick; pending: how many packets were held for it
  __u8 mac[6];
  __u16 pad;
};
HEARTH_ASSERT_SIZE(neighbour, 16);

struct budget {  // index: tag; what its containers may still make the agent do in this tick
  __u32 tick;
  __u32 misses;
  __u32 errors;
  __u32 pad;
};
HEARTH_ASSERT_SIZE(budget, 16);

enum {
  kNeighbourFreshTicks = 30,
  kNeighbourUnusedTicks = 120,  // one that packets use is asked again long before
};

// ---- events of the gateway's ring buffer -------------------------------------------------------------------------

enum {
  kEventMiss = 1,     // packet: translated, without a destination MAC
  kEventLearned = 2,  // address
  kEventStale = 3,    // address
  kEventBlock = 4,    // address, port: a block was given to a container
  kEventIcmp = 5,     // packet: as the container sent it; icmp_type and icmp_code to answer with
};

struct event {
  __u32 type;
  __u32 tag;
  __u32 address;
  __u32 generation;
  __u16 port;  // host order
  __u16 length;
  __u8 icmp_type;
  __u8 icmp_code;
  __u16 pad;
  __u64 at;  // CLOCK_MONOTONIC; of a block's
};
HEARTH_ASSERT_SIZE(event, 32);

struct packet_event {
  struct event head;
  __u8 data[kMaxHeldPacket];
};

struct collect_args {
  __u32 tag;
  __u32 sessions;  // out: seen alive
  __u32 mappings;  // out: seen
  __u32 deleted;   // out
};
HEARTH_ASSERT_SIZE(collect_args, 16);

// ---- counters: one struct a CPU and tag ------------------------------------------------------------------------

#define HEARTH_SLOT_COUNTERS(X)    \
  X(dropped_unbound)               \
  X(dropped_malformed)             \
  X(dropped_vlan)                  \
  X(dropped_arp)                   \
  X(dropped_ipv6)                  \
  X(dropped_other_protocol)        \
  X(dropped_spoofed_mac)           \
  X(dropped_spoofed_address)       \
  X(dropped_forbidden_destination) \
  X(dropped_policy)                \
  X(dropped_return_unbound)        \
  X(dropped_return_tag)

#define HEARTH_GATEWAY_COUNTERS(X) \
  X(packets_out)                   \
  X(bytes_out)                     \
  X(packets_in)                    \
  X(bytes_in)                      \
  X(sessions_made)                 \
  X(mappings_made)                 \
  X(blocks_given)                  \
  X(ports_shared)                  \
  X(ports_reused_by_sequence)      \
  X(neighbour_misses)              \
  X(sent_after_wait)               \
  X(icmp_errors_in)                \
  X(icmp_errors_out)               \
  X(packets_hairpinned)            \
  X(arp_answered)                  \
  X(dropped_no_attachment)         \
  X(dropped_no_outside)            \
  X(dropped_malformed)             \
  X(dropped_fragment)              \
  X(dropped_protocol)              \
  X(dropped_ttl)                   \
  X(dropped_ports_exhausted)       \
  X(dropped_sessions_full)         \
  X(dropped_session_quota)         \
  X(dropped_race)                  \
  X(dropped_neighbour_large)       \
  X(dropped_neighbour_busy)        \
  X(dropped_over_budget)           \
  X(dropped_ring_full)             \
  X(dropped_other_mac)             \
  X(dropped_other_address)         \
  X(dropped_no_session)            \
  X(dropped_released)              \
  X(dropped_address_conflict)      \
  X(dropped_bad_sum)               \
  X(dropped_own_source)            \
  X(dropped_neighbour_unresolved)

#define HEARTH_COUNTER_FIELD(field) __u64 field;
struct slot_counters {
  HEARTH_SLOT_COUNTERS(HEARTH_COUNTER_FIELD)
};
struct gateway_counters {
  HEARTH_GATEWAY_COUNTERS(HEARTH_COUNTER_FIELD)
};
#undef HEARTH_COUNTER_FIELD

#ifdef __cplusplus
}  // namespace hearth::gateway
#endif
#endif
