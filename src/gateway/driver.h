// Driver: how a gateway is hosted. `netns` runs hearth-gateway as a process in a network namespace of its own; `vm`
// boots it as PID 1 of a machine of its own. The data plane is the same.
//
// The function network's end of the gateway's NIC 0, which carries the containers' packets tagged by attachment, has a
// fixed interface number (bpf/shared.h). VPC ports end in port_netns(), with fixed numbers too: a namespace gateway has
// them in its own, a machine has them behind a trunk.
//
// Single-threaded; calls may enter other network namespaces for their duration.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "base/fd.h"
#include "base/ids.h"
#include "base/result.h"
#include "gateway/names.h"

namespace hearth::gateway {

struct GatewayPlace {
  GatewayId id;
  uint32_t number = 0;  // 0…kMaxGateways-1
};

struct RunningGateway {
  Fd control;  // a connection that speaks control.h (control_line.h)
  Fd pidfd;    // polls readable when the gateway has died
};

class Driver {
 public:
  virtual ~Driver() = default;
  virtual std::string_view name() const = 0;
  // Packets may be handed over by bpf_redirect_peer.
  virtual bool shares_kernel() const = 0;
  // It serves only seconds after start(): nobody waits for that.
  virtual bool boots() const = 0;
  // Makes what a gateway needs before it runs: its namespace or machine files, its NICs. Idempotent.
  virtual Result<> prepare(const GatewayPlace& place) = 0;
  // The namespace of our ends of VPC ports.
  virtual Result<Fd> port_netns(const GatewayPlace& place) = 0;
  // Where a gateway's standard error arrives (gateway_log.h).
  virtual std::string log_path(const GatewayPlace& place) = 0;
  // The running gateway, if there is one.
  virtual Result<std::optional<RunningGateway>> find(const GatewayPlace& place) = 0;
  // Nothing of the caller's stays open in it: neither may keep the other's pipes. REQUIRES: its log is there.
  virtual Result<RunningGateway> start(const GatewayPlace& place) = 0;
};

// What drivers need of the instance.
struct Hosting {
  Names names;
  std::string program;      // hearth-gateway
  std::string image;        // folder of the machines' image (tools/gateway-image); need not be there
  std::string accelerator;  // "kvm", "tcg" or "auto"
  int function_netns = -1;  // outlives them
};

std::unique_ptr<Driver> netns_driver(const Hosting& hosting);
// Kind::unavailable when the image or QEMU is missing.
Result<std::unique_ptr<Driver>> vm_driver(const Hosting& hosting);

// `word`: "netns", "vm" or "auto", which is a machine where its image is there and KVM boots it.
Result<std::unique_ptr<Driver>> make_driver(const std::string& word, const Hosting& hosting);

}  // namespace hearth::gateway
