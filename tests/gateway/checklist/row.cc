#include "tests/gateway/checklist/row.h"

#include <netinet/in.h>

#include <map>

namespace hearth::gateway::test {
namespace {

constexpr uint16_t kFencePort = 61000, kFenceTo = 9;
constexpr int kAtATime = 200;  // packets between fences: queues on the way have room for them

std::map<Kind, std::unique_ptr<Subject>>& subjects() {
  static std::map<Kind, std::unique_ptr<Subject>> all;
  return all;
}

}  // namespace

std::string name_of(const testing::TestParamInfo<Kind>& info) {
  return info.param == Kind::oracle ? "Oracle" : info.param == Kind::netns ? "Netns" : "Vm";
}

void PrintTo(Kind kind, std::ostream* to) { *to << name_of({kind, 0}); }

Subject& subject_of(Kind kind) {
  auto& made = subjects()[kind];
  if (!made) made = kind == Kind::oracle ? make_oracle() : make_hearth(kind);
  return *made;
}

void end_subjects() { subjects().clear(); }

void Checklist::SetUp() {
  row_ = std::stoi(std::string(testing::UnitTest::GetInstance()->current_test_info()->name()).substr(3, 2));
  vpc_ = &subject().make_vpc("red");
  a_ = &make_container(vpc());
  b_ = &make_container(vpc());
}

void Checklist::TearDown() {
  for (const Difference& known : differences()) {
    if (known.row != row_ || known.kind != GetParam() || IsSkipped()) continue;
    EXPECT_TRUE(differed_.contains(known.what)) << "no such thing in this row: " << known.what;
  }
  subject().clear();
}

// With neighbours known on the way to both hosts: what comes later is not held up.
Peer& Checklist::make_container(Vpc& vpc) {
  Peer& made = subject().make_container(vpc);
  std::vector<std::string> nothing;
  for (const Peer* to : {vpc.host.get(), vpc.other.get()}) fence(made, *to, nothing);
  EXPECT_TRUE(nothing.empty());
  return made;
}

void Checklist::holds(const std::string& what, bool is_so) {
  for (const Difference& known : differences()) {
    if (known.row != row_ || known.kind != GetParam() || known.what != what) continue;
    EXPECT_FALSE(is_so) << "differs no longer: " << what;
    differed_.insert(what);
    RecordProperty("difference_" + std::to_string(differed_.size()), what);
    RecordProperty("why_" + std::to_string(differed_.size()), known.why);
    return;
  }
  EXPECT_TRUE(is_so) << what;
}

uint16_t Checklist::fence(const Peer& from, const Peer& to, std::vector<std::string>& seen) {
  Packet packet = from.udp(kFencePort, to, kFenceTo);
  packet.payload = "fence " + std::to_string(++fences_);
  from.send(packet);
  for (auto frame = to.next_frame(); frame; frame = to.next_frame()) {
    const auto got = parse(*frame, 0);
    if (got && got->protocol == IPPROTO_UDP && got->destination_port == kFenceTo && got->payload == packet.payload)
      return got->source_port;
    seen.push_back(*frame);
  }
  ADD_FAILURE() << "the fence did not get through to " << to.address();
  return 0;
}

std::vector<std::string> Checklist::frames_out(const Peer& from, const Peer& to,
                                               const std::vector<std::string>& frames) {
  std::vector<std::string> seen;
  int sent = 0;
  for (const auto& frame : frames) {
    from.send_frame(frame);
    if (++sent % kAtATime == 0) fence(from, to, seen);
  }
  fence(from, to, seen);
  return seen;
}

std::vector<std::string> Checklist::frames_in(const Peer& from, const Peer& to,
                                              const std::vector<std::string>& frames) {
  std::vector<std::string> seen, before;
  const uint16_t way_back = fence(to, from, before);
  for (const auto& frame : frames) from.send_frame(frame);
  Packet packet = from.udp(kFenceTo, to, way_back);
  packet.destination = kExternal;
  packet.payload = "fence " + std::to_string(++fences_);
  from.send(packet);
  for (auto frame = to.next_frame(); frame; frame = to.next_frame()) {
    const auto got = parse(*frame, 0);
    if (got && got->protocol == IPPROTO_UDP && got->destination_port == kFencePort && got->payload == packet.payload)
      return seen;
    seen.push_back(*frame);
  }
  ADD_FAILURE() << "the fence did not get back to " << to.address();
  return seen;
}

std::optional<Packet> Checklist::out(const Peer& from, const Packet& packet, const Peer& to) {
  const auto seen = frames_out(from, to, {build_untagged(from.addressed(packet))});
  EXPECT_LE(seen.size(), 1u);
  return seen.empty() ? std::nullopt : parse(seen[0], 0);
}

std::optional<Packet> Checklist::in(const Peer& from, const Packet& packet, const Peer& to) {
  const auto seen = frames_in(from, to, {build_untagged(from.addressed(packet))});
  EXPECT_LE(seen.size(), 1u);
  return seen.empty() ? std::nullopt : parse(seen[0], 0);
}

uint16_t Checklist::connect(const Peer& from, uint16_t port, const Peer& to, uint16_t to_port) {
  const auto syn = out(from, from.tcp(port, to, to_port, kSyn, 1000), to);
  EXPECT_TRUE(syn);
  if (!syn) return 0;
  Packet both = answer(*syn);
  both.payload = "";
  both.tcp_flags = kSyn | kAck;
  both.seq = 5000;
  EXPECT_TRUE(in(to, both, from));
  EXPECT_TRUE(out(from, from.tcp(port, to, to_port, kAck, 1001, 5001), to));
  return syn->source_port;
}

}  // namespace hearth::gateway::test
