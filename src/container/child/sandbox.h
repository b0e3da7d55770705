// A new process's way into its container: the steps between clone3 and the fork of the shim, in PID 1.
//
// Every step that fails is told to the warden on the control socket, and the process ends. Nothing here allocates.
#pragma once

#include <linux/filter.h>

#include "container/zygote_protocol.h"

namespace hearth::container {

struct SandboxInput {
  int control = -1;
  int log = -1;
  SpawnRequest request;
  const sock_fprog* filter = nullptr;
};

// Waits for kGo, then becomes PID 1 of a finished sandbox: own root, ids, no capabilities, filter installed,
// descriptors 0…3 in place and no other.
void enter_sandbox(const SandboxInput& input);

// Says {"failed":"`step`","errno":`error`} on the control socket and ends the process.
[[noreturn]] void give_up(int control, const char* step, int error);

}  // namespace hearth::container
