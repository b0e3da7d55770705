// What a gateway's machine is made of: names that its image, its driver and its PID 1 agree on.
#pragma once

#include <string_view>

#include "kernel/netlink.h"

namespace hearth::gateway {

// In the image: the drivers as files, and a file that lists them in the order of loading.
constexpr const char* kModuleFolder = "/modules";
constexpr const char* kModuleOrder = "/modules/order";
// The virtio-serial port that carries control.h.
constexpr std::string_view kControlPort = "hearth.control";
// The NICs are told apart by their addresses; nobody sends to these.
constexpr kernel::Mac kNic0Mac = {0x02, 0x64, 0xff, 0xff, 0xff, 0x00};
constexpr kernel::Mac kNic1Mac = {0x02, 0x64, 0xff, 0xff, 0xff, 0x01};
// What PID 1 of a machine that is only tried says.
constexpr const char* kMachineWorks = "hearth-gateway: the machine works";
// In the instance's run folder: whether KVM boots a machine, and what one said that was tried.
constexpr const char* kAccelerator = "/accelerator";
constexpr const char* kAcceleratorLog = "/accelerator.log";
constexpr const char* kMachinePins = "/sys/fs/bpf/gateway";

}  // namespace hearth::gateway
