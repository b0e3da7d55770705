#include "container/binding.h"

#include <fcntl.h>
#include <linux/mount.h>
#include <unistd.h>

#include "container/zygote_protocol.h"
#include "kernel/mount.h"

namespace hearth::container {
namespace {

constexpr uint64_t kReadOnly = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;

Result<Fd> package_tree(int packages, const PackageDigest& digest) {
  TRY_ASSIGN(Fd directory, kernel::open_directory_beneath(packages, digest.str()));
  TRY_ASSIGN(Fd tree, kernel::clone_tree(directory.get(), "", kernel::Depth::one));
  TRY(kernel::set_attributes(tree.get(), kReadOnly, kernel::Depth::one));
  return tree;
}

// An Fd that holds nothing when there is no layer.
Result<Fd> layer_tree(int packages, const std::vector<PackageDigest>& layers) {
  if (layers.empty()) return Fd();
  if (layers.size() == 1) return package_tree(packages, layers[0]);
  std::vector<Fd> directories;
  for (const auto& layer : layers) {
    TRY_ASSIGN(Fd directory, kernel::open_directory_beneath(packages, layer.str()));
    directories.push_back(std::move(directory));
  }
  TRY_ASSIGN(Fd tree, kernel::union_tree(directories));
  TRY(kernel::set_attributes(tree.get(), kReadOnly, kernel::Depth::one));
  return tree;
}

std::string resolv_conf(const std::vector<std::string>& nameservers) {
  std::string text;
  for (const auto& address : nameservers) text += "nameserver " + address + "\n";
  return text + "options timeout:2 attempts:2\n";
}

// The file was made by the container itself, whose owner has an id here; a new one of ours would have none there.
Result<> write_resolv_conf(const std::string& text) {
  Fd file(open(kResolvConf, O_WRONLY | O_TRUNC | O_NOFOLLOW | O_CLOEXEC));
  if (!file.valid()) return fail_errno("open resolv.conf");
  if (write(file.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
    return fail_errno("write resolv.conf");
  }
  return {};
}

}  // namespace

Result<> mount_function(const FunctionFiles& files, int packages, int pidfd, const kernel::HomeNamespaces& home) {
  TRY_ASSIGN(Fd task, package_tree(packages, files.package));
  TRY_ASSIGN(Fd opt, layer_tree(packages, files.layers));
  std::string resolv = resolv_conf(files.nameservers);
  TRY_ASSIGN(auto visit, kernel::NamespaceVisit::mount(pidfd, home));
  TRY(kernel::attach_tree(task.get(), kTaskRoot));
  if (opt.valid()) TRY(kernel::attach_tree(opt.get(), kLayerRoot));
  if (files.tmp_mib != kDefaultTmpMib) TRY(kernel::resize_tmpfs("/run", files.tmp_mib));
  return write_resolv_conf(resolv);
}

}  // namespace hearth::container
