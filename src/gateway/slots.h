// Slots: the containers' ends of the function network. See function_network.h for what a slot is.
//
// The place of a slot fixes its address and its interface number (bpf/shared.h). A place is used again only after the
// gateway has confirmed that the sessions of its last container are gone.
//
// Single-threaded.
#pragma once

#include <functional>
#include <vector>

#include "gateway/function_network.h"
#include "gateway/programs.h"
#include "kernel/netlink.h"

namespace hearth::gateway {

class Slots {
 public:
  // Tells the gateway of a binding that ended; `freed` when it has confirmed.
  using Release = std::function<void(const Binding& ended, uint32_t address, std::function<void()> freed)>;

  // REQUIRES: `programs` outlives it. `netlink` is in the function network.
  Slots(const Programs& programs, kernel::Netlink netlink, Release release)
      : programs_(&programs), netlink_(std::move(netlink)), release_(std::move(release)), places_(kMaxSlots) {}
  Slots(const Slots&) = delete;
  Slots& operator=(const Slots&) = delete;

  Result<Slot> make();
  Result<Slot> adopt(int64_t number, Fd netns);
  Result<> release(Slot slot);
  Result<> bind(const Slot& slot, uint16_t tag, uint8_t gateway, bool peer, uint32_t policy);
  Result<> unbind(const Slot& slot);
  size_t living() const { return living_; }

 private:
  enum class Use : uint8_t { free, living, releasing };
  struct Place {
    Use use = Use::free;
    uint32_t generation = 0;
    uint32_t unconfirmed = 0;  // releases under way
  };

  Result<uint32_t> free_place();
  void end_binding(uint32_t place);
  void free_when_confirmed(uint32_t place);
  Result<> configure_inside(const Slot& slot, kernel::Netlink& inside);
  Result<Place*> living_place(const Slot& slot);

  const Programs* programs_;
  kernel::Netlink netlink_;
  Release release_;
  std::vector<Place> places_;
  size_t living_ = 0;
  uint32_t cursor_ = 0;  // first in, first out: an address rests as long as it can
};

}  // namespace hearth::gateway
