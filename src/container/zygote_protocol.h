// What the warden and a zygote say to each other, and what a container says on its control socket before it is bound.
//
// A zygote serves spawn requests on one seqpacket socket, in order, one reply each; end of file ends it. Its
// descriptors and the order of those beside a request are fixed here. Included by the warden and by the native side of
// the shims, which allocates nothing: plain structs only, same machine, same build.
//
//   zygote → warden   kZygoteHello                         the runtime is loaded
//   warden → zygote   SpawnRequest + kRequestFds           make a container
//   zygote → warden   SpawnReply (+ pidfd when it worked)  its PID 1 exists and waits
//   warden → PID 1    kGo on the control socket            ids are mapped, it is in its cgroups
//   PID 1  → warden   {"failed":STEP,"errno":N}            instead of {"ready":1}; see shims/protocol.md for the rest
//   warden → shim     kPlaced on the control socket        after the start message, see there
#pragma once

#include <cstdint>
#include <string_view>

namespace hearth::container {

// The zygote's own descriptors; 0 and 1 are /dev/null, 2 is the warden's log.
constexpr int kZygoteSocket = 3;
constexpr int kSeccompProgram = 4;  // file of struct sock_filter
constexpr int kHomeNetwork = 5;     // network namespace to return to after a spawn

constexpr std::string_view kZygoteHello = "zygote";
constexpr std::string_view kGo = "go";
constexpr std::string_view kPlaced = "placed";
constexpr uint32_t kSpawnMagic = 0x48524e31;
constexpr int kMaxSeccompInstructions = 4096;  // the kernel's BPF_MAXINSNS

struct SpawnRequest {
  uint32_t magic = kSpawnMagic;
  uint32_t tmp_mib = 0;
  uint64_t serial = 0;
};
// Descriptors beside it: network namespace, control socket, log pipe, and on cgroup v2 the container's cgroup.
constexpr int kRequestFds = 3;
constexpr int kRequestFdsV2 = 4;

struct SpawnReply {
  uint64_t serial = 0;
  int32_t pid = 0;
  int32_t error = 0;  // errno of setns or clone3; 0: a pidfd is beside
};

// The control socket inside the container.
constexpr int kControlSocket = 3;

// Users inside a container. PID 1 runs as kInitUser with the function's effective id: it may signal the function, the
// function may not signal it.
constexpr uint32_t kFunctionUser = 993;
constexpr uint32_t kFunctionGroup = 990;
constexpr uint32_t kInitUser = 992;

// Where things are in a container.
constexpr const char* kTaskRoot = "/var/task";
constexpr const char* kLayerRoot = "/opt";
constexpr const char* kResolvConf = "/run/resolv.conf";
constexpr const char* kShimFolder = "/var/hearth";
constexpr const char* kRuntimeFolder = "/var/runtime";

// LD_LIBRARY_PATH as on AWS. The dynamic linker reads it once, at the start of a program: a zygote has it too.
constexpr const char* kLibraryPath = "/lib64:/usr/lib64:/var/runtime:/var/runtime/lib:/var/task:/var/task/lib:/opt/lib";

}  // namespace hearth::container
