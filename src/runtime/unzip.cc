#include "runtime/unzip.h"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <locale.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <map>
#include <memory>
#include <unordered_map>
#include <vector>

#include "base/fd.h"

namespace hearth::runtime {
namespace {

constexpr const char* kEmpty = "Uploaded file must be a non-empty zip";
constexpr int kMaxOpenTries = 1000;

Failure refuse(std::source_location where = std::source_location::current()) {
  return fail(Kind::invalid, "Could not unzip uploaded file. Please check your file, then try to upload again.", where);
}

// libarchive turns names that are marked as UTF-8 into the thread's character set and spoils what does not fit.
class Utf8Names {
 public:
  Utf8Names() : locale_(::newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr)), before_(::uselocale(locale_)) {}
  Utf8Names(const Utf8Names&) = delete;
  Utf8Names& operator=(const Utf8Names&) = delete;
  ~Utf8Names() {
    ::uselocale(before_);
    if (locale_ != nullptr) ::freelocale(locale_);
  }

 private:
  locale_t locale_;
  locale_t before_;
};

Result<Fd> open_beneath(int folder, const std::string& name, int flags, mode_t mode, uint64_t resolve) {
  struct open_how how{};
  how.flags = static_cast<uint64_t>(flags | O_CLOEXEC);
  how.mode = mode;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS | resolve;
  for (int tries = 0;; ++tries) {
    Fd fd(static_cast<int>(::syscall(SYS_openat2, folder, name.c_str(), &how, sizeof how)));
    if (fd.valid()) return fd;
    // EAGAIN: a rename anywhere on the host raced with a `..` of the way (openat2(2)).
    if (errno != EAGAIN || tries == kMaxOpenTries) return fail_errno("openat2 " + name);
  }
}

// "a//./b/" → "a/b"; "" for the package's own folder. Refuses what would leave it.
Result<std::string> clean_name(const char* raw) {
  if (raw == nullptr) return refuse();
  std::string_view rest = raw;
  if (rest.empty() || rest.front() == '/' || rest.size() > kMaxEntryName) return refuse();
  std::string name;
  size_t depth = 0;
  while (!rest.empty()) {
    auto end = std::min(rest.find('/'), rest.size());
    auto part = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (part.empty() || part == ".") continue;
    if (part == ".." || part.size() > NAME_MAX || ++depth > kMaxEntryDepth) return refuse();
    if (!name.empty()) name += '/';
    name += part;
  }
  return name;
}

std::pair<std::string, std::string> split(const std::string& name) {
  auto slash = name.rfind('/');
  if (slash == std::string::npos) return {"", name};
  return {name.substr(0, slash), name.substr(slash + 1)};
}

class Unpacker {
 public:
  Unpacker(int folder, UnzipLimits limits) : folder_(folder), limits_(limits) {}

  Result<Unzipped> unpack(std::string_view zip);

 private:
  enum class Node { folder, file, link };
  struct FreeArchive {
    void operator()(archive* reader) const { archive_read_free(reader); }
  };

  Result<> entry(archive_entry* entry);
  Result<> folder(const std::string& name);
  Result<> file(const std::string& name, archive_entry* entry);
  Result<> link(const std::string& name, const char* target);
  Result<> make_links();
  Result<> copy_data(int to);
  Result<> count_node();
  // The folder that `name` is in, opened; made when it is missing.
  Result<Fd> parent_of(const std::string& name);
  // What stands there under that name, if anything.
  const Node* standing(const std::string& name) const {
    auto found = nodes_.find(name);
    return found == nodes_.end() ? nullptr : &found->second;
  }

