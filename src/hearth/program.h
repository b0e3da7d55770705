// The CLI from its arguments to its exit status.
#pragma once

#include <string>
#include <vector>

namespace hearth::cli {

// 0: done; 1: it failed, said in one line "hearth: …" on standard error; 2: wrong usage, said likewise.
// `arguments` without the program's name; `environment` in environ's form.
int run(std::vector<std::string> arguments, std::vector<std::string> environment);

}  // namespace hearth::cli
