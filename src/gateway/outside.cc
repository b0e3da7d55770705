#include "gateway/outside.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <fstream>

#include "kernel/netns.h"

namespace hearth::gateway {
namespace {

constexpr uint32_t kOutsideTop = 0x647fff00;  // 100.127.255.0
constexpr uint32_t kMaxOutsideNets = 4096;

Result<> note(const Names& names, const char* what, const std::string& value) {
  std::ofstream file(names.undo_dir() + "/" + what);
  file << value << '\n';
  if (!file.flush()) return fail(Kind::internal, "can't write " + names.undo_dir() + "/" + what);
  return {};
}

// Runs `nft -f -` with the script.
Result<> run_nft(const std::string& script) {
  Fd input(memfd_create("nft", MFD_CLOEXEC));
  if (!input.valid()) return fail_errno("memfd_create");
  if (write(input.get(), script.data(), script.size()) != static_cast<ssize_t>(script.size()) ||
      lseek(input.get(), 0, SEEK_SET) != 0)
    return fail_errno("write nft script");
  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_adddup2(&files, input.get(), 0);
  char program[] = "nft", flag[] = "-f", standard_input[] = "-";
  char* arguments[] = {program, flag, standard_input, nullptr};
  char path[] = "PATH=/usr/sbin:/sbin:/usr/bin:/bin";
  char* environment[] = {path, nullptr};
  pid_t pid = 0;
  const int error = posix_spawnp(&pid, "nft", &files, nullptr, arguments, environment);
  posix_spawn_file_actions_destroy(&files);
  if (error == ENOENT) return fail(Kind::unavailable, "nft is not installed: the way out needs nftables");
  if (error != 0) return fail_errno("start nft", error);
  int status = 0;
  while (waitpid(pid, &status, 0) < 0) {
    if (errno != EINTR) return fail_errno("wait for nft");
  }
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) return fail(Kind::internal, "nft refused the instance's table");
  return {};
}

}  // namespace

Result<Fd> outside_netns(const std::string& option) {
  if (option.empty()) return kernel::current_netns();
  TRY(check_name("network.outside", option));
  return kernel::open_netns(std::string(kHostNetnsDir) + "/" + option);
}

Result<OutsideNet> choose_outside_net(kernel::Netlink& netlink) {
  TRY_ASSIGN(const auto taken, netlink.addresses());
  for (uint32_t i = 0; i < kMaxOutsideNets; ++i) {
    const uint32_t network = kOutsideTop - 4 * i;
    const bool is_taken = std::any_of(taken.begin(), taken.end(),
                                      [network](uint32_t address) { return (address & ~uint32_t{3}) == network; });
    if (!is_taken) return OutsideNet{.router = network + 1, .gateway = network + 2};
  }
  return fail(Kind::exhausted, "no free /30 for the outside attachment");
}

std::string nft_script(const Names& names, const OutsideNet& net) {
  constexpr const char* kScript = R"(table ip {table}
delete table ip {table}
table ip {table} {{
  chain out {{
    type nat hook postrouting priority srcnat; policy accept;
    ip saddr {gateway} oifname != "{link}" masquerade
  }}
  chain to_host {{
    type filter hook input priority filter - 10; policy accept;
    iifname "{link}" counter drop
  }}
  chain through {{
    type filter hook forward priority filter - 10; policy accept;
    iifname "{link}" ip saddr != {gateway} counter drop
    oifname "{link}" ct state != {{ established, related }} counter drop
  }}
}}
)";
  return fmt::format(fmt::runtime(kScript), fmt::arg("table", names.nft_table()),
                     fmt::arg("gateway", kernel::address_text(net.gateway)), fmt::arg("link", names.outside_link()));
}

Result<> open_host(const Names& names, const OutsideNet& net) {
  TRY(kernel::make_directories(names.undo_dir()));
  TRY_ASSIGN(const std::string before, kernel::read_sysctl("net/ipv4/ip_forward"));
  if (before == "0") {
    TRY(note(names, "ip_forward", before));
    TRY(kernel::write_sysctl("net/ipv4/ip_forward", "1"));
  }
  TRY(note(names, "nft", names.nft_table()));
  return run_nft(nft_script(names, net));
}

Result<> undo_host(const Names& names) {
  const std::string file = names.undo_dir() + "/ip_forward";
  if (std::string before; std::ifstream(file) >> before) {
    TRY(kernel::write_sysctl("net/ipv4/ip_forward", before));
    unlink(file.c_str());
  }
  const std::string table = names.undo_dir() + "/nft";
  if (access(table.c_str(), F_OK) != 0) return {};
  // Made first, so that deleting it can't fail when it was not there.
  TRY(run_nft(fmt::format("table ip {0}\ndelete table ip {0}\n", names.nft_table())));
  unlink(table.c_str());
  return {};
}

}  // namespace hearth::gateway
