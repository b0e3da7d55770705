// The log: one line an event to standard error, "2026-01-31T12:00:00.123Z level component: message key=value".
//
// Thread-safe. Only a task's top logs; libraries return errors. Standard error is the whole sink: the service
// manager stores and rotates.
#pragma once

#include <spdlog/spdlog.h>

#include <string>

namespace hearth::log {

// Sets component name and level ("debug", "info", "warning", "error"; another word means info). Call once, in main.
void start(const std::string& component, const std::string& level);

using spdlog::debug;
using spdlog::error;
using spdlog::info;
using spdlog::warn;

}  // namespace hearth::log
