// The vm driver: a gateway is PID 1 of a QEMU microvm.
//
// NIC 0 is a tap in the function network, NIC 1 a tap in a namespace of the gateway's own, where VPC ports end: between
// those and NIC 1, the trunk, programs add and take the tags (bpf/function_network.bpf.c). QEMU gets all that it needs
// as open descriptors and then gives up its rights.
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "gateway/bpf/shared.h"
#include "gateway/driver.h"
#include "gateway/hosting.h"
#include "gateway/machine.h"
#include "gateway/machine_parts.h"
#include "kernel/netlink.h"
#include "kernel/netns.h"
#include "kernel/process.h"
#include "kernel/tap.h"
#include "kernel/unix_socket.h"

namespace hearth::gateway {
namespace {

constexpr int kNic0File = 3;
constexpr int kNic1File = 4;
constexpr int kControlFile = 5;

std::string nic0_tap(uint32_t number) { return "gw" + std::to_string(number); }
constexpr const char* kTrunkTap = "trunk";

class VmDriver final : public HostedDriver {
 public:
  VmDriver(const Hosting& hosting, Accelerator accelerator)
      : HostedDriver(hosting.names),
        image_(hosting.image),
        function_netns_(hosting.function_netns),
        accelerator_(accelerator) {}

  std::string_view name() const override { return accelerator_ == Accelerator::kvm ? "vm (kvm)" : "vm (tcg)"; }
  bool shares_kernel() const override { return false; }
  bool boots() const override { return true; }
  Result<> prepare(const GatewayPlace& place) override;
  Result<std::optional<RunningGateway>> find(const GatewayPlace& place) override;
  Result<RunningGateway> start(const GatewayPlace& place) override;

 private:
  Result<Fd> nic0(const GatewayPlace& place) const;
  Result<Fd> nic1(const GatewayPlace& place, int netns) const;

  std::string image_;
  int function_netns_;
  Accelerator accelerator_;
};

Result<Fd> open_tap_in(int netns, const std::string& name, uint32_t ifindex) {
  TRY_ASSIGN(auto inside, kernel::NetnsScope::enter(netns));
  return kernel::open_tap(name, ifindex);
}

// One that a machine has open is there.
Result<> made(Result<Fd> tap) {
  if (!tap && tap.error().kind != Kind::conflict) return std::unexpected(std::move(tap).error());
  return {};
}

Result<> bring_up(int netns, uint32_t ifindex) {
  TRY_ASSIGN(auto netlink, kernel::Netlink::open_in(netns));
  kernel::Batch batch;
  batch.up(ifindex);
  return netlink.run(batch);
}

Result<Fd> VmDriver::nic0(const GatewayPlace& place) const {
  return open_tap_in(function_netns_, nic0_tap(place.number), nic_ifindex(place.number));
}

Result<Fd> VmDriver::nic1(const GatewayPlace& place, int netns) const {
  return open_tap_in(netns, kTrunkTap, trunk_ifindex(place.number));
}

Result<> VmDriver::prepare(const GatewayPlace& place) {
  TRY(kernel::make_directories(names_.gateway_dir()));
  TRY_ASSIGN(Fd netns, kernel::open_or_make_netns(names_.gateway_netns(place.id), kernel::disable_ipv6));
  TRY(made(nic0(place)));
  TRY(made(nic1(place, netns.get())));
  TRY(bring_up(function_netns_, nic_ifindex(place.number)));
  return bring_up(netns.get(), trunk_ifindex(place.number));
}

Result<std::optional<RunningGateway>> VmDriver::find(const GatewayPlace& place) {
  TRY_ASSIGN(const auto holder, lock_holder(names_.gateway_lock(place.id)));
  if (!holder) return std::nullopt;
  RunningGateway running;
  TRY_ASSIGN(running.pidfd, kernel::open_pidfd(*holder));
  TRY_ASSIGN(running.control, connect_to(names_.gateway_socket(place.id), SOCK_STREAM));
  return running;
}

Result<RunningGateway> VmDriver::start(const GatewayPlace& place) {
  TRY_ASSIGN(Fd netns, port_netns(place));
  TRY_ASSIGN(Fd functions, nic0(place));
  TRY_ASSIGN(Fd trunk, nic1(place, netns.get()));
  const std::string socket = names_.gateway_socket(place.id);
  TRY_ASSIGN(Fd listener, kernel::listen_unix(socket, SOCK_STREAM, geteuid(), 0600));
  MachineWords words{
      .image = image_, .accelerator = accelerator_, .lock = names_.gateway_lock(place.id), .devices = {}};
  words.devices = {"-chardev", "socket,id=control,server=on,wait=off,fd=" + std::to_string(kControlFile),
                   "-netdev",  "tap,id=nic0,fd=" + std::to_string(kNic0File),
                   "-device",  nic_device("nic0", kNic0Mac),
                   "-netdev",  "tap,id=nic1,fd=" + std::to_string(kNic1File),
                   "-device",  nic_device("nic1", kNic1Mac)};
  RunningGateway running;
  TRY_ASSIGN(running.pidfd,
             launch({.words = machine_words(words),
                     .files = {{functions.get(), kNic0File}, {trunk.get(), kNic1File}, {listener.get(), kControlFile}},
                     .log = names_.gateway_log(place.id)}));
  TRY_ASSIGN(running.control, connect_to(socket, SOCK_STREAM));
  return running;
}

}  // namespace

Result<std::unique_ptr<Driver>> vm_driver(const Hosting& hosting) {
  TRY(check_image(hosting.image));
  TRY_ASSIGN(const Accelerator accelerator,
             accelerator_of(hosting.accelerator, hosting.image, hosting.names.run_dir()));
  return std::make_unique<VmDriver>(hosting, accelerator);
}

Result<std::unique_ptr<Driver>> make_driver(const std::string& word, const Hosting& hosting) {
  if (word == "netns") return netns_driver(hosting);
  if (word == "vm") return vm_driver(hosting);
  if (word != "auto") return fail(Kind::invalid, "gateway.driver: netns, vm or auto, not '" + word + "'");
  if (!check_image(hosting.image)) return netns_driver(hosting);
  TRY_ASSIGN(const Accelerator accelerator,
             accelerator_of(hosting.accelerator, hosting.image, hosting.names.run_dir()));
  if (accelerator == Accelerator::kvm) return std::make_unique<VmDriver>(hosting, accelerator);
  return netns_driver(hosting);
}

}  // namespace hearth::gateway
