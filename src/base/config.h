// Config: what an operator can set, for hearthd, hearth-warden and the CLI.
//
// One TOML file (`--config`, else HEARTH_CONFIG, else /etc/hearth/hearth.toml when it is there), every key also as an
// environment variable: `gateway.driver` is HEARTH_GATEWAY_DRIVER (lists: `a,b`; maps: `a=b,c=d`). The environment wins
// over the file, the file over the default. An unknown key in the file, an unknown HEARTH_ variable of a known section,
// a value of another type or out of range is Kind::invalid and names the key, the value and the limit. Immutable once
// loaded; `origin` says where each key's value came from ("default", "file", "environment") for `hearth config show`.
// The rows of the table that says all this are in base/config_keys.cc.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/result.h"

namespace hearth {

struct Config {
  static constexpr size_t kMaxFileBytes = 1024 * 1024;
  static constexpr size_t kMaxTextBytes = 2048;  // one value
  static constexpr size_t kMaxEntries = 64;      // of a list or a map

  // top level
  std::string instance = "hearth";  // prefix of namespaces, cgroups and interfaces; at most 8 of [a-z0-9]
  uint16_t port = 9120;             // port: HEARTH_PORT
  std::string state;                // HEARTH_STATE: /var/lib/hearth for root, else ~/.local/share/hearth
  std::string run_dir;              // HEARTH_RUN_DIR: /run/<instance>
  std::string user = "hearth";      // whom hearthd becomes when started by root, and whom the warden serves

  // [server]
  std::string listen = "127.0.0.1";  // server.listen
  // [log]
  std::string log_level = "info";  // log.level

  // [account]
  std::string default_account = "000000000000";  // account.default
  std::string region = "us-east-1";              // account.region

  // [limits]
  int64_t concurrency = 1000;        // limits.concurrency: account-wide
  int64_t unreserved_minimum = 100;  // limits.unreserved_minimum: a reservation must leave this much
  static constexpr int64_t kMaxContainers = 4096;
  int64_t containers = 2048;  // limits.containers: all living containers of the host
  int64_t memory_mib = 0;     // limits.memory_mib: sum of MemorySize of bound instances; 0 = 90 % of the host

  // [pool]
  int64_t pool_min = 4;                                     // pool.min: warm containers held for each runtime in use
  int64_t pool_max = 64;                                    // pool.max
  std::vector<std::string> pool_runtimes = {"python3.11"};  // pool.runtimes: warmed at start

  // [hold]
  int64_t hold_seconds = 600;  // hold.seconds: how long an idle instance is kept

  // [runtime]
  std::map<std::string, std::string> runtime_aliases;  // runtime.alias: {"python3.13" = "python3.11"}

  // [gateway]
  std::string gateway_driver = "auto";       // gateway.driver: vm | netns | auto
  std::string gateway_accelerator = "auto";  // gateway.accelerator: auto | kvm | tcg
  // [network]
  std::string outside = "host";  // network.outside: "host", "none" or the name of a namespace below /run/netns

  // [function]
  std::string endpoint_url;  // function.endpoint_url: AWS_ENDPOINT_URL inside; "" = the one hearthd serves
  std::map<std::string, std::string> service_endpoint_urls;  // function.endpoint_urls: {"s3" = "http://…"}

  // [testing]
  bool testing_reset = false;           // testing.reset
  std::string testing_auth = "signed";  // testing.auth: "signed" or "open"; "open" only on loopback

  std::map<std::string, std::string> origin;  // key → "default" | "file" | "environment"

  // Loads `path` ("" = HEARTH_CONFIG or the default place, which may be missing) and `environment` (environ's form).
  static Result<Config> load(const std::string& path, const std::vector<std::string>& environment);

  // Every key with its value and origin, in the order above, for people and `--json`. Lists and maps have the
  // environment's form. A Config that was not loaded tells the defaults.
  struct Item {
    std::string key;
    std::string value;
    std::string origin;
    std::string environment;  // the variable's name
    std::string accepts;      // "4 to 64", "vm, netns or auto"
    std::string meaning;
  };
  std::vector<Item> items() const;

  std::string warden_socket() const { return run_dir + "/warden.sock"; }
  std::string packages_dir() const { return state + "/packages"; }
};

// The environment of this process, as Config::load takes it.
std::vector<std::string> process_environment();

}  // namespace hearth
