#include <sys/socket.h>

#include "gateway/bpf/shared.h"
#include "gateway/driver.h"
#include "gateway/hosting.h"
#include "kernel/netlink.h"
#include "kernel/netns.h"
#include "kernel/process.h"
#include "kernel/unix_socket.h"

namespace hearth::gateway {
namespace {

constexpr uint32_t kNic0 = 10;  // in the gateway's namespace
constexpr int kControlFd = 3;

class NetnsDriver final : public HostedDriver {
 public:
  explicit NetnsDriver(const Hosting& hosting)
      : HostedDriver(hosting.names), program_(hosting.program), function_netns_(hosting.function_netns) {}

  std::string_view name() const override { return "netns"; }
  bool shares_kernel() const override { return true; }
  bool boots() const override { return false; }
  Result<> prepare(const GatewayPlace& place) override;
  Result<std::optional<RunningGateway>> find(const GatewayPlace& place) override;
  Result<RunningGateway> start(const GatewayPlace& place) override;

 private:
  std::string program_;
  int function_netns_;
};

Result<> NetnsDriver::prepare(const GatewayPlace& place) {
  TRY(kernel::make_directories(names_.gateway_dir()));
  TRY_ASSIGN(Fd netns, kernel::open_or_make_netns(names_.gateway_netns(place.id), kernel::disable_ipv6));
  TRY_ASSIGN(auto netlink, kernel::Netlink::open_in(function_netns_));
  const uint32_t ifindex = nic_ifindex(place.number);
  if (!netlink.link(ifindex)) {
    kernel::LinkEnd near{
        .name = "gw" + std::to_string(place.number), .netns = -1, .ifindex = ifindex, .mac = {}, .mtu = 0};
    kernel::LinkEnd far{.name = "nic0", .netns = netns.get(), .ifindex = kNic0, .mac = {}, .mtu = 0};
    kernel::Batch make;
    make.veth(near, far);
    TRY(netlink.run(make));
  }
  kernel::Batch batch;
  batch.up(ifindex);
  TRY(netlink.run(batch));
  TRY_ASSIGN(auto inside, kernel::Netlink::open_in(netns.get()));
  kernel::Batch up;
  up.up(kNic0);
  return inside.run(up);
}

Result<std::optional<RunningGateway>> NetnsDriver::find(const GatewayPlace& place) {
  TRY_ASSIGN(const auto holder, lock_holder(names_.gateway_lock(place.id)));
  if (!holder) return std::nullopt;
  RunningGateway running;
  TRY_ASSIGN(running.pidfd, kernel::open_pidfd(*holder));
  TRY_ASSIGN(running.control, connect_to(names_.gateway_socket(place.id), SOCK_SEQPACKET));
  return running;
}

Result<RunningGateway> NetnsDriver::start(const GatewayPlace& place) {
  TRY_ASSIGN(Fd netns, kernel::open_netns(names_.gateway_netns(place.id)));
  TRY_ASSIGN(auto pair, kernel::seqpacket_pair());
  RunningGateway running;
  TRY_ASSIGN(running.pidfd,
             launch({.words = {program_, "--nic0=" + std::to_string(kNic0),
                               "--ports=" + std::to_string(port_ifindex(place.number, 0)),
                               "--pins=" + names_.gateway_pins(place.id), "--listen=" + names_.gateway_socket(place.id),
                               "--lock=" + names_.gateway_lock(place.id), "--control-fd=" + std::to_string(kControlFd),
                               "--peer", "--preallocate"},
                     .files = {{pair.second.get(), kControlFd}},
                     .log = names_.gateway_log(place.id),
                     .netns = netns.get()}));
  running.control = std::move(pair.first);
  return running;
}

}  // namespace

std::unique_ptr<Driver> netns_driver(const Hosting& hosting) { return std::make_unique<NetnsDriver>(hosting); }

}  // namespace hearth::gateway
