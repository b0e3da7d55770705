#include "kernel/seccomp.h"

#include <fcntl.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <memory>

#include "base/fd.h"

namespace hearth::kernel {
namespace {

struct Release {
  void operator()(void* context) const { seccomp_release(context); }
};

scmp_arg_cmp comparison(const Comparison& c) {
  if (c.test == Comparison::Test::masked_equal) return {c.argument, SCMP_CMP_MASKED_EQ, c.mask, c.value};
  return {c.argument, SCMP_CMP_EQ, c.value, 0};
}

Result<> add_rule(void* context, const SyscallRule& rule) {
  int number = seccomp_syscall_resolve_name(rule.name.c_str());
  if (number == __NR_SCMP_ERROR || number < 0) return {};
  uint32_t action = rule.refusal == 0 ? SCMP_ACT_ALLOW : SCMP_ACT_ERRNO(static_cast<uint16_t>(rule.refusal));
  std::vector<scmp_arg_cmp> conditions;
  for (const auto& condition : rule.conditions) conditions.push_back(comparison(condition));
  int error =
      seccomp_rule_add_array(context, action, number, static_cast<unsigned>(conditions.size()), conditions.data());
  if (error != 0) return fail_errno("seccomp rule for " + rule.name, -error);
  return {};
}

}  // namespace

Result<std::vector<sock_filter>> compile_filter(std::span<const SyscallRule> rules) {
  std::unique_ptr<void, Release> context(seccomp_init(SCMP_ACT_ERRNO(ENOSYS)));
  if (!context) return fail(Kind::internal, "seccomp_init failed");
  if (int error = seccomp_attr_set(context.get(), SCMP_FLTATR_CTL_OPTIMIZE, 2); error != 0) {
    return fail_errno("seccomp optimize", -error);
  }
  for (const auto& rule : rules) TRY(add_rule(context.get(), rule));
  Fd file(memfd_create("seccomp", MFD_CLOEXEC));
  if (!file.valid()) return fail_errno("memfd_create");
  if (int error = seccomp_export_bpf(context.get(), file.get()); error != 0)
    return fail_errno("seccomp export", -error);
  off_t size = lseek(file.get(), 0, SEEK_END);
  if (size <= 0 || size % static_cast<off_t>(sizeof(sock_filter)) != 0) {
    return fail(Kind::internal, "the seccomp program has an odd size");
  }
  std::vector<sock_filter> program(static_cast<size_t>(size) / sizeof(sock_filter));
  if (pread(file.get(), program.data(), static_cast<size_t>(size), 0) != size)
    return fail_errno("read seccomp program");
  return program;
}

}  // namespace hearth::kernel
