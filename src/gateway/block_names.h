// BlockNames: a gateway's changes of port blocks, in words: tags become attachments and VPCs, ages become times.
//
// A tag of a deleted attachment keeps its name until the gateway has said that its blocks are gone: what it still tells
// of it is not taken for the tag's next owner's. A later warden does not know that name ("").
//
// Single-threaded.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "base/clock.h"
#include "gateway/bpf/shared.h"
#include "gateway/control.h"
#include "gateway/function_network.h"

namespace hearth::gateway {

class BlockNames {
 public:
  // By name, as Programs has them.
  using Attachments = std::map<std::string, attachment_record>;

  void deleted(const std::string& attachment, const attachment_record& record);
  // REQUIRES: decode_control_reply allowed `reply`.
  BlockChanges named(const ControlReply& reply, const Attachments& attachments, WallTime now);

 private:
  struct Owner {
    std::string attachment;
    std::string vpc;
  };
  // Who has the tags in `reply` now.
  static std::map<uint32_t, Owner> owners_in(const ControlReply& reply, const Attachments& attachments);

  std::map<uint32_t, Owner> deleted_;  // by tag: at most one each
};

}  // namespace hearth::gateway
