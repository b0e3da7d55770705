#include "pages.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstring>

namespace hearth::shim {
namespace {

constexpr size_t kPage = 4096;
constexpr uint64_t kPresent = 1UL << 63;
constexpr uint64_t kFile = 1UL << 61;       // or shared: nobody's own
constexpr uint64_t kExclusive = 1UL << 56;  // mapped by one process only
constexpr size_t kMaxRanges = 1024;
constexpr size_t kMaxGap = 2;  // pages that nobody writes to but that cost less than a call of their own
constexpr size_t kMaxLine = 512;

struct Range {
  uintptr_t begin;
  uintptr_t end;
};
struct Learned {
  size_t count;
  Range ranges[kMaxRanges];
};
Learned learned;
bool copied = false;

void add_page(Learned& to, uintptr_t page) {
  Range* last = to.count == 0 ? nullptr : &to.ranges[to.count - 1];
  if (last != nullptr && page >= last->end && page - last->end <= kMaxGap * kPage) {
    last->end = page + kPage;
  } else if (to.count < kMaxRanges) {
    to.ranges[to.count++] = {page, page + kPage};
  }
}

bool add_pages(Learned& to, int pagemap, uintptr_t begin, uintptr_t end) {
  uint64_t entries[512];
  for (uintptr_t at = begin; at < end;) {
    const size_t count = (end - at) / kPage < 512 ? (end - at) / kPage : 512;
    const auto size = static_cast<ssize_t>(count * sizeof(uint64_t));
    if (pread(pagemap, entries, static_cast<size_t>(size), static_cast<off_t>(at / kPage * sizeof(uint64_t))) != size) {
      return false;
    }
    for (size_t i = 0; i < count; ++i, at += kPage) {
      if ((entries[i] & (kPresent | kExclusive | kFile)) == (kPresent | kExclusive)) add_page(to, at);
    }
  }
  return true;
}

// Only what is written to and private can become our own.
bool scan(Learned& to) {
  int pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
  FILE* maps = fopen("/proc/self/maps", "re");
  bool whole = pagemap >= 0 && maps != nullptr;
  char line[kMaxLine];
  while (whole && fgets(line, sizeof(line), maps) != nullptr) {
    unsigned long begin = 0, end = 0;
    char mode[5] = "";
    if (sscanf(line, "%lx-%lx %4s", &begin, &end, mode) != 3 || strcmp(mode, "rw-p") != 0) continue;
    whole = add_pages(to, pagemap, begin, end);
  }
  return whole;  // the child ends here: it closes nothing
}

[[noreturn]] void learn(PyObject* rehearsal, Learned& to) {
  // The zygote's root has an empty /proc; this one ends with the mount namespace.
  if (unshare(CLONE_NEWNS) != 0 || mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr) != 0) {
    _exit(1);
  }
  PyObject* done = PyObject_CallNoArgs(rehearsal);
  if (done == nullptr) PyErr_Print();
  _exit(done != nullptr && scan(to) ? 0 : 1);
}

bool wait_for(pid_t child) {
  int status = 0;
  pid_t ended = -1;
  do {
    ended = waitpid(child, &status, 0);
  } while (ended < 0 && errno == EINTR);
  return ended == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

}  // namespace

bool learn_pages(PyObject* rehearsal) {
  void* memory = mmap(nullptr, sizeof(Learned), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return false;
  auto& shared = *static_cast<Learned*>(memory);
  PyOS_BeforeFork();
  pid_t child = fork();
  if (child == 0) {
    PyOS_AfterFork_Child();
    learn(rehearsal, shared);
  }
  PyOS_AfterFork_Parent();
  if (child > 0 && wait_for(child)) learned = shared;
  munmap(memory, sizeof(Learned));
  return learned.count > 0;
}

void copy_pages() {
  for (size_t i = 0; i < learned.count; ++i) {
    const Range& range = learned.ranges[i];
    // What can't be copied ahead is when it is written to.
    (void)madvise(reinterpret_cast<void*>(range.begin), range.end - range.begin, MADV_POPULATE_WRITE);
  }
  copied = learned.count > 0;
}

bool have_pages() { return copied; }

}  // namespace hearth::shim
