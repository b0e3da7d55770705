// The protocol between the warden and a gateway: fixed-size messages over a Unix seqpacket connection.
//
// One request, one reply with its sequence number; replies may come in any order (prove waits for the network). Every
// request is a statement of what should be and may be said again after either side was restarted. A message of another
// size or version, an unknown operation or a tag out of range is refused and ends the connection: both sides are built
// from this page. No text but the reply's message, no lengths, no descriptors. Fuzzed (fuzz/gateway_control.cc).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "gateway/bpf/shared.h"

namespace hearth::gateway {

constexpr uint32_t kControlVersion = 3;
constexpr size_t kMaxProofs = 256;  // that one gateway works on at a time
constexpr int kProofMs = 1000;
constexpr int kTakeMs = 5000;           // how long `take` waits for something to tell
constexpr size_t kMaxChangesEach = 16;  // in one reply

enum class ControlOp : uint32_t {
  hello = 1,          // is the gateway ready?
  set_attachment,     // tag, attachment
  remove_attachment,  // tag
  release,            // tag, address, generation: the container is gone
  prove,              // tag: does the next hop answer?
  stats,              // tag, 0: what belongs to no attachment
  take,               // epoch, serial: what happened to port blocks behind that (agent/block_journal.h); one at a time
};

struct ControlRequest {
  uint32_t version = kControlVersion;
  ControlOp op = ControlOp::hello;
  uint32_t sequence = 0;
  uint32_t tag = 0;
  uint32_t address = 0;     // network order
  uint32_t generation = 0;  // releases this one and older ones
  attachment at{};
  uint64_t epoch = 0;
  uint64_t serial = 0;
};
static_assert(sizeof(ControlRequest) == 72);

constexpr size_t kMaxControlText = 160;

struct BlockChange {
  enum Kind : uint32_t {
    kGiven = 1,  // to `container`
    kStanding,   // is the container's since a time that is not known
    kReleased,   // by the container
    kCleared,    // all blocks of the attachment are gone
    kBegun,      // a new epoch; `count` changes before it were lost
    kResumed,    // all that stands was told
  };
  uint32_t kind = 0;
  uint32_t age_ms = 0;  // ago, when the reply was sent
  uint32_t tag = 0;
  uint32_t external = 0;   // address; network order
  uint32_t container = 0;  // address; network order
  uint32_t generation = 0;
  uint32_t first_port = 0;
  uint32_t count = 0;  // of ports; of what was lost
};
static_assert(sizeof(BlockChange) == 32);

struct ControlReply {
  uint32_t version = kControlVersion;
  uint32_t sequence = 0;
  uint32_t failed = 0;  // 0, or 1 + Kind
  uint32_t proven = 0;
  uint32_t sessions = 0;
  uint32_t mappings = 0;
  uint32_t free_blocks = 0;
  uint32_t held_packets = 0;
  timeouts limits{};  // ticks; of tag 0
  uint32_t change_count = 0;
  gateway_counters counters{};
  uint64_t epoch = 0;
  uint64_t serial = 0;  // of the last change here
  BlockChange changes[kMaxChangesEach] = {};
  char text[kMaxControlText] = {};
};

std::string encode(const ControlRequest& request);
std::string encode(const ControlReply& reply);
Result<ControlRequest> decode_control_request(std::string_view datagram);
Result<ControlReply> decode_control_reply(std::string_view datagram);

ControlReply failed_reply(uint32_t sequence, const Error& error);
// The reply as a Result: its error when it tells of one.
Result<ControlReply> outcome(const ControlReply& reply);

}  // namespace hearth::gateway
