// Packages: function code, unpacked once, content-addressed, read-only.
//
// `<dir>/<digest>/` holds the files of the zip whose SHA-256 is <digest>, `<dir>/<digest>.zip` the zip itself (for
// GetFunction's Code.Location). Both are fsynced and renamed into place, so what has its name is whole. Files are made
// 0644 or 0755 (the zip's execute bit), folders 0755, owned by the daemon; a container sees them read-only, nosuid,
// nodev.
//
// Refuses (Kind::invalid, message as AWS words it): what is not a zip; an empty one; more than kMaxZip bytes; more than
// kMaxUnpacked bytes or kMaxEntries entries unpacked (counted while unpacking, whatever the headers say); absolute
// names, names with `..`; symlinks that leave the package; devices, fifos, hard links.
//
// Refuses (Kind::exhausted) more than kMaxAdds add() at once: each holds a whole zip in memory.
//
// Calls are coroutines of the loop; the work is on the blocking pool handed over, which must outlive this.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/thread_pool.hpp>
#include <memory>
#include <set>
#include <string>

#include "base/ids.h"
#include "base/result.h"

namespace hearth::runtime {

struct PackageInfo {
  PackageDigest digest;
  std::string code_sha256;  // base64 of the zip's SHA-256
  int64_t code_size = 0;    // of the zip
};

class Packages {
 public:
  static constexpr size_t kMaxZip = 50 * 1024 * 1024;
  static constexpr size_t kMaxUnpacked = 250 * 1024 * 1024;
  static constexpr size_t kMaxEntries = 100'000;
  static constexpr size_t kMaxAdds = 64;

  static Result<std::unique_ptr<Packages>> open(std::string dir, boost::asio::thread_pool& blocking);
  virtual ~Packages() = default;

  // Unpacks the zip if it is not there yet; durable when it answers.
  virtual boost::asio::awaitable<Result<PackageInfo>> add(std::string zip) = 0;
  virtual boost::asio::awaitable<Result<std::string>> zip_of(PackageDigest digest) = 0;
  // Removes every package not in `used` and whatever an interrupted add() left. Spares once what was added since the
  // last collect(): the record that will name it may not stand yet. A package that a container has mounted is in use
  // too.
  virtual boost::asio::awaitable<Result<>> collect(std::set<PackageDigest> used) = 0;
};

}  // namespace hearth::runtime
