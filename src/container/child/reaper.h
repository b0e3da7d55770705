// PID 1 of a container: forks the shim, reaps whatever ends, tells the warden how the shim ended, and ends with it.
//
// The kernel kills all other processes of the container when PID 1 ends. From inside nothing can end it: signals of the
// container's processes to their PID 1 are refused by its ids, and SIGKILL to PID 1 by the kernel.
#pragma once

namespace hearth::container {

// Returns in the shim only, with the function's ids.
void become_init();

}  // namespace hearth::container
