#include "kernel/namespaces.h"

#include <fcntl.h>
#include <sched.h>

#include <cstdio>
#include <cstdlib>

namespace hearth::kernel {
namespace {

Result<Fd> open_own(const char* path) {
  Fd fd(::open(path, O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) return fail_errno(std::string("open ") + path);
  return fd;
}

}  // namespace

Result<HomeNamespaces> HomeNamespaces::open() {
  TRY_ASSIGN(Fd mount, open_own("/proc/self/ns/mnt"));
  TRY_ASSIGN(Fd network, open_own("/proc/self/ns/net"));
  return HomeNamespaces(std::move(mount), std::move(network));
}

Result<NamespaceVisit> NamespaceVisit::enter(int target, int home, int type) {
  if (setns(target, type) != 0) return fail_errno("setns");
  return NamespaceVisit(home, type);
}

Result<NamespaceVisit> NamespaceVisit::mount(int target, const HomeNamespaces& home) {
  return enter(target, home.mount(), CLONE_NEWNS);
}

Result<NamespaceVisit> NamespaceVisit::network(int target, const HomeNamespaces& home) {
  return enter(target, home.network(), CLONE_NEWNET);
}

NamespaceVisit::~NamespaceVisit() {
  if (home_ >= 0 && setns(home_, type_) != 0) {
    std::perror("hearth: setns back home");
    std::abort();
  }
}

}  // namespace hearth::kernel
