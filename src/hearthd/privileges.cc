#include "hearthd/privileges.h"

#include <cap-ng.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

namespace hearth {
namespace {

constexpr rlim_t kMaxDescriptors = 1'048'576;

Result<passwd> user_named(const std::string& name) {
  const passwd* found = getpwnam(name.c_str());
  if (found == nullptr) {
    return fail(Kind::not_found, "there is no user '" + name + "' (configuration key `user`) for hearthd to run as");
  }
  return *found;
}

}  // namespace

Result<> prepare_folder(const std::string& folder, const std::string& user) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) return fail_errno("make folder " + folder, error.value());
  if (geteuid() != 0) return {};
  TRY_ASSIGN(passwd owner, user_named(user));
  if (chown(folder.c_str(), owner.pw_uid, owner.pw_gid) != 0) return fail_errno("chown " + folder);
  // 0711: the warden's containers mount packages from below; nobody lists it.
  if (chmod(folder.c_str(), 0711) != 0) return fail_errno("chmod " + folder);
  return {};
}

Result<> raise_descriptor_limit() {
  const rlimit wanted{kMaxDescriptors, kMaxDescriptors};
  if (setrlimit(RLIMIT_NOFILE, &wanted) == 0) return {};
  // Without CAP_SYS_RESOURCE, which a contained root lacks too, the hard limit is the end.
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return fail_errno("getrlimit NOFILE");
  limit.rlim_cur = limit.rlim_max;
  if (setrlimit(RLIMIT_NOFILE, &limit) != 0) return fail_errno("setrlimit NOFILE");
  return {};
}

Result<> become(const std::string& user) {
  if (geteuid() == 0) {
    TRY_ASSIGN(passwd account, user_named(user));
    if (account.pw_uid == 0) return fail(Kind::denied, "hearthd does not run as root: set `user` to another one");
    capng_clear(CAPNG_SELECT_BOTH);
    if (capng_change_id(account.pw_uid, account.pw_gid,
                        static_cast<capng_flags_t>(CAPNG_DROP_SUPP_GRP | CAPNG_CLEAR_BOUNDING)) != 0) {
      return fail(Kind::denied, "can't become user '" + user + "'");
    }
  }
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return fail_errno("prctl NO_NEW_PRIVS");
  return {};
}

}  // namespace hearth
