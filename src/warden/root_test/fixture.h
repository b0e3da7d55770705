// WardenRoot: a test with a warden of its own, in a process of its own, and what it needs to make and bind containers.
//
// Needs root, /usr/bin/python3.11 and the shims in the build folder. At its end nothing of the instance may be left.
#pragma once

#include <gtest/gtest.h>
#include <sys/types.h>

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/ids.h"
#include "base/json.h"
#include "container/runtimes.h"
#include "warden/protocol.h"
#include "warden/root_test/client.h"

namespace hearth::warden {

constexpr const char* kCgroupRoot = "/sys/fs/cgroup";
constexpr size_t kMaxTestContainers = 64;

struct Made {
  ContainerId id;
  Fd runtime_api, aws_endpoint, output, peak;
};

class WardenRoot : public ::testing::Test {
 protected:
  void SetUp() override;
  void TearDown() override;

  // Until it listens, or has ended.
  void start_warden(uid_t client = 0);
  int run_warden(uid_t client, const Fd& listens);
  void connect();
  // Whether it comes true after some turns of the warden's loop, within the patience of these tests.
  bool after_some_turns(const std::function<bool()>& condition);

  // Living processes in a cgroup of the instance.
  std::vector<std::string> processes();
  Made make(const std::string& runtime = "python3.11");
  // A package of `files`; returns its digest.
  PackageDigest package(const std::map<std::string, std::string>& files);
  Bind bind_request(const Made& made, const PackageDigest& digest, const std::string& handler = "app.handler",
                    const json::object& more = {});
  // A bound container of a one-file Python package.
  Made run_python(const std::string& source, const json::object& environment = {});
  // Host pids in the container's cgroup.
  std::vector<int> members(const ContainerId& id);

  // Of wardens started from now on:
  std::vector<container::RuntimeSpec> more_runtimes_;
  size_t spawns_of_a_zygote_ = 2000;
  std::string instance_;
  std::string run_dir_;
  std::filesystem::path packages_;
  pid_t warden_ = -1;
  std::unique_ptr<Client> client_;
  HelloReply hello_;
};

}  // namespace hearth::warden
