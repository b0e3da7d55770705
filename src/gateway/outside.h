// Outside: the way out for functions without a VPC, by the host's default route or through a namespace that is named.
//
// The gateway's outside attachment ends in an interface `<instance>-out` with an address of a /30 of 100.127.0.0/16. In
// the host's own namespace an nftables table of the instance's own masquerades what comes from there and lets nothing
// of it reach the host itself. In a named namespace only the interface is made: routes and filters are its owner's.
//
// Single-threaded.
#pragma once

#include <string>

#include "base/fd.h"
#include "base/result.h"
#include "gateway/names.h"
#include "kernel/netlink.h"

namespace hearth::gateway {

struct OutsideNet {
  uint32_t router = 0;   // host order: the interface's address
  uint32_t gateway = 0;  // the gateway's
  int prefix_length = 30;
};

// The namespace that `option` names: "" is the thread's own.
Result<Fd> outside_netns(const std::string& option);
// The first /30 from 100.127.255.0 downwards that no interface of the namespace has.
Result<OutsideNet> choose_outside_net(kernel::Netlink& netlink);
// Forwards and masquerades for the interface. Idempotent; remembers what it changed for undo_host().
Result<> open_host(const Names& names, const OutsideNet& net);
Result<> undo_host(const Names& names);

// The table's text, for tests and people.
std::string nft_script(const Names& names, const OutsideNet& net);

}  // namespace hearth::gateway
