// Agent: the gateway's user-space half. It keeps the tables of the data plane, resolves next hops, collects what is
// over, and does what the warden says over the control connection.
//
// No packet of a running session passes here. The agent may be killed and started again at any time: programs, maps and
// filters stay, sessions go on, and a new agent finds them by their pins.
//
// One thread, one poll loop. One control connection at a time: a new one replaces the old.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "gateway/agent/block_journal.h"
#include "gateway/agent/neighbours.h"
#include "gateway/agent/pat.h"
#include "gateway/control.h"
#include "gateway/control_line.h"

struct ring_buffer;

namespace hearth::gateway {

struct AgentOptions {
  PatOptions pat;
  std::string listen;         // path of the control socket; "": none
  std::string lock;           // file that the living agent of this gateway holds; "": none
  int control_fd = -1;        // a connection that stands already; -1: none
  bool control_port = false;  // it is a machine's port: never closed, whoever has the other end
};

class Agent {
 public:
  static Result<std::unique_ptr<Agent>> open(AgentOptions options);
  ~Agent();
  // Runs until something breaks that can't be gone on without.
  Result<> run();

 private:
  static constexpr int kCollectMs = 2000;
  static constexpr int kPortLookMs = 50;

  explicit Agent(AgentOptions options);
  Result<> start();
  Result<> open_wires();
  Result<> open_control();
  Neighbours::World world();

  void serve_control();
  void end_connection();
  bool port_is_open();
  void handle(const ControlRequest& request);
  Result<ControlReply> carry_out(const ControlRequest& request);
  Result<> set_attachment(const ControlRequest& request);
  Result<> release(const ControlRequest& request);
  ControlReply stats(uint32_t tag);
  void note(BlockChange::Kind kind, const Pat::Block& block, uint64_t at);
  void note_cleared(uint32_t tag, uint32_t external);
  Result<> begin_journal();
  void take(const ControlRequest& request);
  void tell_changes();
  void reply(ControlReply reply);
  void send_replies();

  static int on_event(void* self, void* data, size_t size);
  void handle_event(const event& head, std::span<const uint8_t> packet);
  void answer_with_icmp(const event& head, std::span<const uint8_t> packet);
  void send(uint32_t nic, const std::string& frame);
  void collect();
  int poll_ms() const;

  AgentOptions options_;
  std::unique_ptr<Pat> pat_;
  Fd lock_;
  Fd wire_;  // packet socket, sends only
  Fd listener_;
  ControlLine connection_;
  bool port_open_ = false;          // of a control port: somebody has the other end
  std::deque<std::string> unsent_;  // replies that it had no room for; while there are any, no request is read
  ring_buffer* ring_ = nullptr;
  Neighbours neighbours_;
  BlockJournal journal_;
  struct Asked {
    uint32_t sequence;
    uint64_t epoch;
    uint64_t serial;
    Neighbours::Time until;
  };
  std::optional<Asked> asked_;  // for changes of blocks
  Neighbours::Time next_collect_;
  size_t proofs_ = 0;
  uint64_t connection_number_ = 0;  // a late proof does not answer on a later connection
};

}  // namespace hearth::gateway
