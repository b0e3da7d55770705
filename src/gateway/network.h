// Network: FunctionNetwork on the kernel. Wires slots, gateways, local VPCs and policies together.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "gateway/block_names.h"
#include "gateway/function_network.h"
#include "gateway/names.h"
#include "gateway/outside.h"
#include "gateway/programs.h"
#include "gateway/slots.h"
#include "gateway/supervised_gateway.h"
#include "gateway/vpcs.h"

namespace hearth::gateway {

class Network final : public FunctionNetwork {
 public:
  static Result<std::unique_ptr<Network>> open(Options options);

  Result<Slot> make_slot() override;
  Result<Slot> adopt_slot(int64_t number, Fd netns) override;
  Result<> release_slot(Slot slot) override;
  Result<> bind(const Slot& slot, const std::string& attachment, const std::string& policy) override;
  Result<> unbind(const Slot& slot) override;

  Result<> ensure_gateway(const GatewayId& gateway, const std::string& driver) override;
  void ensure_attachment(const GatewayId& gateway, const std::string& attachment, const VpcId& vpc,
                         const SubnetId& subnet, const std::string& address, AttachmentDone done) override;
  void ensure_outside(const GatewayId& gateway, AttachmentDone done) override;
  Result<> delete_attachment(const std::string& attachment) override;
  Result<> ensure_policy(const std::string& policy, const std::vector<Rule>& egress) override;
  Result<> delete_policy(const std::string& policy) override;
  void stats(const GatewayId& gateway, const std::vector<std::string>& attachments, StatsDone done) override;
  void take_blocks(const GatewayId& gateway, uint64_t epoch, uint64_t serial, BlocksDone done) override;

  Result<> ensure_vpc(const VpcId& vpc) override;
  Result<> ensure_subnet(const VpcId& vpc, const SubnetId& subnet, const std::string& cidr) override;
  Result<> delete_subnet(const VpcId& vpc, const SubnetId& subnet) override;
  Result<> delete_vpc(const VpcId& vpc) override;
  Result<> add_vpc_host(const VpcId& vpc, const SubnetId& subnet, const std::string& name,
                        const std::string& address) override;
  Result<> delete_vpc_host(const std::string& name) override;
  Result<> attach_bridge(const VpcId& vpc, const SubnetId& subnet, const std::string& bridge, int vlan) override;
  Result<> attach_vxlan(const VpcId& vpc, const SubnetId& subnet, uint32_t vni, const std::string& remote) override;
  Result<> detach_vpc(const VpcId& vpc, const SubnetId& subnet) override;

  Result<std::vector<Named>> list(Thing thing) const override;

  std::vector<int> poll_fds() const override;
  void dispatch() override;
  int next_deadline_ms() const override;

 private:
  static constexpr const char* kOutside = "outside";
  static constexpr int kProveAnswerMs = 1500;  // the gateway itself stops after kProofMs
  static constexpr int kStatsMs = 2000;
  static constexpr int kTellMs = 30'000;  // a machine may have to boot first
  static constexpr int kTakeAnswerMs = kTakeMs + 2000;

  explicit Network(Options options) : options_(std::move(options)), names_(options_.instance, options_.run_dir) {}
  Result<> start();
  Result<> find_gateways();
  Result<SupervisedGateway*> gateway_of(const GatewayId& gateway);
  SupervisedGateway* gateway_numbered(uint32_t number);
  Hosting hosting() const;
  static Result<> put_program(int netns, uint32_t ifindex, int program, const std::string& name);
  Result<> open_gateway(const GatewayId& gateway, uint32_t number, std::unique_ptr<Driver> driver);

  Result<attachment_record> plan_attachment(const GatewayId& gateway, const std::string& attachment, const VpcId& vpc,
                                            const SubnetId& subnet, const std::string& address);
  Result<attachment_record> plan_outside(const GatewayId& gateway);
  Result<uint16_t> tag_for(const std::string& attachment) const;
  Result<> plug_port(const std::string& attachment, const attachment_record& record);
  Result<> remove_port(const attachment_record& record);
  Result<> plug_outside(const attachment_record& record);
  Result<kernel::Netlink> port_netlink(const attachment_record& record);
  Result<> make_port(const attachment_record& record, const kernel::LinkEnd& far);
  Result<attachment> data_plane_of(const attachment_record& record);
  void tell_and_prove(const attachment_record& record, AttachmentDone done);
  bool is_bound(const std::function<bool(const Binding&)>& so);
  Result<> follow_mtu(const SubnetId& subnet);
  Result<json::object> counters_of(const SupervisedGateway& gateway, uint32_t tag, const ControlReply& reply) const;
  void release_at_gateway(const Binding& ended, uint32_t address, std::function<void()> freed);

  Options options_;
  Names names_;
  Fd host_netns_;
  Fd function_netns_;
  Fd outside_netns_;  // not valid: none
  std::unique_ptr<Programs> programs_;
  std::unique_ptr<kernel::Netlink> netlink_;  // in the function network
  std::unique_ptr<Vpcs> vpcs_;
  std::map<GatewayId, std::unique_ptr<SupervisedGateway>> gateways_;
  std::unique_ptr<Slots> slots_;
  BlockNames block_names_;
};

}  // namespace hearth::gateway
