// What a handler returned, looked through before it is written as JSON.
#pragma once

struct _object;

namespace hearth::shim {

// True when Python's own JSON encoder writes `value` as AWS's does. False when somewhere in it is an object with
// _asdict() (a namedtuple), which AWS's writes as an object and Python's as an array or not at all, or a key of bytes;
// also where it is nested so deep that it may be endless.
//
// Some 10 ns an item, where writing one takes 50. Allocates nothing.
bool is_plain(_object* value);

}  // namespace hearth::shim
