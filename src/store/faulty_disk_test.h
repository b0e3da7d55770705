// FaultyDisk: a VFS of SQLite for tests, the default one with faults: a full disk, an fsync that fails or waits.
//
// Registered under kName while it lives; at most one lives. Thread-safe.
#pragma once

#include <sqlite3.h>

#include <atomic>
#include <condition_variable>
#include <mutex>

namespace hearth::store {

class FaultyDisk {
 public:
  static constexpr const char* kName = "hearth-faulty";
  enum class Fault { none, write, sync };

  FaultyDisk();
  ~FaultyDisk();
  FaultyDisk(const FaultyDisk&) = delete;
  FaultyDisk& operator=(const FaultyDisk&) = delete;

  void fail_with(Fault fault) { fault_ = fault; }
  int syncs() const { return syncs_; }
  int unsynced_wal_writes() const { return unsynced_wal_writes_; }

  void hold_syncs();
  void await_held_sync();
  void release_syncs();

 private:
  struct File;
  static int open(sqlite3_vfs* vfs, sqlite3_filename name, sqlite3_file* file, int flags, int* out_flags);
  static File* of(sqlite3_file* file) { return reinterpret_cast<File*>(file); }
  static int write(sqlite3_file* file, const void* data, int size, sqlite3_int64 at);
  static int sync(sqlite3_file* file, int flags);
  int sync_now(File& file, int flags);

  sqlite3_vfs vfs_;
  std::atomic<Fault> fault_ = Fault::none;
  std::atomic<int> syncs_ = 0;
  std::atomic<int> unsynced_wal_writes_ = 0;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool hold_ = false;
  bool held_ = false;
};

}  // namespace hearth::store