  int folder_;
  UnzipLimits limits_;
  std::unique_ptr<archive, FreeArchive> reader_;
  std::unordered_map<std::string, Node> nodes_;
  std::map<std::string, std::string> links_;  // name → target; made when all files are there
  Unzipped made_;
};

Result<> Unpacker::count_node() {
  if (nodes_.size() >= limits_.entries) return refuse();
  return {};
}

Result<Fd> Unpacker::parent_of(const std::string& name) {
  auto [parent, last] = split(name);
  TRY(folder(parent));
  return open_beneath(folder_, parent.empty() ? "." : parent, O_DIRECTORY | O_PATH, 0, RESOLVE_NO_SYMLINKS);
}

Result<> Unpacker::folder(const std::string& name) {
  if (name.empty()) return {};
  if (const Node* node = standing(name)) return *node == Node::folder ? Result<>() : refuse();
  TRY_ASSIGN(Fd parent, parent_of(name));
  TRY(count_node());
  std::string last = split(name).second;
  if (::mkdirat(parent.get(), last.c_str(), 0755) != 0) return fail_errno("mkdirat " + name);
  TRY_ASSIGN(Fd made, open_beneath(parent.get(), last, O_DIRECTORY | O_RDONLY, 0, RESOLVE_NO_SYMLINKS));
  if (::fchmod(made.get(), 0755) != 0) return fail_errno("fchmod " + name);  // whatever the umask
  nodes_.emplace(name, Node::folder);
  ++made_.folders;
  return {};
}

Result<> Unpacker::copy_data(int to) {
  for (int64_t written = 0;;) {
    const void* data = nullptr;
    size_t size = 0;
    int64_t at = 0;
    int code = archive_read_data_block(reader_.get(), &data, &size, &at);
    if (code == ARCHIVE_EOF) return {};
    if (code != ARCHIVE_OK || at != written) return refuse();
    made_.bytes += size;
    if (made_.bytes > limits_.unpacked_bytes) {
      return fail(Kind::invalid,
                  "Unzipped size must be smaller than " + std::to_string(limits_.unpacked_bytes) + " bytes");
    }
    for (size_t done = 0; done < size;) {
      ssize_t count = ::write(to, static_cast<const char*>(data) + done, size - done);
      if (count < 0 && errno != EINTR) return fail_errno("write");
      if (count > 0) done += static_cast<size_t>(count);
    }
    written += static_cast<int64_t>(size);
  }
}

Result<> Unpacker::file(const std::string& name, archive_entry* entry) {
  if (name.empty()) return refuse();
  const Node* node = standing(name);
  if (node != nullptr && *node == Node::folder) return refuse();
  links_.erase(name);
  TRY_ASSIGN(Fd parent, parent_of(name));
  if (node == nullptr) TRY(count_node());
  int flags = O_WRONLY | O_CREAT | O_NOFOLLOW | (node != nullptr ? O_TRUNC : O_EXCL);
  TRY_ASSIGN(Fd file, open_beneath(parent.get(), split(name).second, flags, 0644, RESOLVE_NO_SYMLINKS));
  TRY(copy_data(file.get()));
  mode_t mode = (archive_entry_perm(entry) & 0111) != 0 ? 0755 : 0644;
  if (::fchmod(file.get(), mode) != 0) return fail_errno("fchmod " + name);
  if (archive_entry_mtime_is_set(entry)) {
    timespec times[2] = {{0, UTIME_OMIT}, {archive_entry_mtime(entry), 0}};
    if (::futimens(file.get(), times) != 0) return fail_errno("futimens " + name);
  }
  if (node == nullptr) ++made_.files;
  nodes_[name] = Node::file;
  return {};
}

Result<> Unpacker::link(const std::string& name, const char* target) {
  if (name.empty() || target == nullptr || *target == '\0' || *target == '/') return refuse();
  if (std::string_view(target).size() > kMaxEntryName) return refuse();
  const Node* node = standing(name);
  if (node != nullptr && *node == Node::folder) return refuse();
  TRY_ASSIGN(Fd parent, parent_of(name));
  if (node == nullptr) TRY(count_node());
  if (node != nullptr && *node == Node::file && ::unlinkat(parent.get(), split(name).second.c_str(), 0) != 0) {
    return fail_errno("unlinkat " + name);
  }
  if (node == nullptr) ++made_.files;
  links_[name] = target;
  nodes_[name] = Node::link;
  return {};
}

// All links are made before the first is tried, since one may lead through another.
Result<> Unpacker::make_links() {
  for (const auto& [name, target] : links_) {
    TRY_ASSIGN(Fd parent, parent_of(name));
    if (::symlinkat(target.c_str(), parent.get(), split(name).second.c_str()) != 0) {
      return fail_errno("symlinkat " + name);
    }
  }
  for (const auto& [name, target] : links_) {
    auto opened = open_beneath(folder_, name, O_PATH, 0, 0);
    // The kernel walked the whole way: EXDEV means that it left the package. One that leads nowhere does no harm.
    if (opened || opened.error().errno_value == ENOENT || opened.error().errno_value == ENOTDIR) continue;
    return refuse();
  }
  return {};
}

Result<> Unpacker::entry(archive_entry* entry) {
  if (archive_entry_is_encrypted(entry) != 0 || archive_entry_hardlink(entry) != nullptr) return refuse();
  TRY_ASSIGN(std::string name, clean_name(archive_entry_pathname(entry)));
  switch (archive_entry_filetype(entry)) {
    case AE_IFDIR:
      return folder(name);
    case AE_IFREG:
      return file(name, entry);
    case AE_IFLNK:
      return link(name, archive_entry_symlink(entry));
    default:  // devices, sockets; libarchive takes a fifo for a file, since Info-ZIP writes piped data so
      return refuse();
  }
}

Result<Unzipped> Unpacker::unpack(std::string_view zip) {
  Utf8Names utf8;
  reader_.reset(archive_read_new());
  // The reader that goes by the central directory: modes and links are only there.
  if (!reader_ || archive_read_support_format_zip_seekable(reader_.get()) != ARCHIVE_OK) {
    return fail(Kind::internal, "libarchive has no zip reader");
  }
  // libarchive takes the end record that is all of an empty zip for no zip.
  if (zip.starts_with("PK\x05\x06")) return fail(Kind::invalid, kEmpty);
  if (archive_read_open_memory(reader_.get(), zip.data(), zip.size()) != ARCHIVE_OK) return refuse();
  for (;;) {
    archive_entry* at = nullptr;
    int code = archive_read_next_header(reader_.get(), &at);
    if (code == ARCHIVE_EOF) break;
    // A warning means a name that is not of its character set, or headers that contradict each other.
    if (code != ARCHIVE_OK) return refuse();
    TRY(entry(at));
  }
  if (nodes_.empty()) return fail(Kind::invalid, kEmpty);
  TRY(make_links());
  return made_;
}

}  // namespace

Result<Unzipped> unzip(std::string_view zip, int folder, UnzipLimits limits) {
  return Unpacker(folder, limits).unpack(zip);
}

}  // namespace hearth::runtime
