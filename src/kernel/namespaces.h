// NamespaceVisit: the calling thread's stay in another namespace, ended by its destructor.
//
// REQUIRES: a single-threaded process (setns into a mount namespace refuses shared file system state). If the way back
// fails the process aborts: it may not go on in a stranger's namespace.
#pragma once

#include <utility>

#include "base/fd.h"
#include "base/result.h"

namespace hearth::kernel {

// The namespaces this process started in. Make one, before any visit.
class HomeNamespaces {
 public:
  static Result<HomeNamespaces> open();
  int mount() const { return mount_.get(); }
  int network() const { return network_.get(); }

 private:
  HomeNamespaces(Fd mount, Fd network) : mount_(std::move(mount)), network_(std::move(network)) {}
  Fd mount_;
  Fd network_;
};

class NamespaceVisit {
 public:
  // `target`: a namespace descriptor or a pidfd. The root and working directory become the namespace's root.
  static Result<NamespaceVisit> mount(int target, const HomeNamespaces& home);
  static Result<NamespaceVisit> network(int target, const HomeNamespaces& home);
  NamespaceVisit(NamespaceVisit&& other) noexcept : home_(std::exchange(other.home_, -1)), type_(other.type_) {}
  NamespaceVisit& operator=(NamespaceVisit&&) = delete;
  ~NamespaceVisit();

 private:
  NamespaceVisit(int home, int type) : home_(home), type_(type) {}
  static Result<NamespaceVisit> enter(int target, int home, int type);
  int home_;
  int type_;
};

}  // namespace hearth::kernel
