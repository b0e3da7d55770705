#include "container/runtimes.h"

#include <fmt/format.h>
#include <unistd.h>

#include "container/zygote_protocol.h"

namespace hearth::container {
namespace {

constexpr int kOldestPython = 11;  // the extension's stable ABI
constexpr int kNewestPython = 20;

bool executable(const std::string& path) { return access(path.c_str(), X_OK) == 0; }

RuntimeSpec python_runtime(int minor, const std::string& home, const std::string& usr_bin) {
  RuntimeSpec spec;
  spec.name = fmt::format("python3.{}", minor);
  // -I: no environment, no user folder; -S: the host's own Python packages are not the function's.
  spec.command = {fmt::format("{}/{}", usr_bin, spec.name), "-I", "-S", "-X", "utf8",
                  std::string(kShimFolder) + "/zygote.py"};
  spec.shim_folder = home + "/shims/python";
  spec.runtime_folder = fmt::format("{}/runtime/{}", home, spec.name);
  return spec;
}

}  // namespace

std::vector<RuntimeSpec> find_runtimes(const std::string& home, const std::string& usr_bin) {
  std::vector<RuntimeSpec> found;
  bool has_python_shim = access((home + "/shims/python/zygote.py").c_str(), R_OK) == 0;
  for (int minor = kOldestPython; has_python_shim && minor <= kNewestPython; ++minor) {
    RuntimeSpec spec = python_runtime(minor, home, usr_bin);
    if (executable(spec.command[0])) found.push_back(std::move(spec));
  }
  std::string custom = home + "/shims/custom";
  if (executable(custom + "/hearth-custom-zygote")) {
    for (const char* name : {"provided.al2", "provided.al2023", "provided"}) {
      found.push_back({name, {std::string(kShimFolder) + "/hearth-custom-zygote"}, custom, ""});
    }
  }
  return found;
}

}  // namespace hearth::container
