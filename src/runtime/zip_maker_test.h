// For tests: zips byte by byte, so that they can be as wrong as a client's.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace hearth::runtime {

struct ZipEntry {
  std::string name;
  std::string data;
  uint32_t mode = 0100644;  // st_mode; kept in the central directory as zip programs of Unix do
  uint16_t flags = 0;       // bit 0 encrypted, bit 11 the name is UTF-8
  uint16_t method = 0;      // 0 stored; others only pretend
  uint32_t crc_error = 0;   // added to the right CRC
};

// A zip of stored entries.
std::string make_zip(const std::vector<ZipEntry>& entries);

// A deflated zip of one file of `size` zero bytes.
std::string make_bomb(size_t size);

}  // namespace hearth::runtime
