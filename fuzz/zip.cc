// The unpacker: whatever the zip, nothing but the package's folder appears beside it, and the limits hold.
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdint>
#include <filesystem>
#include <string>

#include "base/fd.h"
#include "runtime/unzip.h"

namespace {

namespace fs = std::filesystem;

constexpr hearth::runtime::UnzipLimits kLimits{.unpacked_bytes = 1 << 20, .entries = 50};

// In memory, so that the disk does not set the pace; removed when the fuzzer ends.
struct Scratch {
  Scratch() {
    std::string name = "/dev/shm/hearth-fuzz-zip-XXXXXX";
    if (::mkdtemp(name.data()) == nullptr) __builtin_trap();
    outer = name;
  }
  ~Scratch() { fs::remove_all(outer); }
  fs::path outer;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static Scratch scratch;
  fs::path package = scratch.outer / "package";
  fs::create_directory(package);
  {
    hearth::Fd folder(::open(package.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    std::string_view zip(reinterpret_cast<const char*>(data), size);
    auto unzipped = hearth::runtime::unzip(zip, folder.get(), kLimits);
    if (unzipped && unzipped->bytes > kLimits.unpacked_bytes) __builtin_trap();
    if (unzipped && unzipped->files + unzipped->folders > kLimits.entries) __builtin_trap();
  }
  size_t beside = 0;
  for (auto at = fs::directory_iterator(scratch.outer); at != fs::directory_iterator(); ++at) ++beside;
  if (beside != 1) __builtin_trap();
  fs::remove_all(package);
  return 0;
}
