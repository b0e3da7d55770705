// unzip: the files of a zip, written beneath a folder from which nothing can escape.
//
// Every name is checked, then opened by openat2 beneath the folder without following any symbolic link; links are made
// after all files and then proven to stay inside. Sizes are counted while unpacking, whatever the headers say. Modes
// become 0644 or 0755 (any execute bit), folders 0755; modification times are kept, since Python's shipped .pyc files
// name them. A name that occurs twice means its last entry, as unzip programs do.
//
// Refuses (Kind::invalid, as AWS words it) what runtime/packages.h says. Blocking; for any thread. Not durable by
// itself.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/result.h"

namespace hearth::runtime {

struct UnzipLimits {
  size_t unpacked_bytes;
  size_t entries;  // files, links and folders made, those folders included that only a name implies
};

constexpr size_t kMaxEntryName = 2048;
constexpr size_t kMaxEntryDepth = 64;

struct Unzipped {
  size_t files = 0;  // and links
  size_t folders = 0;
  size_t bytes = 0;
};

// REQUIRES: `folder` is a descriptor of an empty directory.
Result<Unzipped> unzip(std::string_view zip, int folder, UnzipLimits limits);

}  // namespace hearth::runtime
