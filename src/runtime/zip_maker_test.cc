#include "runtime/zip_maker_test.h"

#include <archive.h>
#include <archive_entry.h>

#include <cstdlib>

namespace hearth::runtime {
namespace {

uint32_t crc_of(std::string_view data) {
  uint32_t crc = ~0u;
  for (unsigned char byte : data) {
    crc ^= byte;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ (0xedb88320u & (0u - (crc & 1)));
  }
  return ~crc;
}

void u16(std::string& to, uint32_t value) {
  to += static_cast<char>(value & 0xff);
  to += static_cast<char>(value >> 8 & 0xff);
}
void u32(std::string& to, uint32_t value) {
  u16(to, value & 0xffff);
  u16(to, value >> 16);
}

// What local header and central directory have in common: version needed … length of extra fields.
void common(std::string& to, const ZipEntry& entry) {
  u16(to, 20);
  u16(to, entry.flags);
  u16(to, entry.method);
  u32(to, 0x5a210000);  // 2025-01-01 00:00
  u32(to, crc_of(entry.data) + entry.crc_error);
  u32(to, static_cast<uint32_t>(entry.data.size()));
  u32(to, static_cast<uint32_t>(entry.data.size()));
  u16(to, static_cast<uint32_t>(entry.name.size()));
  u16(to, 0);
}

}  // namespace

std::string make_zip(const std::vector<ZipEntry>& entries) {
  std::string zip;
  std::string directory;
  for (const ZipEntry& entry : entries) {
    auto at = static_cast<uint32_t>(zip.size());
    zip += "PK\x03\x04";
    common(zip, entry);
    zip += entry.name + entry.data;

    directory += "PK\x01\x02";
    u16(directory, 3 << 8 | 20);  // made on Unix
    common(directory, entry);
    u16(directory, 0);  // comment
    u16(directory, 0);  // disk
    u16(directory, 0);  // internal attributes
    u32(directory, entry.mode << 16);
    u32(directory, at);
    directory += entry.name;
  }
  auto at = static_cast<uint32_t>(zip.size());
  zip += directory + "PK\x05\x06";
  u32(zip, 0);
  u16(zip, static_cast<uint32_t>(entries.size()));
  u16(zip, static_cast<uint32_t>(entries.size()));
  u32(zip, static_cast<uint32_t>(directory.size()));
  u32(zip, at);
  u16(zip, 0);
  return zip;
}

std::string make_bomb(size_t size) {
  std::string zip(size / 100 + 100'000, '\0');
  size_t used = 0;
  archive* writer = archive_write_new();
  archive_entry* entry = archive_entry_new();
  archive_write_set_format_zip(writer);
  archive_write_set_options(writer, "compression=deflate");
  archive_write_open_memory(writer, zip.data(), zip.size(), &used);
  archive_entry_set_pathname(entry, "zeros");
  archive_entry_set_filetype(entry, AE_IFREG);
  archive_entry_set_perm(entry, 0644);
  archive_entry_set_size(entry, static_cast<int64_t>(size));
  if (archive_write_header(writer, entry) != ARCHIVE_OK) std::abort();
  std::string zeros(1 << 20, '\0');
  for (size_t left = size; left > 0; left -= std::min(left, zeros.size())) {
    if (archive_write_data(writer, zeros.data(), std::min(left, zeros.size())) < 0) std::abort();
  }
  if (archive_write_close(writer) != ARCHIVE_OK) std::abort();
  archive_entry_free(entry);
  archive_write_free(writer);
  zip.resize(used);
  return zip;
}

}  // namespace hearth::runtime
