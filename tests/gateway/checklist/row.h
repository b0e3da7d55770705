// Checklist: what the rows of the correctness checklist share. Each row is one test, run for every Subject.
//
// A row says what must hold by holds(what, is it so?). Where a subject is known to differ, differences.cc says in what
// and why; the row then fails when it differs no longer.
//
// Nothing is ever waited for that must not come: behind a packet goes another one the same way, the fence, that must
// arrive; what has not come before it does not come.
#pragma once

#include <gtest/gtest.h>

#include <ostream>
#include <set>
#include <string>
#include <vector>

#include "tests/gateway/checklist/subject.h"

namespace hearth::gateway::test {

struct Difference {
  int row;
  Kind kind;
  const char* what;
  const char* why;
};
const std::vector<Difference>& differences();

void PrintTo(Kind kind, std::ostream* to);
// Made when it is first asked for; lives until end_subjects().
Subject& subject_of(Kind kind);
void end_subjects();

std::string name_of(const testing::TestParamInfo<Kind>& info);

class Checklist : public testing::TestWithParam<Kind> {
 protected:
  void SetUp() override;
  void TearDown() override;

  static Subject& subject() { return subject_of(GetParam()); }
  Vpc& vpc() { return *vpc_; }
  Peer& a() { return *a_; }  // containers of vpc()
  Peer& b() { return *b_; }
  Peer& host() { return *vpc_->host; }
  Peer& other() { return *vpc_->other; }
  Peer& make_container(Vpc& vpc);

  void holds(const std::string& what, bool is_so);

  // What reaches `to` of what `from` sends: from a container to a host of its VPC, or the other way.
  std::vector<std::string> frames_out(const Peer& from, const Peer& to, const std::vector<std::string>& frames);
  std::vector<std::string> frames_in(const Peer& from, const Peer& to, const std::vector<std::string>& frames);
  std::optional<Packet> out(const Peer& from, const Packet& packet, const Peer& to);
  std::optional<Packet> in(const Peer& from, const Packet& packet, const Peer& to);
  std::optional<Packet> out(const Packet& packet) { return out(a(), packet, host()); }
  std::optional<Packet> in(const Packet& packet) { return in(host(), packet, a()); }
  // The next packet there that is such a one; for what the gateway makes itself.
  template <typename Test>
  std::optional<Packet> await(const Peer& at, Test is_it) {
    for (auto packet = at.next(); packet; packet = at.next()) {
      if (is_it(*packet)) return packet;
    }
    return std::nullopt;
  }
  // A TCP connection of the container: the external port.
  uint16_t connect(const Peer& from, uint16_t port, const Peer& to, uint16_t to_port);

 private:
  // Goes through and returns the external port that it came from; `seen` gets what arrived before.
  uint16_t fence(const Peer& from, const Peer& to, std::vector<std::string>& seen);

  int row_ = 0;
  Vpc* vpc_ = nullptr;
  Peer* a_ = nullptr;
  Peer* b_ = nullptr;
  int fences_ = 0;
  std::set<std::string> differed_;
};

}  // namespace hearth::gateway::test
