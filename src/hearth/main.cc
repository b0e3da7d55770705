#include <curl/curl.h>

#include <cstdio>
#include <exception>

#include "base/config.h"
#include "hearth/program.h"

int main(int argc, char** argv) {
  try {
    curl_global_init(CURL_GLOBAL_DEFAULT);
    int status = hearth::cli::run({argv + 1, argv + argc}, hearth::process_environment());
    curl_global_cleanup();
    return status;
  } catch (const std::exception& bug) {
    fprintf(stderr, "hearth: internal error: %s\n", bug.what());
    return 1;
  }
}
