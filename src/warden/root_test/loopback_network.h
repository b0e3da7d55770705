// LoopbackNetwork: a FunctionNetwork whose slots are namespaces with only `lo`, for tests of containers.
#pragma once

#include <fcntl.h>
#include <fmt/format.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "gateway/function_network.h"
#include "warden/protocol.h"

namespace hearth::warden {

class LoopbackNetwork : public gateway::FunctionNetwork {
 public:
  Result<gateway::Slot> make_slot() override {
    gateway::Slot slot;
    slot.number = next_++;
    slot.address = fmt::format("100.64.0.{}", slot.number);
    Fd home(::open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC));
    if (unshare(CLONE_NEWNET) != 0) return fail_errno("unshare");
    Fd inet(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    ifreq request{};
    strcpy(request.ifr_name, "lo");
    request.ifr_flags = IFF_UP;
    int up = ioctl(inet.get(), SIOCSIFFLAGS, &request);
    slot.netns = Fd(::open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC));
    if (setns(home.get(), CLONE_NEWNET) != 0 || up != 0) return fail_errno("loopback");
    return slot;
  }
  Result<gateway::Slot> adopt_slot(int64_t number, Fd netns) override {
    next_ = std::max(next_, number + 1);
    return gateway::Slot{number, fmt::format("100.64.0.{}", number), "", 0, std::move(netns)};
  }
  Result<> release_slot(gateway::Slot) override { return {}; }
  Result<> bind(const gateway::Slot&, const std::string& attachment, const std::string&) override {
    if (attachment != "subnet-1") return fail(Kind::not_found, "no attachment " + attachment);
    return {};
  }
  Result<> unbind(const gateway::Slot&) override { return {}; }
  Result<> ensure_gateway(const GatewayId&, const std::string&) override { return {}; }
  void ensure_attachment(const GatewayId&, const std::string& attachment, const VpcId&, const SubnetId&,
                         const std::string& address, AttachmentDone done) override {
    if (attachment == "never") return never_.push_back(std::move(done));
    done(gateway::AttachmentInfo{7, "02:00:00:00:00:07", address, true});
  }
  void ensure_outside(const GatewayId&, AttachmentDone done) override { done(fail(Kind::unavailable, "no outside")); }
  Result<> delete_attachment(const std::string&) override { return {}; }
  Result<> ensure_policy(const std::string&, const std::vector<gateway::Rule>&) override { return {}; }
  Result<> delete_policy(const std::string&) override { return {}; }
  // An attachment called "endless" has more counters than a reply holds.
  void stats(const GatewayId&, const std::vector<std::string>& attachments, StatsDone done) override {
    json::object all{{"gateway", json::object{}}};
    for (const auto& name : attachments) all[name] = std::string(name == "endless" ? kMaxMessage : 1, 'x');
    done(std::move(all));
  }
  void take_blocks(const GatewayId&, uint64_t epoch, uint64_t serial, BlocksDone done) override {
    gateway::BlockChanges::Change given;
    given.what = "given";
    given.external = "10.0.0.4";
    given.container = "100.64.0.1";
    given.count = 64;
    done(gateway::BlockChanges{epoch, serial + 1, {given}});
  }
  Result<std::vector<Named>> list(Thing) const override { return std::vector<Named>(); }
  Result<> ensure_vpc(const VpcId&) override { return {}; }
  Result<> ensure_subnet(const VpcId&, const SubnetId&, const std::string&) override { return {}; }
  Result<> delete_subnet(const VpcId&, const SubnetId&) override { return {}; }
  Result<> delete_vpc(const VpcId&) override { return {}; }
  Result<> add_vpc_host(const VpcId&, const SubnetId&, const std::string&, const std::string&) override { return {}; }
  Result<> delete_vpc_host(const std::string&) override { return {}; }
  Result<> attach_bridge(const VpcId&, const SubnetId&, const std::string&, int) override { return {}; }
  Result<> attach_vxlan(const VpcId&, const SubnetId&, uint32_t, const std::string&) override { return {}; }
  Result<> detach_vpc(const VpcId&, const SubnetId&) override { return {}; }
  std::vector<int> poll_fds() const override { return {}; }
  void dispatch() override {}
  int next_deadline_ms() const override { return -1; }

 private:
  int64_t next_ = 0;
  std::vector<AttachmentDone> never_;  // called
};

}  // namespace hearth::warden
