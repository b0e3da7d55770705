#include "gateway/agent/neighbours.h"

#include <algorithm>

#include "gateway/agent/frames.h"

namespace hearth::gateway {

using std::chrono::milliseconds;

namespace {

// The programs' clock is this one's.
uint32_t tick_of(Neighbours::Time time) {
  const auto ns = std::chrono::duration_cast<std::chrono::nanoseconds>(time.time_since_epoch()).count();
  return static_cast<uint32_t>(static_cast<uint64_t>(ns) >> kTickShift);
}

}  // namespace

Neighbours::Asked* Neighbours::ask(uint32_t tag, uint32_t address, Time now) {
  const Key key{tag, address};
  if (const auto found = asked_.find(key); found != asked_.end()) return &found->second;
  const auto share = shares_.find(tag);
  if (asked_.size() >= kMaxAsked || (share != shares_.end() && share->second.asked >= kMaxAskedOfTag)) return nullptr;
  ++shares_[tag].asked;
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
  if (asked == nullptr || asked->packets.size() >= kMaxHeldEach || held_ >= kMaxHeld ||
      shares_[tag].held >= kMaxHeldOfTag) {
    ++counters_.dropped_full;
    return;
  }
  asked->packets.emplace_back(packet.begin(), packet.end());
  ++shares_[tag].held;
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
  answered(found, *known);
}

Neighbours::Asked Neighbours::take(Questions::iterator at) {
  Asked asked = std::move(at->second);
  const auto share = shares_.find(at->first.first);
  share->second.held -= asked.packets.size();
  held_ -= asked.packets.size();
  if (--share->second.asked == 0) shares_.erase(share);
  return asked;
}

Neighbours::Questions::iterator Neighbours::answered(Questions::iterator at, const neighbour& who) {
  const Key key = at->first;
  const Asked asked = take(at);
  const auto next = asked_.erase(at);
  for (const auto& packet : asked.packets) send(key, packet, who);
  for (const auto& done : asked.proofs) done(true);
  return next;
}

void Neighbours::stale(uint32_t tag, uint32_t address, Time now) { ask(tag, address, now); }

void Neighbours::prove(uint32_t tag, uint32_t address, Proved done, Time now) {
  const neighbour_key key{.tag = tag, .address = address};
  const auto known = world_.look_up(key);
  if (known && known->state == kNeighbourValid) {
    const auto age = static_cast<int32_t>(tick_of(now) - known->updated);
    if (age <= kNeighbourFreshTicks) return done(true);
    world_.set_stale(key, *known);
  }
  Asked* asked = ask(tag, address, now);
  if (asked == nullptr) return done(false);
  asked->proofs.push_back(std::move(done));
}

Neighbours::Questions::iterator Neighbours::give_up(Questions::iterator at) {
  world_.forget(neighbour_key{.tag = at->first.first, .address = at->first.second});
  const Asked asked = take(at);
  const auto next = asked_.erase(at);
  counters_.dropped_unresolved += asked.packets.size();
  for (const auto& done : asked.proofs) done(false);
  return next;
}

void Neighbours::forget_attachment(uint32_t tag) {
  auto at = asked_.lower_bound(Key{tag, 0});
  while (at != asked_.end() && at->first.first == tag) at = give_up(at);
}

void Neighbours::expire(Time now) {
  for (auto at = asked_.begin(); at != asked_.end();) {
    if (now >= at->second.deadline) {
      const auto known = world_.look_up(neighbour_key{.tag = at->first.first, .address = at->first.second});
      // It answered, but a full ring buffer let nobody be told.
      const bool has_answered = known && known->state == kNeighbourValid;
      at = has_answered ? answered(at, *known) : give_up(at);
      continue;
    }
    if (now >= at->second.next_request) request(at->first, at->second, now);
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
