// The zygote's heap, made ready for being shared.
#pragma once

namespace hearth::shim {

// Fills the gaps that the zygote's start has left in its heap, of the C library and of Python's allocator.
//
// A container's first allocations would otherwise go into such gaps, all over the heap, and each would make a page of
// it the container's own; after this they lie side by side in fresh pages. What fills the gaps is never freed, and
// shared by all. REQUIRES: an initialised interpreter, its lock held.
void fill_heap_gaps();

}  // namespace hearth::shim
