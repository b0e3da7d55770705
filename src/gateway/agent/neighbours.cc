#include "gateway/agent/neighbours.h"

#include <algorithm>

#include "gateway/agent/frames.h"

namespace hearth::gateway {

using std::chrono::milliseconds;

Neighbours::Asked* Neighbours::ask(uint32_t tag, uint32_t address, Time now) {
  const Key key{tag, address};
  if (const auto found = asked_.find(key); found != asked_.end()) return &found->second;
  if (asked_.size() >= kMaxAsked) return nullptr;
  Asked& asked = asked_[key];
  asked.deadline = now + milliseconds(kResolveMs);
  world_.set_pending(neighbour_key{.tag = tag, .address = address});
  request(key, asked, now);
  return &asked;
}

void Neighbours::request(const Key& key, Asked& asked, Time now) {
  asked.next_request = now + asked.interval;
  asked.interval *= 2;
  const auto at = world_.attachment_of(key.first);
  if (!at) return;
  ++counters_.requests;
  world_.send(key.first, arp_request(key.first, *at, key.second));
}

void Neighbours::missed(uint32_t tag, uint32_t address, std::span<const uint8_t> packet, Time now) {
  // The answer may have come between the program's look and this one.
  const auto known = world_.look_up(neighbour_key{.tag = tag, .address = address});
  if (known && known->state != kNeighbourPending) return send({tag, address}, packet, *known);
  Asked* asked = ask(tag, address, now);
  // Nobody would ever answer an entry that is not asked for.
  if (asked == nullptr) world_.forget(neighbour_key{.tag = tag, .address = address});
  if (asked != nullptr && packet.empty()) return;
  if (asked == nullptr || asked->packets.size() >= kMaxHeldEach || held_ >= kMaxHeld) {
    ++counters_.dropped_full;
    return;
  }
  asked->packets.emplace_back(packet.begin(), packet.end());
  ++held_;
}

void Neighbours::send(const Key& key, std::span<const uint8_t> packet, const neighbour& to) {
  if (packet.empty()) return;
  auto frame = finish_packet(packet, key.first, to.mac);
  if (!frame) {
    ++counters_.dropped_unsendable;
    return;
  }
  ++counters_.sent_after_wait;
  world_.send(key.first, *frame);
}

void Neighbours::learned(uint32_t tag, uint32_t address) {
  const Key key{tag, address};
  const auto found = asked_.find(key);
  const auto known = world_.look_up(neighbour_key{.tag = tag, .address = address});
  if (found == asked_.end() || !known || known->state == kNeighbourPending) return;
  const Asked asked = std::move(found->second);
  asked_.erase(found);
  answered(key, asked, *known);
}

void Neighbours::answered(const Key& key, const Asked& asked, const neighbour& who) {
  held_ -= asked.packets.size();
  for (const auto& packet : asked.packets) send(key, packet, who);
  for (const auto& done : asked.proofs) done(true);
}

void Neighbours::stale(uint32_t tag, uint32_t address, Time now) { ask(tag, address, now); }

void Neighbours::prove(uint32_t tag, uint32_t address, Proved done, Time now) {
  const auto known = world_.look_up(neighbour_key{.tag = tag, .address = address});
  if (known && known->state == kNeighbourValid) return done(true);
  Asked* asked = ask(tag, address, now);
  if (asked == nullptr) return done(false);
  asked->proofs.push_back(std::move(done));
}

void Neighbours::give_up(const Key& key, const Asked& asked) {
  world_.forget(neighbour_key{.tag = key.first, .address = key.second});
  counters_.dropped_unresolved += asked.packets.size();
  held_ -= asked.packets.size();
  for (const auto& done : asked.proofs) done(false);
}

void Neighbours::forget_attachment(uint32_t tag) {
  for (auto at = asked_.begin(); at != asked_.end();) {
    if (at->first.first != tag) {
      ++at;
      continue;
    }
    give_up(at->first, at->second);
    at = asked_.erase(at);
  }
}

void Neighbours::expire(Time now) {
  for (auto at = asked_.begin(); at != asked_.end();) {
    Asked& asked = at->second;
    if (now >= asked.deadline) {
      const auto known = world_.look_up(neighbour_key{.tag = at->first.first, .address = at->first.second});
      // It answered, but a full ring buffer let nobody be told.
      if (known && known->state == kNeighbourValid)
        answered(at->first, asked, *known);
      else
        give_up(at->first, asked);
      at = asked_.erase(at);
      continue;
    }
    if (now >= asked.next_request) request(at->first, asked, now);
    ++at;
  }
}

std::optional<Neighbours::Time> Neighbours::next_deadline() const {
  std::optional<Time> next;
  for (const auto& [key, asked] : asked_) {
    const Time due = std::min(asked.deadline, asked.next_request);
    if (!next || due < *next) next = due;
  }
  return next;
}

}  // namespace hearth::gateway
