#include "gateway/machine.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#if defined(__x86_64__)
#include <x86intrin.h>
#endif

#include <cerrno>
#include <chrono>
#include <fstream>
#include <optional>
#include <thread>

#include "gateway/hosting.h"
#include "gateway/machine_parts.h"
#include "kernel/process.h"

namespace hearth::gateway {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr const char* kQemu = "/usr/bin/qemu-system-x86_64";
constexpr const char* kRunAs = "nobody";
constexpr int kMemoryMib = 128;
constexpr int kProbeMs = 5000;
constexpr int kEndMs = 5000;

// Emulated machines have no other clock to compare their TSC with, and it is the host's. 0: not known.
uint64_t tsc_khz() {
#if defined(__x86_64__)
  const auto start = steady_clock::now();
  const uint64_t first = __rdtsc();
  std::this_thread::sleep_for(milliseconds(20));
  const uint64_t ticks = __rdtsc() - first;
  const auto passed = std::chrono::duration_cast<std::chrono::microseconds>(steady_clock::now() - start).count();
  return passed <= 0 ? 0 : ticks * 1000 / static_cast<uint64_t>(passed);
#else
  return 0;
#endif
}

Result<> write_text(const std::string& path, const char* text) {
  std::ofstream file(path);
  file << text;
  if (!file.flush()) return fail(Kind::internal, "can't write " + path);
  return {};
}

std::string kernel_words(const MachineWords& machine) {
  std::string words = "console=ttyS0 quiet loglevel=3 reboot=t panic=-1";
  if (machine.accelerator == Accelerator::tcg) words += " tsc_early_khz=" + std::to_string(tsc_khz());
  return words + " -- " + machine.init;
}

// A machine without NICs: its PID 1 says kMachineWorks and ends. Nothing: it did neither in its time, perhaps because
// the host is busy.
Result<std::optional<bool>> boots_under_kvm(const std::string& image, const std::string& said) {
  TRY_ASSIGN(
      Fd pidfd,
      launch(
          {.words = machine_words(
               {.image = image, .accelerator = Accelerator::kvm, .lock = {}, .devices = {}, .init = "--machine-works"}),
           .files = {},
           .log = said}));
  pollfd ended{pidfd.get(), POLLIN, 0};
  int polled = poll(&ended, 1, kProbeMs);
  const bool in_time = polled != 0;
  if (polled == 0) {
    TRY(kernel::send_signal(pidfd.get(), SIGKILL));
    polled = poll(&ended, 1, kEndMs);
  }
  if (polled < 0) return fail_errno("poll");
  if (polled == 0) return fail(Kind::timeout, "the machine that tries KVM does not end");
  TRY(kernel::reap(pidfd.get()));
  TRY_ASSIGN(const std::string console, kernel::read_file(AT_FDCWD, said, 64 * 1024));
  const bool works = console.find(kMachineWorks) != std::string::npos;
  return works || in_time ? std::optional(works) : std::nullopt;
}

}  // namespace

Result<> check_image(const std::string& image) {
  for (const char* part : {"/vmlinuz", "/initramfs"}) {
    if (access((image + part).c_str(), R_OK) != 0)
      return fail(Kind::unavailable,
                  "gateway.driver = vm: no image of a machine in " + image + " (tools/gateway-image)");
  }
  if (access(kQemu, X_OK) != 0)
    return fail(Kind::unavailable, std::string("gateway.driver = vm: no ") + kQemu + " (package qemu-system-x86)");
  return {};
}

Result<Accelerator> accelerator_of(const std::string& word, const std::string& image, const std::string& run_dir) {
  if (word == "kvm") return Accelerator::kvm;
  if (word == "tcg") return Accelerator::tcg;
  if (access("/dev/kvm", R_OK | W_OK) != 0) return Accelerator::tcg;
  const std::string known = run_dir + kAccelerator;
  if (auto seen = kernel::read_file(AT_FDCWD, known, 16)) return *seen == "kvm" ? Accelerator::kvm : Accelerator::tcg;
  const std::string said = run_dir + kAcceleratorLog;
  TRY(write_text(said, ""));
  TRY_ASSIGN(const std::optional<bool> boots, boots_under_kvm(image, said));
  if (boots) TRY(write_text(known, *boots ? "kvm" : "tcg"));
  return boots.value_or(false) ? Accelerator::kvm : Accelerator::tcg;
}

std::string nic_device(const std::string& netdev, const kernel::Mac& mac) {
  // QEMU's own filters drop tags and addresses that it was not told of.
  return "virtio-net-device,netdev=" + netdev +
         ",ctrl_vlan=off,ctrl_rx=off,ctrl_rx_extra=off,mac=" + kernel::to_string(mac);
}

std::vector<std::string> machine_words(const MachineWords& machine) {
  const bool kvm = machine.accelerator == Accelerator::kvm;
  std::vector<std::string> words = {kQemu,
                                    "-machine",
                                    std::string("microvm,rtc=off,accel=") + (kvm ? "kvm" : "tcg"),
                                    "-cpu",
                                    kvm ? "host" : "max",
                                    "-m",
                                    std::to_string(kMemoryMib),
                                    "-smp",
                                    "1",
                                    "-nodefaults",
                                    "-no-user-config",
                                    "-display",
                                    "none",
                                    "-no-reboot",
                                    "-runas",
                                    kRunAs,
                                    "-sandbox",
                                    "on,obsolete=deny,spawn=deny,resourcecontrol=deny",
                                    "-kernel",
                                    machine.image + "/vmlinuz",
                                    "-initrd",
                                    machine.image + "/initramfs",
                                    "-append",
                                    kernel_words(machine),
                                    "-chardev",
                                    "stdio,id=console,signal=off",
                                    "-serial",
                                    "chardev:console"};
  if (!machine.lock.empty()) words.insert(words.end(), {"-pidfile", machine.lock});
  words.insert(words.end(), machine.devices.begin(), machine.devices.end());
  if (!machine.devices.empty())
    words.insert(words.end(), {"-device", "virtio-serial-device", "-device",
                               "virtserialport,chardev=control,name=" + std::string(kControlPort)});
  return words;
}

}  // namespace hearth::gateway
