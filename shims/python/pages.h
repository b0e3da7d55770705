// The pages of the zygote's memory that a start writes to, learned once, so that each container has its own copies of
// them before the trigger, by a few system calls instead of a page fault for each.
//
// REQUIRES: the process's only thread; for learn_pages() with the interpreter's lock held.
#pragma once

#define PY_SSIZE_T_CLEAN
#include <Python.h>

namespace hearth::shim {

// In the zygote: a child calls `rehearsal` and looks which pages became its own. False when that can't be found out
// (no /proc/self/pagemap, not root, the rehearsal raised): copy_pages() then does nothing.
bool learn_pages(PyObject* rehearsal);
// In a container's shim, before anything else is written to.
void copy_pages();
bool have_pages();  // copy_pages() has had something to do

}  // namespace hearth::shim
