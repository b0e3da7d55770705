#include "gateway/names.h"

#include <dirent.h>
#include <fcntl.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstdio>

#include "base/fd.h"

namespace hearth::gateway {
namespace {

constexpr size_t kMaxNameSize = 64;

uint64_t hash48(std::string_view text) {  // FNV-1a, folded to 48 bits
  uint64_t hash = 14695981039346656037ull;
  for (const char c : text) {
    hash ^= static_cast<uint8_t>(c);
    hash *= 1099511628211ull;
  }
  return (hash ^ hash >> 48) & 0xffffffffffffull;
}

}  // namespace

std::string short_hash(std::string_view text) {
  char digits[13];
  std::snprintf(digits, sizeof digits, "%012llx", static_cast<unsigned long long>(hash48(text)));
  return digits;
}

Result<> check_name(std::string_view what, std::string_view name) {
  const bool good = std::all_of(name.begin(), name.end(), [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '_' || c == '.';
  });
  if (!good || name.empty() || name.size() > kMaxNameSize || name[0] == '.')
    return fail(Kind::invalid, std::string(what) + ": a name has 1 to 64 of A-Z a-z 0-9 . _ - and no dot in front");
  return {};
}

Result<> check_gateway_name(std::string_view name) {
  TRY(check_name("gateway", name));
  if (name == "fn" || name.starts_with("vpc-"))
    return fail(Kind::invalid, "gateway: no gateway is called fn or vpc-…, as other namespaces are");
  return {};
}

Result<std::vector<std::string>> names_in(const std::string& directory) {
  std::vector<std::string> names;
  DIR* entries = opendir(directory.c_str());
  if (entries == nullptr && errno == ENOENT) return names;
  if (entries == nullptr) return fail_errno("open " + directory);
  while (const dirent* entry = readdir(entries)) {
    if (entry->d_name[0] != '.') names.emplace_back(entry->d_name);
  }
  closedir(entries);
  return names;
}

Result<kernel::Mac> Names::attachment_mac(const std::string& attachment) const {
  char machine[64];
  Fd file(open("/etc/machine-id", O_RDONLY | O_CLOEXEC));
  const ssize_t size = file.valid() ? read(file.get(), machine, sizeof machine) : 0;
  if (size < 0) return fail_errno("read /etc/machine-id");
  const std::string text = std::string(machine, static_cast<size_t>(size)) + "\n" + instance_ + "\n" + attachment;
  const uint64_t hash = hash48(text);
  kernel::Mac mac;
  for (size_t i = 0; i < mac.size(); ++i) mac[i] = static_cast<uint8_t>(hash >> (8 * i));
  mac[0] = 0x06;  // locally administered, unicast; 02:64 is of the slots
  return mac;
}

}  // namespace hearth::gateway
