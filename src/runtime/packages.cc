#include "runtime/packages.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <mutex>
#include <vector>

#include "base/base64.h"
#include "base/blocking.h"
#include "base/fd.h"
#include "base/sha256.h"
#include "runtime/unzip.h"

namespace hearth::runtime {
namespace {

namespace asio = boost::asio;
namespace fs = std::filesystem;

constexpr std::string_view kUnfinished = ".new-";
constexpr std::string_view kZip = ".zip";
constexpr size_t kDigestLength = 64;

bool is_digest(std::string_view text) {
  return text.size() == kDigestLength &&
         std::ranges::all_of(text, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

PackageInfo info_of(std::string_view zip) {
  Sha256Digest hash = Sha256::of(zip);
  return PackageInfo{PackageDigest(hex(hash)), base64_encode(as_text(hash)), static_cast<int64_t>(zip.size())};
}

Result<> write_file(int folder, const std::string& name, std::string_view data) {
  Fd file(::openat(folder, name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!file.valid()) return fail_errno("openat " + name);
  while (!data.empty()) {
    ssize_t count = ::write(file.get(), data.data(), data.size());
    if (count < 0 && errno != EINTR) return fail_errno("write " + name);
    if (count > 0) data.remove_prefix(static_cast<size_t>(count));
  }
  return {};
}

Result<std::string> read_file(int folder, const std::string& name, size_t max_bytes) {
  Fd file(::openat(folder, name.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!file.valid()) return fail_errno("openat " + name);
  struct stat status{};
  if (::fstat(file.get(), &status) != 0) return fail_errno("fstat " + name);
  if (static_cast<size_t>(status.st_size) > max_bytes) return fail(Kind::internal, name + " is over its limit");
  std::string data(static_cast<size_t>(status.st_size), '\0');
  for (size_t done = 0; done < data.size();) {
    ssize_t count = ::pread(file.get(), data.data() + done, data.size() - done, static_cast<off_t>(done));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return fail_errno("pread " + name);
    if (count == 0) return fail(Kind::internal, name + " is shorter than it was");
    done += static_cast<size_t>(count);
  }
  return data;
}

// The folder on disk. Its functions block; the mutex makes "is it wanted" and "take its name away" one step.
class Folder {
 public:
  Folder(std::string path, Fd fd) : path_(std::move(path)), fd_(std::move(fd)) {}

  Result<PackageInfo> add(std::string_view zip);
  Result<std::string> zip_of(const PackageDigest& digest) const;
  Result<> collect(const std::set<PackageDigest>& used);

 private:
  bool has(const std::string& name) const {
    return ::faccessat(fd_.get(), name.c_str(), F_OK, AT_SYMLINK_NOFOLLOW) == 0;
  }
  bool is_whole(const PackageDigest& digest) const {
    return has(digest.str()) && has(digest.str() + std::string(kZip));
  }
  std::string unfinished_name();
  Result<> fill(const std::string& name, std::string_view zip) const;
  Result<> publish(const std::string& name, const PackageDigest& digest) const;
  Result<> remove_tree(const std::string& name) const;
  Result<bool> take_name_away(const std::string& name, const std::string& to, const std::set<PackageDigest>& used);

  const std::string path_;
  const Fd fd_;
  const std::string token_ = random_hex(8);  // of this process, in the names of what it has not finished
  std::mutex mutex_;
  int64_t unfinished_ = 0;
  std::set<PackageDigest> added_;  // since the last collect(), which spares them
};

std::string Folder::unfinished_name() {
  std::lock_guard lock(mutex_);
  return fmt::format("{}{}-{}", kUnfinished, token_, ++unfinished_);
}

Result<> Folder::remove_tree(const std::string& name) const {
  std::error_code error;
  fs::remove_all(fs::path(path_) / name, error);
  if (error) return fail_errno("remove " + name, error.value());
  return {};
}

// One syncfs, not an fsync a file: for 5,000 small files 0.1 s instead of 20 s on the ext4 of a virtual machine.
Result<> Folder::fill(const std::string& name, std::string_view zip) const {
  if (::mkdirat(fd_.get(), name.c_str(), 0700) != 0) return fail_errno("mkdirat " + name);
  Fd folder(::openat(fd_.get(), name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
  if (!folder.valid()) return fail_errno("openat " + name);
  TRY(unzip(zip, folder.get(), {.unpacked_bytes = Packages::kMaxUnpacked, .entries = Packages::kMaxEntries}));
  if (::fchmod(folder.get(), 0755) != 0) return fail_errno("fchmod " + name);
  TRY(write_file(fd_.get(), name + std::string(kZip), zip));
  if (::syncfs(folder.get()) != 0) return fail_errno("syncfs");
  return {};
}

Result<> Folder::publish(const std::string& name, const PackageDigest& digest) const {
  std::string zip_name = digest.str() + std::string(kZip);
  if (::renameat(fd_.get(), (name + std::string(kZip)).c_str(), fd_.get(), zip_name.c_str()) != 0) {
    return fail_errno("renameat " + zip_name);
  }
  // EEXIST: somebody added the same package meanwhile; theirs is as good.
  if (::renameat2(fd_.get(), name.c_str(), fd_.get(), digest.str().c_str(), RENAME_NOREPLACE) != 0 && errno != EEXIST) {
    return fail_errno("renameat2 " + digest.str());
  }
  if (::fsync(fd_.get()) != 0) return fail_errno("fsync " + path_);
  return {};
}

Result<PackageInfo> Folder::add(std::string_view zip) {
  if (zip.empty()) return fail(Kind::invalid, "Uploaded file must be a non-empty zip");
  if (zip.size() > Packages::kMaxZip) {
    return fail(Kind::invalid, fmt::format("Zipped size must be smaller than {} bytes", Packages::kMaxZip));
  }
  PackageInfo info = info_of(zip);
  {
    std::lock_guard lock(mutex_);
    added_.insert(info.digest);
    if (is_whole(info.digest)) return info;
  }
  std::string name = unfinished_name();
  auto filled = fill(name, zip);
  if (filled) filled = publish(name, info.digest);
  // What is left of it: all after a failure, a second copy after a race, nothing else.
  for (const std::string& rest : {name, name + std::string(kZip)}) {
    if (!has(rest)) continue;
    if (auto removed = remove_tree(rest); !removed && filled) return std::unexpected(removed.error());
  }
  if (!filled) return std::unexpected(std::move(filled).error());
  return info;
}

Result<std::string> Folder::zip_of(const PackageDigest& digest) const {
  if (!is_digest(digest.str())) return fail(Kind::invalid, "not a package digest");
  return read_file(fd_.get(), digest.str() + std::string(kZip), Packages::kMaxZip);
}

// True: `name` was unwanted and is now called `to`.
Result<bool> Folder::take_name_away(const std::string& name, const std::string& to,
                                    const std::set<PackageDigest>& used) {
  std::string_view stem = name;
  if (stem.ends_with(kZip)) stem.remove_suffix(kZip.size());
  if (!is_digest(stem)) return false;
  PackageDigest digest{std::string(stem)};
  std::lock_guard lock(mutex_);
  if (used.contains(digest) || added_.contains(digest)) return false;
  if (::renameat(fd_.get(), name.c_str(), fd_.get(), to.c_str()) != 0) return fail_errno("renameat " + name);
  return true;
}

Result<> Folder::collect(const std::set<PackageDigest>& used) {
  std::error_code error;
  std::vector<std::string> names;
  for (fs::directory_iterator at(path_, error), end; !error && at != end; at.increment(error)) {
    names.push_back(at->path().filename());
  }
  if (error) return fail_errno("read " + path_, error.value());
  for (const std::string& name : names) {
    std::string doomed = name;
    if (!name.starts_with(kUnfinished)) {
      doomed = unfinished_name();
      TRY_ASSIGN(bool unwanted, take_name_away(name, doomed, used));
      if (!unwanted) continue;
    } else if (name.starts_with(fmt::format("{}{}-", kUnfinished, token_))) {
      continue;  // being added right now
    }
    TRY(remove_tree(doomed));
  }
  std::lock_guard lock(mutex_);
  added_.clear();
  return {};
}

class PackagesOnDisk final : public Packages {
 public:
  PackagesOnDisk(std::string path, Fd fd, asio::thread_pool& blocking)
      : folder_(std::make_shared<Folder>(std::move(path), std::move(fd))), blocking_(blocking) {}

  asio::awaitable<Result<PackageInfo>> add(std::string zip) override {
    if (adds_ >= kMaxAdds) co_return fail(Kind::exhausted, "Too many packages are being unpacked.");
    struct Counted {
      size_t& adds;
      explicit Counted(size_t& of) : adds(of) { ++adds; }
      Counted(const Counted&) = delete;
      Counted& operator=(const Counted&) = delete;
      ~Counted() { --adds; }
    };
    Counted counted(adds_);
    auto work = [folder = folder_, zip_ = std::move(zip)] { return folder->add(zip_); };
    co_return co_await run_blocking(blocking_, std::move(work));
  }
  asio::awaitable<Result<std::string>> zip_of(PackageDigest digest) override {
    auto work = [folder = folder_, digest] { return folder->zip_of(digest); };
    co_return co_await run_blocking(blocking_, std::move(work));
  }
  asio::awaitable<Result<>> collect(std::set<PackageDigest> used) override {
    auto work = [folder = folder_, used_ = std::move(used)] { return folder->collect(used_); };
    co_return co_await run_blocking(blocking_, std::move(work));
  }

 private:
  std::shared_ptr<Folder> folder_;  // shared with the work under way
  asio::thread_pool& blocking_;
  size_t adds_ = 0;  // under way
};

}  // namespace

Result<std::unique_ptr<Packages>> Packages::open(std::string dir, asio::thread_pool& blocking) {
  if (::mkdir(dir.c_str(), 0700) != 0 && errno != EEXIST) return fail_errno("mkdir " + dir);
  Fd fd(::open(dir.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
  if (!fd.valid()) return fail_errno("open " + dir);
  return std::make_unique<PackagesOnDisk>(std::move(dir), std::move(fd), blocking);
}

}  // namespace hearth::runtime
