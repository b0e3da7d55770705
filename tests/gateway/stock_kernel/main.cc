// PID 1 of a machine with Debian's own kernel: loads the function network's programs, which the host's kernel must
// take, and says how that went. (The gateway's programs are loaded there by hearth-gateway itself.)
#include <cstdio>

#include "gateway/agent/machine.h"
#include "gateway/function_network.skel.h"
#include "kernel/bpf.h"

int main() {
  if (!hearth::gateway::say_that_it_works()) return 1;
  hearth::kernel::quiet_libbpf();
  function_network_bpf* programs = function_network_bpf__open_and_load();
  std::printf("function network: %s\n", programs != nullptr ? "loaded" : hearth::kernel::libbpf_words().c_str());
  std::fflush(stdout);
  return 0;
}
