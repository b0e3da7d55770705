#include "gateway/slots.h"

#include <arpa/inet.h>
#include <sys/stat.h>

#include <cerrno>

#include "kernel/netns.h"

namespace hearth::gateway {
namespace {

constexpr uint32_t kRouter = 0x64400001;  // 100.64.0.1, that nobody has: the neighbour is permanent
constexpr kernel::Mac kRouterMac = {0x02, 0x64, 0, 0, 0, 0};
constexpr uint32_t kLoopback = 1;
constexpr uint32_t kInsideIfindex = 64;  // fallback tunnels of a new namespace get the first ones
constexpr const char* kInside = "eth0";

kernel::Mac slot_mac(uint32_t generation) {
  return {0x02,
          0x64,
          static_cast<uint8_t>(generation >> 24),
          static_cast<uint8_t>(generation >> 16),
          static_cast<uint8_t>(generation >> 8),
          static_cast<uint8_t>(generation)};
}

Slot slot_at(uint32_t place, uint32_t generation, Fd netns) {
  Slot slot;
  slot.number = place;
  slot.address = kernel::address_text(kSlotBase + place);
  slot.mac = kernel::to_string(slot_mac(generation));
  slot.ifindex = kSlotIfindex + place;
  slot.netns = std::move(netns);
  return slot;
}

}  // namespace

void Slots::free_when_confirmed(uint32_t place) {
  if (places_[place].use == Use::releasing && places_[place].unconfirmed == 0) places_[place] = {};
}

// No packet leaves once this is done; then the gateway is told.
void Slots::end_binding(uint32_t place) {
  const auto ended = programs_->binding_of(place);
  if (!ended) return;
  programs_->unbind(place);
  ++places_[place].unconfirmed;
  release_(*ended, htonl(kSlotBase + place), [this, place] {
    --places_[place].unconfirmed;
    free_when_confirmed(place);
  });
}

Result<uint32_t> Slots::free_place() {
  for (uint32_t tried = 0; tried < kMaxSlots; ++tried) {
    const uint32_t place = cursor_;
    cursor_ = (cursor_ + 1) % kMaxSlots;
    if (places_[place].use != Use::free) continue;
    if (!programs_->binding_of(place)) return place;
    // Somebody's who has not been adopted (yet); if he is gone, his sessions go now and the place next time.
    if (netlink_.link(kSlotIfindex + place)) continue;
    places_[place].use = Use::releasing;
    end_binding(place);
  }
  return fail(Kind::exhausted, "all places of the function network are taken");
}

Result<Slot> Slots::make() {
  for (;;) {
    TRY_ASSIGN(const uint32_t place, free_place());
    TRY_ASSIGN(const uint32_t generation, programs_->next_serial());
    TRY_ASSIGN(Fd netns, kernel::make_netns());
    Slot slot = slot_at(place, generation, std::move(netns));
    kernel::LinkEnd host{.name = "s" + std::to_string(place),
                         .netns = -1,
                         .ifindex = slot.ifindex,
                         .mac = kRouterMac,
                         .mtu = kContainerMtu};
    kernel::LinkEnd inside{.name = kInside,
                           .netns = slot.netns.get(),
                           .ifindex = kInsideIfindex,
                           .mac = slot_mac(generation),
                           .mtu = kContainerMtu};
    TRY_ASSIGN(auto netlink, [&]() -> Result<kernel::Netlink> {
      TRY_ASSIGN(auto scope, kernel::NetnsScope::enter(slot.netns.get()));
      TRY(kernel::disable_ipv6());
      return kernel::Netlink::open();
    }());
    kernel::Batch batch;
    batch.veth(host, inside);
    // By a filter: attaching at the hook itself (kernel::attach_program) waits for all readers, 10 ms and more.
    batch.clsact(slot.ifindex);
    batch.program(slot.ifindex, kernel::Batch::Hook::ingress, programs_->container_out(), "container_out");
    batch.up(slot.ifindex);
    if (auto made = netlink_.run(batch); !made) {
      // The interface of a container that was not adopted (yet).
      if (made.error().errno_value == EEXIST) continue;
      return std::unexpected(made.error());
    }
    TRY(configure_inside(slot, netlink));
    places_[place] = {.use = Use::living, .generation = generation, .unconfirmed = 0};
    ++living_;
    return slot;
  }
}

Result<> Slots::configure_inside(const Slot& slot, kernel::Netlink& inside) {
  kernel::Batch batch;
  batch.up(kLoopback);
  batch.up(kInsideIfindex);
  batch.address(kInsideIfindex, kSlotBase + static_cast<uint32_t>(slot.number), 32);
  batch.permanent_neighbour(kInsideIfindex, kRouter, kRouterMac);
  batch.default_route(kInsideIfindex, kRouter);
  return inside.run(batch);
}

Result<Slot> Slots::adopt(int64_t number, Fd netns) {
  if (number < 0 || number >= kMaxSlots) return fail(Kind::invalid, "slot number out of range");
  const auto place = static_cast<uint32_t>(number);
  if (places_[place].use == Use::living) return fail(Kind::conflict, "slot is adopted already");
  TRY(netlink_.link(kSlotIfindex + place));
  TRY_ASSIGN(auto inside, kernel::Netlink::open_in(netns.get()));
  TRY_ASSIGN(const kernel::LinkInfo link, inside.link(std::string(kInside)));
  if (link.mac[0] != 0x02 || link.mac[1] != 0x64) return fail(Kind::invalid, "namespace is of no slot");
  const uint32_t generation = static_cast<uint32_t>(link.mac[2]) << 24 | static_cast<uint32_t>(link.mac[3]) << 16 |
                              static_cast<uint32_t>(link.mac[4]) << 8 | link.mac[5];
  places_[place] = {.use = Use::living, .generation = generation, .unconfirmed = 0};
  ++living_;
  return slot_at(place, generation, std::move(netns));
}

Result<Slots::Place*> Slots::living_place(const Slot& slot) {
  if (slot.number < 0 || slot.number >= kMaxSlots || places_[static_cast<size_t>(slot.number)].use != Use::living)
    return fail(Kind::not_found, "no such slot");
  return &places_[static_cast<size_t>(slot.number)];
}

Result<> Slots::release(Slot slot) {
  TRY(living_place(slot));
  const auto place = static_cast<uint32_t>(slot.number);
  end_binding(place);
  --living_;
  slot.netns.reset();
  kernel::Batch batch;
  batch.remove(slot.ifindex);
  auto removed = netlink_.run(batch);
  places_[place].use = Use::releasing;
  free_when_confirmed(place);
  // Gone already when the container's namespace went first.
  if (!removed && removed.error().errno_value == ENODEV) return {};
  return removed;
}

Result<> Slots::bind(const Slot& slot, uint16_t tag, uint8_t gateway, bool peer, uint32_t policy) {
  TRY_ASSIGN(const Place* place, living_place(slot));
  programs_->bind(static_cast<uint32_t>(slot.number),
                  {.generation = place->generation, .tag = tag, .gateway = gateway, .peer = peer, .policy = policy});
  return {};
}

Result<> Slots::unbind(const Slot& slot) {
  TRY(living_place(slot));
  end_binding(static_cast<uint32_t>(slot.number));
  return {};
}

}  // namespace hearth::gateway
