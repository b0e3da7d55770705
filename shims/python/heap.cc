#include "heap.h"

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <malloc.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>

namespace hearth::shim {
namespace {

constexpr size_t kLargestGap = 64 * 1024;  // below the size from which malloc maps each block by itself
constexpr size_t kSmallestGap = 16;
constexpr size_t kPool = 16 * 1024;  // of Python's allocator, aligned to its size, blocks of one class
constexpr size_t kLargestClass = 512;
constexpr int kVirginRun = 4;       // blocks in a row that are in a pool's own order: nobody has used it yet
constexpr int kMaxBlocks = 100000;  // of one size, whatever the allocator does

// Every free block below the top of the heap, from the largest: what is left over from one fills with smaller ones.
void fill_malloc() {
  const char* top = static_cast<const char*>(sbrk(0)) - mallinfo2().keepcost;
  for (size_t size = kLargestGap; size >= kSmallestGap; size = size > 1024 ? size / 2 : size - 16) {
    for (int i = 0; i < kMaxBlocks; ++i) {
      void* block = malloc(size);
      if (block == nullptr) return;
      if (block < top) continue;
      free(block);
      break;
    }
  }
}

void fill_class(size_t size) {
  void* run[kVirginRun];
  int length = 0;
  for (int i = 0; i < kMaxBlocks && length < kVirginRun; ++i) {
    void* block = PyObject_Malloc(size);
    if (block == nullptr) break;
    const bool follows = length > 0 && static_cast<char*>(run[length - 1]) + size == block;
    const bool first = reinterpret_cast<uintptr_t>(block) % kPool < 64;
    if (!follows) length = 0;
    if (follows || first) run[length++] = block;
  }
  while (length > 0) PyObject_Free(run[--length]);
}

}  // namespace

void fill_heap_gaps() {
  for (size_t size = 16; size <= kLargestClass; size += 16) fill_class(size);
  fill_malloc();
}

}  // namespace hearth::shim
