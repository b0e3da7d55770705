// Tap devices: an interface whose frames another program reads and writes.
#pragma once

#include <cstdint>
#include <string>

#include "base/fd.h"
#include "base/result.h"

namespace hearth::kernel {

// The tap `name` of the thread's namespace, made with `ifindex` when it is not there; it stays when the descriptor is
// closed. Frames have a virtio-net header in front. One descriptor at a time: Kind::conflict while another has it.
Result<Fd> open_tap(const std::string& name, uint32_t ifindex);

}  // namespace hearth::kernel
