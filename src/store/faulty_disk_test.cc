#include "store/faulty_disk_test.h"

#include <cstdlib>

namespace hearth::store {

// SQLite allocates szOsFile bytes for it: ours, with the default VFS's file right behind.
struct FaultyDisk::File {
  sqlite3_file base;
  FaultyDisk* disk;
  bool is_wal;
  sqlite3_file* inner() { return reinterpret_cast<sqlite3_file*>(this + 1); }
  const sqlite3_io_methods& methods() { return *inner()->pMethods; }
};

FaultyDisk::FaultyDisk() {
  sqlite3_vfs* normal = sqlite3_vfs_find(nullptr);
  vfs_ = *normal;
  vfs_.zName = kName;
  vfs_.pNext = nullptr;
  vfs_.pAppData = this;
  vfs_.szOsFile = static_cast<int>(sizeof(File)) + normal->szOsFile;
  vfs_.xOpen = &FaultyDisk::open;
  if (sqlite3_vfs_register(&vfs_, 0) != SQLITE_OK) std::abort();
}

FaultyDisk::~FaultyDisk() { sqlite3_vfs_unregister(&vfs_); }

int FaultyDisk::write(sqlite3_file* file, const void* data, int size, sqlite3_int64 at) {
  FaultyDisk& disk = *of(file)->disk;
  if (disk.fault_ == Fault::write) return SQLITE_FULL;
  if (of(file)->is_wal) ++disk.unsynced_wal_writes_;
  return of(file)->methods().xWrite(of(file)->inner(), data, size, at);
}

int FaultyDisk::sync(sqlite3_file* file, int flags) { return of(file)->disk->sync_now(*of(file), flags); }

int FaultyDisk::sync_now(File& file, int flags) {
  if (fault_ == Fault::sync) return SQLITE_IOERR_FSYNC;
  {
    std::unique_lock lock(mutex_);
    held_ = hold_;
    changed_.notify_all();
    changed_.wait(lock, [this] { return !hold_; });
  }
  ++syncs_;
  if (file.is_wal) unsynced_wal_writes_ = 0;
  return file.methods().xSync(file.inner(), flags);
}

void FaultyDisk::hold_syncs() {
  std::lock_guard lock(mutex_);
  hold_ = true;
  held_ = false;
}

void FaultyDisk::await_held_sync() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return held_; });
}

void FaultyDisk::release_syncs() {
  std::lock_guard lock(mutex_);
  hold_ = false;
  changed_.notify_all();
}

int FaultyDisk::open(sqlite3_vfs* vfs, sqlite3_filename name, sqlite3_file* file, int flags, int* out_flags) {
  static const sqlite3_io_methods kMethods = {
      .iVersion = 1,
      .xClose = [](sqlite3_file* f) { return of(f)->methods().xClose(of(f)->inner()); },
      .xRead = [](sqlite3_file* f, void* to, int size,
                  sqlite3_int64 at) { return of(f)->methods().xRead(of(f)->inner(), to, size, at); },
      .xWrite = &FaultyDisk::write,
      .xTruncate = [](sqlite3_file* f, sqlite3_int64 size) { return of(f)->methods().xTruncate(of(f)->inner(), size); },
      .xSync = &FaultyDisk::sync,
      .xFileSize = [](sqlite3_file* f,
                      sqlite3_int64* size) { return of(f)->methods().xFileSize(of(f)->inner(), size); },
      .xLock = [](sqlite3_file* f, int level) { return of(f)->methods().xLock(of(f)->inner(), level); },
      .xUnlock = [](sqlite3_file* f, int level) { return of(f)->methods().xUnlock(of(f)->inner(), level); },
      .xCheckReservedLock = [](sqlite3_file* f,
                               int* out) { return of(f)->methods().xCheckReservedLock(of(f)->inner(), out); },
      .xFileControl = [](sqlite3_file* f, int op,
                         void* arg) { return of(f)->methods().xFileControl(of(f)->inner(), op, arg); },
      .xSectorSize = [](sqlite3_file* f) { return of(f)->methods().xSectorSize(of(f)->inner()); },
      .xDeviceCharacteristics = [](sqlite3_file* f) { return of(f)->methods().xDeviceCharacteristics(of(f)->inner()); },
      .xShmMap = nullptr,
      .xShmLock = nullptr,
      .xShmBarrier = nullptr,
      .xShmUnmap = nullptr,
      .xFetch = nullptr,
      .xUnfetch = nullptr,
  };
  auto* mine = of(file);
  mine->base.pMethods = nullptr;
  mine->disk = static_cast<FaultyDisk*>(vfs->pAppData);
  mine->is_wal = (flags & SQLITE_OPEN_WAL) != 0;
  sqlite3_vfs* normal = sqlite3_vfs_find(nullptr);
  int code = normal->xOpen(normal, name, mine->inner(), flags, out_flags);
  if (code == SQLITE_OK) mine->base.pMethods = &kMethods;
  return code;
}

}  // namespace hearth::store
