// BPF: the file system of pins, and typed access to maps.
//
// Pins live on a BPF file system of the instance's own, so that one unmount takes them all away. Single-threaded.
#pragma once

#include <bpf/bpf.h>

#include <cerrno>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/result.h"

namespace hearth::kernel {

// Mounts a BPF file system at `path`, a directory that is made, unless one is there.
Result<> mount_bpf_fs(const std::string& path);
// Takes it away with everything in it; fine when there is none.
Result<> unmount_bpf_fs(const std::string& path);
// libbpf's own words go to nobody; the last error of a load is in the returned Error.
void quiet_libbpf();
// What libbpf said last, for the message of a failed load.
std::string libbpf_words();

int possible_cpus();

// Traffic-control programs, at the hook itself (tcx, Linux 6.6) or, on kernels without, by a clsact filter: the hook
// costs a packet less, but attaching waits for all readers of the old state (10 ms and more). One program of ours a
// hook; attaching replaces it under traffic. It goes with the interface. REQUIRES: the thread is in the interface's
// network namespace.
enum class Hook { ingress, egress };
Result<> attach_program(uint32_t ifindex, Hook hook, int program, const std::string& name);

template <typename Key, typename Value>
Result<> map_put(int map, const Key& key, const Value& value, uint64_t flags = BPF_ANY) {
  if (bpf_map_update_elem(map, &key, &value, flags) != 0) return fail_errno("bpf_map_update_elem");
  return {};
}

template <typename Key, typename Value>
Result<> map_get(int map, const Key& key, Value& value) {
  if (bpf_map_lookup_elem(map, &key, &value) != 0) return fail_errno("bpf_map_lookup_elem");
  return {};
}

// Fine when the key is not there.
template <typename Key>
Result<> map_remove(int map, const Key& key) {
  if (bpf_map_delete_elem(map, &key) != 0 && errno != ENOENT) return fail_errno("bpf_map_delete_elem");
  return {};
}

// Visits a snapshot of all keys.
template <typename Key>
std::vector<Key> map_keys(int map) {
  std::vector<Key> keys;
  Key next;
  const Key* last = nullptr;
  while (bpf_map_get_next_key(map, last, &next) == 0) {
    keys.push_back(next);
    last = &keys.back();
  }
  return keys;
}

}  // namespace hearth::kernel
