// Machine: what hearth-gateway does first as PID 1 of a machine of its own, where nothing has been set up.
//
// Mounts what it needs, loads the drivers that its initramfs brings (kModuleFolder, in the order of kModuleOrder),
// waits for both NICs and the control port. Nothing else runs in the machine, so nothing is undone: when PID 1 ends the
// kernel panics and the machine stops, which its driver sees.
#pragma once

#include <cstdint>

#include "base/fd.h"
#include "base/result.h"

namespace hearth::gateway {

struct Machine {
  uint32_t nic0 = 0;  // ifindex towards the function network
  uint32_t nic1 = 0;  // of the trunk
  Fd control;         // the warden's end is a stream
};

// Says kMachineWorks, for who only tries whether a machine boots.
Result<> say_that_it_works();

// Kind::timeout when a device does not come within kDeviceSeconds.
Result<Machine> set_up_machine();

}  // namespace hearth::gateway
