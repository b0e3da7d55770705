// Nothing: a library that owns a precompiled header needs a source.
