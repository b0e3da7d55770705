// hearth-gateway: one PAT gateway. PID 1 of a gateway's machine, or a process in a gateway's network namespace.
#include <sys/resource.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <string>
#include <vector>

#include "gateway/agent/agent.h"
#include "gateway/agent/machine.h"
#include "gateway/machine_parts.h"

namespace {

hearth::Result<> set_timeouts(const std::vector<uint32_t>& seconds, hearth::gateway::timeouts& limits) {
  if (seconds.empty()) return {};
  if (seconds.size() != 5) return hearth::fail(hearth::Kind::invalid, "--timeouts wants five numbers");
  using hearth::gateway::ticks;
  limits = {.tcp_established = ticks(seconds[0]),
            .tcp_transitory = ticks(seconds[1]),
            .udp = ticks(seconds[2]),
            .icmp = ticks(seconds[3]),
            .hold = ticks(seconds[4])};
  return {};
}

hearth::Result<> set_up(hearth::gateway::AgentOptions& options) {
  TRY_ASSIGN(auto machine, hearth::gateway::set_up_machine());
  options.pat.nic0 = machine.nic0;
  options.pat.nic1 = machine.nic1;
  options.pat.pins = hearth::gateway::kMachinePins;
  options.control_fd = machine.control.release();
  options.control_port = true;
  return {};
}

hearth::Result<> serve(hearth::gateway::AgentOptions options) {
  TRY_ASSIGN(auto agent, hearth::gateway::Agent::open(std::move(options)));
  return agent->run();
}

}  // namespace

int main(int argc, char** argv) {
  hearth::gateway::AgentOptions options;
  options.pat.limits = hearth::gateway::default_timeouts();
  std::vector<uint32_t> seconds;
  bool is_machine = false;
  CLI::App app{"Hearth's PAT gateway; started by hearth-warden"};
  auto* nic0 = app.add_option("--nic0", options.pat.nic0, "ifindex towards the function network");
  auto* trunk = app.add_option("--nic1", options.pat.nic1, "ifindex of the trunk");
  auto* ports = app.add_option("--ports", options.pat.port_base, "VPC ports end here: ifindex less tag");
  trunk->excludes(ports);
  auto* pins = app.add_option("--pins", options.pat.pins, "directory on a BPF file system");
  app.add_option("--listen", options.listen, "path of the control socket");
  app.add_option("--lock", options.lock, "file that the living agent locks");
  app.add_option("--control-fd", options.control_fd, "a control connection that stands already");
  app.add_flag("--peer", options.pat.peer_redirect, "both NICs are veth: hand packets over without a queue");
  app.add_flag("--preallocate", options.pat.preallocate, "take the memory of an attachment's sessions at once");
  auto* machine = app.add_flag("--machine", is_machine, "as PID 1 of a machine of its own: finds the devices itself");
  bool only_tried = false;
  app.add_flag("--machine-works", only_tried, "as PID 1 of a machine that is only tried: says that it works");
  for (auto* found : {nic0, trunk, ports, pins}) machine->excludes(found);
  app.add_option("--timeouts", seconds, "seconds: TCP established, transitory, UDP, ICMP, hold")->delimiter(',');
  CLI11_PARSE(app, argc, argv);
  if (only_tried) return hearth::gateway::say_that_it_works() ? 0 : 1;
  if (!is_machine && (nic0->empty() || pins->empty())) {
    std::fputs("hearth-gateway: --nic0 and --pins, or --machine\n", stderr);
    return 1;
  }
  // Packets wait for it while it asks for their next hop; without the right to be early it is late.
  setpriority(PRIO_PROCESS, 0, -10);
  hearth::Result<> ended = set_timeouts(seconds, options.pat.limits);
  if (ended && is_machine) ended = set_up(options);
  if (ended) ended = serve(options);
  std::fprintf(stderr, "hearth-gateway: %s\n", ended.error().describe().c_str());
  return 1;
}
