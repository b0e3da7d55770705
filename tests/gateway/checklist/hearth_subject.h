// Hearth's gateway as a Subject, by either driver, and what can be asked of it alone.
#pragma once

#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tests/gateway/checklist/subject.h"
#include "tests/gateway/world.h"

namespace hearth::gateway::test {

class HearthSubject final : public Subject {
 public:
  explicit HearthSubject(Kind kind);
  ~HearthSubject() override;

  Kind kind() const override { return kind_; }
  Vpc& make_vpc(const std::string& name) override;
  Peer& make_container(Vpc& vpc) override;
  void remove_container(const Peer& container) override;
  void clear() override;
  Limits limits() override;
  bool age(Vpc& vpc, uint32_t seconds) override;
  std::optional<int64_t> counter(Vpc& vpc, const std::string& name) override;
  int narrow_ports() const override;

  Peer& make_unbound_container();
  void bind(const Peer& container, const Vpc& vpc);
  void unbind(const Peer& container);
  // What the log of port blocks got since the last call, up to the block of a new container of the VPC.
  std::vector<BlockChanges::Change> log_of_blocks(Vpc& vpc);
  Realm& realm() { return realm_; }
  static std::string attachment_of(const Vpc& vpc) { return "subnet-" + vpc.name; }

 private:
  struct Place {
    Slot slot;
    std::unique_ptr<Peer> peer;
  };
  Place& place_of(const Peer& container);
  std::unique_ptr<Peer> make_host(const std::string& vpc, const std::string& name, const std::string& address,
                                  const std::string& hop_mac);

  Kind kind_;
  Realm realm_;
  std::list<Vpc> vpcs_;
  std::map<std::string, uint16_t> tags_;  // by VPC
  std::list<Place> containers_;
  uint64_t epoch_ = 0, serial_ = 0;  // of the log
};

}  // namespace hearth::gateway::test
