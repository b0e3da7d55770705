// The machine that a gateway runs in: QEMU's command line, and which accelerator runs it here.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "kernel/netlink.h"

namespace hearth::gateway {

enum class Accelerator { kvm, tcg };

// Kind::unavailable, with what to do, when the image or QEMU is not there.
Result<> check_image(const std::string& image);

// `word`: "kvm", "tcg" or "auto": KVM only when a machine of this image boots under it: /dev/kvm may be there and run
// no stock kernel. Boots one the first time, some 5 s at most (10 where its end must be waited for), and
// remembers what it told in `run_dir`; one that told nothing in its time counts as TCG for this once.
Result<Accelerator> accelerator_of(const std::string& word, const std::string& image, const std::string& run_dir);

struct MachineWords {
  std::string image;
  Accelerator accelerator = Accelerator::tcg;
  std::string lock;                  // QEMU holds a POSIX lock on it; "": none
  std::vector<std::string> devices;  // words of QEMU; a chardev "control" among them is the control port's
  std::string init = "--machine";    // words of PID 1
};
std::vector<std::string> machine_words(const MachineWords& machine);
std::string nic_device(const std::string& netdev, const kernel::Mac& mac);

}  // namespace hearth::gateway
