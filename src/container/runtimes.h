// The runtimes that this host can run, and how their zygotes are started.
#pragma once

#include <string>
#include <vector>

namespace hearth::container {

struct RuntimeSpec {
  std::string name;                  // "python3.11", "provided.al2023"
  std::vector<std::string> command;  // of the zygote, inside the container's root
  std::string shim_folder;           // of the host; kShimFolder inside
  std::string runtime_folder;        // of the host; kRuntimeFolder inside
};

// `home`: the folder above the program's own (holding bin/, shims/, runtime/). One a CPython of at least 3.11 below
// `usr_bin`, and the custom runtimes, as far as their shims are there.
std::vector<RuntimeSpec> find_runtimes(const std::string& home, const std::string& usr_bin = "/usr/bin");

}  // namespace hearth::container
