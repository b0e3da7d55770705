// The zygote of the custom runtimes (`provided…`), and their shim: it waits for its function, then becomes the
// function's own `bootstrap`, which speaks the Runtime API itself.
//
// Exit status 127 when there is no bootstrap, 126 when it can't be executed, each with a line on standard error.
#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <boost/json/src.hpp>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include "container/child/zygote_loop.h"
#include "container/zygote_protocol.h"

namespace {

namespace json = boost::json;

constexpr size_t kMaxStart = 64 * 1024;
constexpr std::array kBootstraps = {"/var/task/bootstrap", "/opt/bootstrap"};

// The start message's environment as "NAME=value"; false when the message is another.
bool read_environment(std::string_view message, std::vector<std::string>& environment) {
  boost::system::error_code error;
  json::value start = json::parse(json::string_view(message.data(), message.size()), error);
  if (error || !start.is_object()) return false;
  const json::value* variables = start.get_object().if_contains("environment");
  if (variables == nullptr || !variables->is_object()) return false;
  for (const auto& variable : variables->get_object()) {
    if (!variable.value().is_string()) return false;
    std::string text(variable.key().data(), variable.key().size());
    text += '=';
    text.append(variable.value().get_string().data(), variable.value().get_string().size());
    environment.push_back(std::move(text));
  }
  return true;
}

int run_function() {
  if (!hearth::container::say_ready()) return 0;
  std::string message(kMaxStart, '\0');
  long size = hearth::container::wait_for_start(message.data(), message.size());
  if (size <= 0) return 0;
  std::vector<std::string> environment;
  if (!read_environment(std::string_view(message).substr(0, static_cast<size_t>(size)), environment)) {
    fprintf(stderr, "The start message can't be read\n");
    return 1;
  }
  std::vector<char*> variables;
  for (auto& variable : environment) variables.push_back(variable.data());
  variables.push_back(nullptr);
  if (!hearth::container::wait_until_placed()) return 0;
  if (chdir(hearth::container::kTaskRoot) != 0) {
    fprintf(stderr, "chdir %s: %s\n", hearth::container::kTaskRoot, strerror(errno));
    return 1;
  }
  for (const char* path : kBootstraps) {
    std::array<char*, 2> arguments = {const_cast<char*>(path), nullptr};
    execve(path, arguments.data(), variables.data());
    if (errno == ENOENT && access(path, F_OK) != 0) continue;
    fprintf(stderr, "%s: %s\n", path, strerror(errno));
    return 126;
  }
  fprintf(stderr, "Couldn't find valid bootstrap(s): [%s %s]\n", kBootstraps[0], kBootstraps[1]);
  return 127;
}

}  // namespace

int main() {
  if (!hearth::container::serve_zygote({})) return 0;
  return run_function();
}
