// FakeCgroups: a folder that looks like cgroup v1, whose files say what the test wrote.
#pragma once

#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "kernel/cgroup.h"

namespace hearth::warden {

class FakeCgroups {
 public:
  FakeCgroups() {
    std::string folder = std::filesystem::temp_directory_path() / "hearth-cgroups-XXXXXX";
    root_ = mkdtemp(folder.data());
    for (const char* controller : {"memory", "pids", "cpu", "freezer"}) {
      std::filesystem::create_directories(root_ + "/" + controller);
    }
    std::ofstream(root_ + "/memory/memory.limit_in_bytes") << "0\n";
  }
  ~FakeCgroups() { std::filesystem::remove_all(root_); }
  FakeCgroups(const FakeCgroups&) = delete;
  FakeCgroups& operator=(const FakeCgroups&) = delete;

  kernel::CgroupHost host() const { return kernel::CgroupHost::open(root_, "fake").value(); }
  std::string path(const std::string& cgroup, const std::string& file = "") const {
    return root_ + "/memory/fake/" + cgroup + "/" + file;
  }
  void write(const std::string& cgroup, const std::string& file, const std::string& text) const {
    std::ofstream(path(cgroup, file)) << text;
  }

 private:
  std::string root_;
};

}  // namespace hearth::warden
