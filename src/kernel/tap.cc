#include "kernel/tap.h"

#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <sys/ioctl.h>

#include <cstring>

namespace hearth::kernel {

Result<Fd> open_tap(const std::string& name, uint32_t ifindex) {
  if (name.empty() || name.size() >= IFNAMSIZ) return fail(Kind::invalid, "no name of an interface: " + name);
  Fd tap(open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK));
  if (!tap.valid()) return fail_errno("open /dev/net/tun");
  if (ioctl(tap.get(), TUNSETIFINDEX, &ifindex) != 0) return fail_errno("choose the number of " + name);
  ifreq request{};
  name.copy(request.ifr_name, IFNAMSIZ - 1);
  request.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR;
  if (ioctl(tap.get(), TUNSETIFF, &request) != 0) return fail_errno("open tap " + name);
  if (ioctl(tap.get(), TUNSETPERSIST, 1) != 0) return fail_errno("keep tap " + name);
  return tap;
}

}  // namespace hearth::kernel
