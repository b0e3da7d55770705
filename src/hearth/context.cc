#include "hearth/context.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>

#include "base/fd.h"

namespace hearth::cli {
namespace {

Result<std::string> read_small_file(const std::string& path, size_t max_bytes) {
  Fd file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.valid()) return fail_errno("cannot read " + path);
  std::string text(max_bytes + 1, '\0');
  ssize_t size = read(file.get(), text.data(), text.size());
  if (size < 0) return fail_errno("cannot read " + path);
  if (static_cast<size_t>(size) > max_bytes)
    return fail(Kind::invalid, fmt::format("{} is over {} bytes", path, max_bytes));
  text.resize(static_cast<size_t>(size));
  return text;
}

Result<Credentials> parse_credentials(const json::value& value, const std::string& what) {
  TRY_ASSIGN(FieldReader reader, FieldReader::of(value, what));
  Credentials credentials;
  TRY_ASSIGN(credentials.access_key_id, reader.text("access_key_id", 128));
  TRY_ASSIGN(credentials.secret_access_key, reader.text("secret_access_key", 128));
  TRY_ASSIGN(credentials.region, reader.text("region", 64));
  TRY_ASSIGN(credentials.account, reader.text_or("account", 12, ""));
  return credentials;
}

// The loopback address of its family when the daemon listens everywhere.
std::string reachable(const Config& config) {
  std::string host = config.listen == "0.0.0.0" ? "127.0.0.1" : config.listen == "::" ? "::1" : config.listen;
  if (host.find(':') != host.npos) host = "[" + host + "]";
  return fmt::format("{}:{}", host, config.port);
}

}  // namespace

Result<Config> Context::config() {
  if (!config_) {
    TRY_ASSIGN(config_, Config::load(globals_.config_file, environment_));
  }
  return *config_;
}

Result<std::string> Context::address() {
  TRY_ASSIGN(Config loaded, config());
  return reachable(loaded);
}

Result<std::string> Context::account() {
  if (!globals_.account.empty()) return globals_.account;
  TRY_ASSIGN(Config loaded, config());
  return loaded.default_account;
}

Result<Credentials> Context::key_file(const std::string& name) {
  TRY_ASSIGN(Config loaded, config());
  std::string path = loaded.state + "/" + name;
  auto text = read_small_file(path, kMaxKeyFile);
  if (!text && text.error().kind == Kind::not_found) {
    return fail(Kind::not_found,
                fmt::format("{} is not there — was hearthd ever started with this state? (./dev up)", path));
  }
  if (!text) {
    const Error& error = text.error();
    std::string why = error.errno_value == 0 ? "" : std::string(": ") + strerror(error.errno_value);
    return fail(error.kind, error.message + why);
  }
  TRY_ASSIGN(json::value value, parse_json(*text, kMaxKeyFile));
  return parse_credentials(value, path);
}

Result<json::value> Context::admin(const std::string& method, const std::string& path, Query query,
                                   std::optional<json::value> body) {
  TRY_ASSIGN(Credentials key, key_file("operator"));
  HttpRequest request;
  request.method = method;
  request.service = "hearth";
  request.path = "/_hearth/v1/" + path;
  request.query = std::move(query);
  if (body) {
    request.body = json::serialize(*body);
    request.headers.emplace_back("Content-Type", "application/json");
  }
  TRY_ASSIGN(std::string to, address());
  TRY_ASSIGN(HttpReply reply, HttpClient(to).send(key, request));
  return read_reply(reply);
}

Result<Credentials> Context::credentials() {
  if (globals_.account.empty()) return key_file("credentials");
  TRY_ASSIGN(json::value answer, admin("GET", "accounts/" + globals_.account + "/credentials"));
  return parse_credentials(answer, "hearthd's answer");
}

Result<HttpReply> Context::call(HttpRequest request) {
  TRY_ASSIGN(Credentials key, credentials());
  TRY_ASSIGN(std::string to, address());
  return HttpClient(to).send(key, request);
}

void print(const Context& context, const json::value& value, const std::function<std::string()>& text) {
  std::string shown = context.json() ? json::serialize(value) + "\n" : text();
  fwrite(shown.data(), 1, shown.size(), stdout);
}

}  // namespace hearth::cli
