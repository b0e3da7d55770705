#include "tests/gateway/checklist/hearth_subject.h"

#include <bpf/bpf.h>
#include <fcntl.h>
#include <gtest/gtest.h>

#include <optional>

#include "gateway/agent/pat.h"
#include "gateway/names.h"
#include "kernel/bpf.h"
#include "kernel/netns.h"

namespace hearth::gateway::test {
namespace {

constexpr const char* kRouterMac = "02:64:00:00:00:00";

}  // namespace

HearthSubject::HearthSubject(Kind kind) : kind_(kind), realm_(kind == Kind::vm ? "gwcm" : "gwc") {
  realm_.begin(kind == Kind::vm ? "vm" : "netns");
}

HearthSubject::~HearthSubject() {
  containers_.clear();
  vpcs_.clear();
  realm_.close();
  realm_.end();
}

std::unique_ptr<Peer> HearthSubject::make_host(const std::string& vpc, const std::string& name,
                                               const std::string& address, const std::string& hop_mac) {
  const auto made = realm_.net().add_vpc_host(VpcId("vpc-" + vpc), SubnetId("subnet-" + vpc), name, address);
  EXPECT_TRUE(made) << made.error().describe();
  return std::make_unique<Peer>(netns_of(name), address, hop_mac);
}

Vpc& HearthSubject::make_vpc(const std::string& name) {
  const Realm::Tenant tenant{VpcId("vpc-" + name), SubnetId("subnet-" + name), "subnet-" + name, "", nullptr};
  for (const auto& made :
       {realm_.net().ensure_vpc(tenant.vpc), realm_.net().ensure_subnet(tenant.vpc, tenant.subnet, "10.0.0.0/24")})
    EXPECT_TRUE(made) << made.error().describe();
  const AttachmentInfo attached = realm_.attach(tenant, kExternal);
  EXPECT_TRUE(attached.proven);
  tags_[name] = attached.tag;
  Vpc& vpc = vpcs_.emplace_back();
  vpc.name = name;
  vpc.host = make_host(name, realm_.options_.instance + "-" + name + "-host", "10.0.0.10", attached.mac);
  vpc.other = make_host(name, realm_.options_.instance + "-" + name + "-other", "10.0.0.11", attached.mac);
  return vpc;
}

Peer& HearthSubject::make_unbound_container() {
  Place& place = containers_.emplace_back();
  place.slot = realm_.make_slot();
  Fd netns(fcntl(place.slot.netns.get(), F_DUPFD_CLOEXEC, 0));
  place.peer = std::make_unique<Peer>(std::move(netns), place.slot.address, kRouterMac);
  return *place.peer;
}

Peer& HearthSubject::make_container(Vpc& vpc) {
  Peer& made = make_unbound_container();
  bind(made, vpc);
  return made;
}

HearthSubject::Place& HearthSubject::place_of(const Peer& container) {
  for (Place& place : containers_) {
    if (place.peer.get() == &container) return place;
  }
  ADD_FAILURE() << "no such container";
  return containers_.emplace_back();
}

void HearthSubject::bind(const Peer& container, const Vpc& vpc) {
  const auto bound = realm_.net().bind(place_of(container).slot, attachment_of(vpc), "");
  EXPECT_TRUE(bound) << bound.error().describe();
}

void HearthSubject::unbind(const Peer& container) { EXPECT_TRUE(realm_.net().unbind(place_of(container).slot)); }

void HearthSubject::remove_container(const Peer& container) {
  Place& place = place_of(container);
  place.peer.reset();
  EXPECT_TRUE(realm_.net().release_slot(std::move(place.slot)));
  containers_.remove_if([](const Place& each) { return each.peer == nullptr; });
  // The gateway answers requests in their order: once it has told its counters, it has released too.
  EXPECT_TRUE(realm_.stats({}));
}

void HearthSubject::clear() {
  while (!containers_.empty()) remove_container(*containers_.front().peer);
  for (Vpc& vpc : vpcs_) {
    vpc.host.reset();
    vpc.other.reset();
    const VpcId id("vpc-" + vpc.name);
    for (const char* host : {"-host", "-other"})
      EXPECT_TRUE(realm_.net().delete_vpc_host(realm_.options_.instance + "-" + vpc.name + host));
    EXPECT_TRUE(realm_.net().delete_attachment(attachment_of(vpc)));
    EXPECT_TRUE(realm_.net().delete_subnet(id, SubnetId("subnet-" + vpc.name)));
    EXPECT_TRUE(realm_.net().delete_vpc(id));
  }
  vpcs_.clear();
  tags_.clear();
}

std::vector<BlockChanges::Change> HearthSubject::log_of_blocks(Vpc& vpc) {
  constexpr int kMostAnswers = 5000;  // that rows before may have left to be told
  const Peer& last = make_container(vpc);
  last.send(last.udp(5000, *vpc.host, 53));
  std::vector<BlockChanges::Change> all;
  for (int i = 0; i < kMostAnswers; ++i) {
    std::optional<Result<BlockChanges>> told;
    realm_.net().take_blocks(realm_.gateway_, epoch_, serial_,
                             [&told](Result<BlockChanges> changes) { told = std::move(changes); });
    for (int waited = 0; waited < 1000 && !told; ++waited) realm_.pump(10);
    if (!told || !*told) break;
    epoch_ = (*told)->epoch;
    serial_ = (*told)->serial;
    for (auto& change : (*told)->changes) {
      if (change.what == "given" && change.container == last.address()) return all;
      all.push_back(std::move(change));
    }
  }
  ADD_FAILURE() << "the log does not tell of the last block";
  return all;
}

Limits HearthSubject::limits() {
  const auto told = [this](const std::string& name) { return realm_.counter("", "timeout_" + name + "_s"); };
  return {.udp_new = told("udp"),
          .udp = told("udp"),
          .tcp_established = told("tcp_established"),
          .tcp_transitory = told("tcp_transitory"),
          .tcp_reset = told("tcp_transitory"),
          .icmp = told("icmp"),
          .hold = told("port_hold")};
}

// A machine's tables are in the machine; the same programs have theirs here.
bool HearthSubject::age(Vpc& vpc, uint32_t seconds) {
  if (kind_ == Kind::vm) return false;
  const std::string pins = Names(realm_.options_.instance, realm_.options_.run_dir).gateway_pins(realm_.gateway_);
  const Fd outer(bpf_obj_get((pins + "/sessions").c_str()));
  const uint32_t tag = tags_.at(vpc.name);
  uint32_t id = 0;
  EXPECT_EQ(bpf_map_lookup_elem(outer.get(), &tag, &id), 0);
  const Fd table(bpf_map_get_fd_by_id(id));
  for (const auto& key : kernel::map_keys<session_key>(table.get())) {
    session entry{};
    EXPECT_TRUE(kernel::map_get(table.get(), key, entry));
    entry.used -= ticks(seconds);
    EXPECT_TRUE(kernel::map_put(table.get(), key, entry));
  }
  return true;
}

std::optional<int64_t> HearthSubject::counter(Vpc& vpc, const std::string& name) {
  return realm_.counter(attachment_of(vpc), name);
}

int HearthSubject::narrow_ports() const { return kMaxBlocksOfHost * kBlockPorts; }

std::unique_ptr<Subject> make_hearth(Kind kind) { return std::make_unique<HearthSubject>(kind); }

}  // namespace hearth::gateway::test
