// Numbers for the reader; their bounds are wide because the machine is shared.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>

#include "warden/root_test/fixture.h"

namespace hearth::warden {
namespace {

int64_t pss_kib(int pid) {
  std::string text = file_text(fmt::format("/proc/{}/smaps_rollup", pid));
  auto at = text.find("\nPss:");
  return at == std::string::npos ? 0 : std::stoll(text.substr(at + 5));
}

TEST_F(WardenRoot, Measures) {
  constexpr int kCount = 48;
  PackageDigest digest = package({{"app.py", "def handler(e, c): return e\n"}});
  make();
  std::vector<double> make_ms, bind_ms;
  std::vector<Made> containers;
  for (int i = 0; i < kCount; ++i) {
    auto start = SteadyClock::now();
    containers.push_back(make());
    make_ms.push_back(ms_since(start));
  }
  double pss = 0;
  for (const auto& made : containers) {
    for (int pid : members(made.id)) pss += static_cast<double>(pss_kib(pid)) / 1024;
  }
  std::vector<BindReply> phases;
  for (const auto& made : containers) {
    auto start = SteadyClock::now();
    phases.push_back(client_->call_for<BindReply>(bind_request(made, digest)));
    bind_ms.push_back(ms_since(start));
  }
  std::ranges::sort(make_ms);
  std::ranges::sort(bind_ms);
  auto middle = [&](auto field) {
    std::ranges::sort(phases, {}, field);
    return static_cast<double>(phases[kCount / 2].*field) / 1000;
  };
  fmt::print("make p50 {:.2f} ms, p90 {:.2f} ms; bind round trip p50 {:.3f} ms, p90 {:.3f} ms\n", make_ms[kCount / 2],
             make_ms[kCount * 9 / 10], bind_ms[kCount / 2], bind_ms[kCount * 9 / 10]);
  fmt::print("bind phases p50: mount {:.0f} us, limits {:.0f} us, network {:.0f} us, message {:.0f} us\n",
             middle(&BindReply::mount_ns), middle(&BindReply::limits_ns), middle(&BindReply::network_ns),
             middle(&BindReply::message_ns));
  fmt::print("PSS of a warm container (PID 1 and shim): {:.2f} MiB\n", pss / kCount);
  EXPECT_LT(make_ms[kCount / 2], 100);
  EXPECT_LT(bind_ms[kCount / 2], 20);
  EXPECT_LE(pss / kCount, 4.0);
  RuntimeApi api(containers[0].runtime_api.get());
  api.call("{}");
  constexpr int kCalls = 2000;
  auto start = SteadyClock::now();
  for (int i = 0; i < kCalls; ++i) api.call("{}");
  fmt::print("one invocation over the Runtime API: {:.1f} us\n", ms_since(start) * 1000 / kCalls);
}

}  // namespace
}  // namespace hearth::warden
