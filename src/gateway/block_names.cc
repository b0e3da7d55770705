#include "gateway/block_names.h"

#include <arpa/inet.h>

#include "gateway/programs.h"
#include "kernel/netlink.h"

namespace hearth::gateway {
namespace {

std::string word_of(uint32_t kind) {
  switch (kind) {
    case BlockChange::kGiven:
      return "given";
    case BlockChange::kStanding:
      return "standing";
    case BlockChange::kReleased:
      return "released";
    case BlockChange::kCleared:
      return "cleared";
    case BlockChange::kBegun:
      return "begun";
    default:
      return "resumed";
  }
}

std::string text_of_address(uint32_t address) {
  return address == 0 ? std::string() : kernel::address_text(ntohl(address));
}

}  // namespace

void BlockNames::deleted(const std::string& attachment, const attachment_record& record) {
  deleted_.insert_or_assign(record.tag, Owner{attachment, text_of(record.vpc)});
}

std::map<uint32_t, BlockNames::Owner> BlockNames::owners_in(const ControlReply& reply, const Attachments& attachments) {
  std::map<uint32_t, Owner> owners;
  for (uint32_t i = 0; i < reply.change_count; ++i) owners[reply.changes[i].tag];
  for (const auto& [name, record] : attachments) {
    if (const auto wanted = owners.find(record.tag); wanted != owners.end())
      wanted->second = {name, text_of(record.vpc)};
  }
  return owners;
}

BlockChanges BlockNames::named(const ControlReply& reply, const Attachments& attachments, WallTime now) {
  BlockChanges told{.epoch = reply.epoch, .serial = reply.serial, .changes = {}};
  const auto owners = owners_in(reply, attachments);
  for (uint32_t i = 0; i < reply.change_count; ++i) {
    const BlockChange& change = reply.changes[i];
    const auto former = deleted_.find(change.tag);
    const Owner& owner = former != deleted_.end() ? former->second : owners.at(change.tag);
    told.changes.push_back({.what = word_of(change.kind),
                            .at = now - std::chrono::milliseconds(change.age_ms),
                            .attachment = owner.attachment,
                            .vpc = owner.vpc,
                            .external = text_of_address(change.external),
                            .container = text_of_address(change.container),
                            .first_port = change.first_port,
                            .count = change.count});
    if (change.kind == BlockChange::kCleared && former != deleted_.end()) deleted_.erase(former);
  }
  return told;
}

}  // namespace hearth::gateway
