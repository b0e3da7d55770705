// Becoming unprivileged: what hearthd does before it listens.
//
// Started by root, the process prepares what only root can (folders, descriptor limit) and becomes the configured user
// for good: no supplementary groups, no capabilities, an empty bounding set, no_new_privs. Started by another user, it
// stays that user. It refuses (Kind::denied) to go on as root, and (Kind::not_found) to become a user that is not
// there.
#pragma once

#include <string>

#include "base/result.h"

namespace hearth {

// Makes `folder` and its parents; when root asks, the last one belongs to `user` with mode 0711.
Result<> prepare_folder(const std::string& folder, const std::string& user);

// Raises the limit on open descriptors to what the system allows, at most 1,048,576.
Result<> raise_descriptor_limit();

Result<> become(const std::string& user);

}  // namespace hearth
