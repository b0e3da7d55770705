// FunctionNetwork::purge: everything of the instance goes, with no help from any process of it.
#include <poll.h>
#include <signal.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>

#include "gateway/bpf/shared.h"
#include "gateway/function_network.h"
#include "gateway/hosting.h"
#include "gateway/machine_parts.h"
#include "gateway/names.h"
#include "gateway/outside.h"
#include "kernel/bpf.h"
#include "kernel/netlink.h"
#include "kernel/netns.h"
#include "kernel/process.h"

namespace hearth::gateway {
namespace {

constexpr int kDeathMs = 5000;

// Whoever holds the gateway's lock is the gateway: an agent, or the machine that one is in.
Result<> end_holder(const std::string& lock) {
  TRY_ASSIGN(const auto holder, lock_holder(lock));
  if (!holder) return {};
  TRY_ASSIGN(Fd pidfd, kernel::open_pidfd(*holder));
  TRY(kernel::send_signal(pidfd.get(), SIGKILL));
  pollfd ended{pidfd.get(), POLLIN, 0};
  if (poll(&ended, 1, kDeathMs) != 1) return fail(Kind::timeout, "the gateway did not die");
  // Ours when the caller started it; otherwise somebody else reaps it.
  [[maybe_unused]] auto reaped = kernel::reap(pidfd.get());
  return {};
}

Result<> end_gateways(const Names& names) {
  TRY_ASSIGN(const auto files, names_in(names.gateway_dir()));
  for (const std::string& file : files) {
    if (file.ends_with(".lock")) TRY(end_holder(names.gateway_dir() + "/" + file));
  }
  for (const std::string& file : files) unlink((names.gateway_dir() + "/" + file).c_str());
  if (rmdir(names.gateway_dir().c_str()) != 0 && errno != ENOENT) return fail_errno("rmdir " + names.gateway_dir());
  return {};
}

// Interfaces are deleted one by one: a namespace's own end comes later, and only when nobody is in it.
Result<> delete_links(kernel::Netlink& netlink, const std::string& prefix) {
  TRY_ASSIGN(const auto links, netlink.links());
  for (const auto& link : links) {
    if (link.name == "lo" || !link.name.starts_with(prefix)) continue;
    kernel::Batch batch;
    batch.remove(link.ifindex);
    auto removed = netlink.run(batch);
    // A pair's other end may have taken it along.
    if (!removed && removed.error().errno_value != ENODEV) return removed;
  }
  return {};
}

Result<> delete_all_links_in(const std::string& path) {
  auto netns = kernel::open_netns(path);
  if (!netns) return {};
  TRY_ASSIGN(auto netlink, kernel::Netlink::open_in(netns->get()));
  return delete_links(netlink, "");
}

Result<> end_vpc_hosts(const Names& names) {
  TRY_ASSIGN(const auto hosts, names_in(names.hosts_dir()));
  for (const std::string& host : hosts) {
    TRY(delete_all_links_in(std::string(kHostNetnsDir) + "/" + host));
    TRY(kernel::forget_netns(std::string(kHostNetnsDir) + "/" + host));
    unlink((names.hosts_dir() + "/" + host).c_str());
  }
  if (rmdir(names.hosts_dir().c_str()) != 0 && errno != ENOENT) return fail_errno("rmdir " + names.hosts_dir());
  return {};
}

Result<> end_namespaces(const Names& names) {
  TRY_ASSIGN(const auto kept, names_in(names.netns_dir()));
  for (const std::string& name : kept) {
    TRY(delete_all_links_in(names.netns_dir() + "/" + name));
    TRY(kernel::forget_netns(names.netns_dir() + "/" + name));
  }
  if (rmdir(names.netns_dir().c_str()) != 0 && errno != ENOENT) return fail_errno("rmdir " + names.netns_dir());
  return {};
}

// /run/netns is a mount of ours only when we found none; it goes when nothing is left in it.
Result<> undo_run_netns(const Names& names) {
  const std::string file = names.undo_dir() + "/run_netns";
  if (access(file.c_str(), F_OK) == 0) {
    TRY_ASSIGN(const auto left, names_in(kHostNetnsDir));
    if (left.empty() && umount2(kHostNetnsDir, MNT_DETACH) != 0 && errno != EINVAL)
      return fail_errno("umount /run/netns");
    if (left.empty()) rmdir(kHostNetnsDir);
    unlink(file.c_str());
  }
  if (rmdir(names.undo_dir().c_str()) != 0 && errno != ENOENT) return fail_errno("rmdir " + names.undo_dir());
  return {};
}

}  // namespace

Result<> FunctionNetwork::purge(const Options& options) {
  TRY(check_name("instance", options.instance));
  const Names names(options.instance, options.run_dir);
  TRY(end_gateways(names));
  for (const char* file : {kAccelerator, kAcceleratorLog}) unlink((names.run_dir() + file).c_str());
  TRY(end_vpc_hosts(names));
  TRY(end_namespaces(names));
  {
    TRY_ASSIGN(auto host, kernel::Netlink::open());
    TRY(delete_links(host, names.host_prefix()));
  }
  TRY(undo_host(names));  // whatever the setting is now
  TRY(kernel::unmount_bpf_fs(names.bpf_dir()));
  return undo_run_netns(names);
}

}  // namespace hearth::gateway
