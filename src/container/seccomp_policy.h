// Which system calls a function may make.
//
// An allow-list: what a process needs that has files, threads, subprocesses, TCP/UDP and Unix sockets. Refused with
// EPERM: everything that changes namespaces or mounts, watches or enters other processes, loads code into the kernel,
// or talks to it through raw, packet or other special sockets. Unknown calls fail with ENOSYS; so does clone3, whose
// flags a filter can't read: libc then takes clone.
#pragma once

#include <linux/filter.h>

#include <vector>

#include "base/result.h"

namespace hearth::container {

Result<std::vector<sock_filter>> function_filter();

}  // namespace hearth::container
