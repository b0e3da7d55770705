// Context: what all commands share: the options before them, the configuration, and the way to the daemon.
//
// The configuration is read at the first need, so that `--help` needs none. Keys come from the files that hearthd keeps
// in its state folder: `operator` for Hearth's own API, `credentials` for the default account's Lambda API; another
// account's key is asked of the daemon.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>

#include "base/config.h"
#include "base/json.h"
#include "base/result.h"
#include "hearth/http_client.h"

namespace hearth::cli {

struct Globals {
  std::string config_file;
  std::string account;  // "" = the default one
  bool json = false;
};

using Query = std::map<std::string, std::string>;

class Context {
 public:
  static constexpr size_t kMaxKeyFile = 16 * 1024;

  Context(Globals globals, std::vector<std::string> environment)
      : globals_(std::move(globals)), environment_(std::move(environment)) {}

  bool json() const { return globals_.json; }
  // `--account`, else the configuration's default one.
  Result<std::string> account();
  Result<Config> config();
  // Where the daemon listens, as a client reaches it: "127.0.0.1:9120".
  Result<std::string> address();

  // A call of Hearth's own API: `path` is what follows /_hearth/v1/.
  Result<json::value> admin(const std::string& method, const std::string& path, Query query = {},
                            std::optional<json::value> body = std::nullopt);
  // The account's key.
  Result<Credentials> credentials();
  // A call with the account's key, whatever its status.
  Result<HttpReply> call(HttpRequest request);

 private:
  Result<Credentials> key_file(const std::string& name);

  Globals globals_;
  std::vector<std::string> environment_;
  std::optional<Config> config_;
};

// One line of JSON when `--json` was given, else `text()`; to standard output.
void print(const Context& context, const json::value& value, const std::function<std::string()>& text);

}  // namespace hearth::cli
