// The zygote's loop: makes a container for each spawn request on kZygoteSocket.
//
// Allocates nothing and takes no lock: what runs between clone and the shim's first own instruction is this folder.
// REQUIRES: a single-threaded process, descriptors as zygote_protocol.h says.
#pragma once

namespace hearth::container {

// Called around the clone, for a language runtime that must know. Any may be null.
struct ForkHooks {
  void (*before)() = nullptr;
  void (*after_in_zygote)() = nullptr;
  void (*after_in_shim)() = nullptr;
};

// Returns true in a new container's shim, whose descriptors are then those of shims/protocol.md, and false in the
// zygote once the warden has closed the socket or sent what is no request.
bool serve_zygote(const ForkHooks& hooks);

// Tells the warden that the shim waits for its function.
bool say_ready();
// The start message into `buffer`; 0 when the warden is gone or the message does not fit.
long wait_for_start(char* buffer, unsigned long size);
// Waits until the function's files, limits and network are in place, then closes the control socket. False: the warden
// is gone or could not place them.
bool wait_until_placed();

}  // namespace hearth::container
