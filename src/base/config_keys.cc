#include "base/config_keys.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <numeric>

#include "base/ids.h"

namespace hearth::config {
namespace {

template <typename... F>
struct Overloaded : F... {
  using F::operator()...;
};
template <typename... F>
Overloaded(F...) -> Overloaded<F...>;

constexpr std::string_view kDigits = "0123456789";
constexpr std::string_view kLower = "abcdefghijklmnopqrstuvwxyz";
constexpr std::string_view kUpper = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";

// At least one and at most `max` characters, each of one of `sets` or equal to one of `sets`' characters.
bool made_of(std::string_view text, size_t max, std::initializer_list<std::string_view> sets) {
  if (text.empty() || text.size() > max) return false;
  return std::ranges::all_of(text, [&](char c) {
    return std::ranges::any_of(sets, [c](std::string_view set) { return set.find(c) != set.npos; });
  });
}

bool is_absolute_path(std::string_view t) { return t.size() > 1 && t[0] == '/' && t.find('\0') == t.npos; }
bool is_instance(std::string_view t) { return made_of(t, 8, {kLower, kDigits}); }
bool is_user(std::string_view t) { return made_of(t, 32, {kLower, kDigits, "_-"}) && t[0] != '-'; }
bool is_region(std::string_view t) { return made_of(t, 32, {kLower, kDigits, "-"}); }
bool is_runtime(std::string_view t) { return made_of(t, 64, {kLower, kDigits, "._-"}); }
bool is_service(std::string_view t) { return made_of(t, 64, {kLower, kDigits, "_-"}); }
bool is_level(std::string_view t) { return t == "debug" || t == "info" || t == "warning" || t == "error"; }
bool is_driver(std::string_view t) { return t == "vm" || t == "netns" || t == "auto"; }
bool is_accelerator(std::string_view t) { return t == "auto" || t == "kvm" || t == "tcg"; }
bool is_auth(std::string_view t) { return t == "signed" || t == "open"; }
bool is_outside(std::string_view t) { return made_of(t, 64, {kLower, kUpper, kDigits, "._-"}) && t[0] != '.'; }

bool is_address(std::string_view t) {
  in6_addr room;
  std::string text(t);
  return inet_pton(AF_INET, text.c_str(), &room) == 1 || inet_pton(AF_INET6, text.c_str(), &room) == 1;
}

bool is_url(std::string_view t) {
  if (t.starts_with("http://"))
    t.remove_prefix(7);
  else if (t.starts_with("https://"))
    t.remove_prefix(8);
  else
    return false;
  return !t.empty() && t[0] != '/' && std::ranges::all_of(t, [](char c) { return c > ' ' && c < 127 && c != ','; });
}
bool is_url_or_nothing(std::string_view t) { return t.empty() || is_url(t); }

constexpr Rule kRuntimeRule = {is_runtime, "a runtime's name such as python3.11"};

const Key kKeys[] = {
    {"instance", TextKey{&Config::instance, {is_instance, "1 to 8 of a-z and 0-9"}},
     "Prefix of every namespace, cgroup and interface that Hearth makes. Instances with different names, ports, state "
     "and run directories run side by side."},
    {"port", PortKey{&Config::port}, "TCP port of the API."},
    {"state", TextKey{&Config::state, {is_absolute_path, "an absolute path"}},
     "Folder of what survives: database, packages, logs, keys. Default: `/var/lib/hearth` for root, else "
     "`~/.local/share/hearth`."},
    {"run_dir", TextKey{&Config::run_dir, {is_absolute_path, "an absolute path"}},
     "Folder of sockets that last as long as the machine is up. Default: `/run/` and the instance's name."},
    {"user", TextKey{&Config::user, {is_user, "a user's name"}},
     "The user whom hearthd becomes when root starts it, and the only one whom hearth-warden serves."},
    {"server.listen", TextKey{&Config::listen, {is_address, "an IP address"}}, "Address that the API listens on."},
    {"log.level", TextKey{&Config::log_level, {is_level, "debug, info, warning or error"}},
     "Least weight of a line in the daemons' logs."},
    {"account.default", TextKey{&Config::default_account, {is_account, "12 digits"}},
     "The account that is made at the first start."},
    {"account.region", TextKey{&Config::region, {is_region, "a region's name such as us-east-1"}},
     "The one region that is served; it is part of every ARN."},
    {"limits.concurrency", IntegerKey{&Config::concurrency, 1, 100'000},
     "Invocations of one account that may run at the same time."},
    {"limits.unreserved_minimum", IntegerKey{&Config::unreserved_minimum, 0, 100'000},
     "How much of the account's concurrency reservations must leave to the other functions."},
    {"limits.containers", IntegerKey{&Config::containers, 1, Config::kMaxContainers},
     "Containers that may live on this host."},
    {"limits.memory_mib", IntegerKey{&Config::memory_mib, 0, 64 * 1024 * 1024},
     "Sum of the MemorySize of all bound instances, without what they write to /tmp; 0 means 90 % of the host's "
     "memory."},
    {"pool.min", IntegerKey{&Config::pool_min, 0, 4096}, "Warm containers held ready for each runtime in use."},
    {"pool.max", IntegerKey{&Config::pool_max, 0, 65'536},
     "Most warm containers that a pool grows to on demand; 0: every cold start makes its own."},
    {"pool.runtimes", ListKey{&Config::pool_runtimes, kRuntimeRule}, "Runtimes that are warmed at start."},
    {"hold.seconds", IntegerKey{&Config::hold_seconds, 0, 86'400}, "How long an idle instance is kept."},
    {"runtime.alias", MapKey{&Config::runtime_aliases, kRuntimeRule, kRuntimeRule},
     "Runtimes that stand for another: what a function asks for, and what it gets. `hearth runtime alias` adds more "
     "while the daemon runs."},
    {"gateway.accelerator", TextKey{&Config::gateway_accelerator, {is_accelerator, "auto, kvm or tcg"}},
     "What runs a gateway's virtual machine: KVM, emulation (TCG), or KVM where a machine was seen to boot under it."},
    {"gateway.driver", TextKey{&Config::gateway_driver, {is_driver, "vm, netns or auto"}},
     "Where a PAT gateway runs: in a virtual machine, in a network namespace, or in the first of both that works "
     "here."},
    {"network.outside", TextKey{&Config::outside, {is_outside, "host, none or a name below /run/netns"}},
     "Through which network namespace functions without a VPC reach the outside."},
    {"function.endpoint_url",
     TextKey{&Config::endpoint_url, {is_url_or_nothing, "a http:// or https:// URL, or nothing"}},
     "AWS_ENDPOINT_URL in functions; empty means the endpoint that hearthd serves inside every container."},
    {"function.endpoint_urls",
     MapKey{&Config::service_endpoint_urls,
            {is_service, "a service's name such as s3"},
            {is_url, "a http:// or https:// URL"}},
     "AWS_ENDPOINT_URL_<SERVICE> in functions, for single services."},
    {"testing.reset", FlagKey{&Config::testing_reset},
     "Serves `POST /_hearth/reset`, which empties an account. Only on a loopback listener."},
    {"testing.auth", TextKey{&Config::testing_auth, {is_auth, "signed or open"}},
     "`open` accepts any signature: a key id of 12 digits names the account, any other means the default one. Only on "
     "a loopback listener."},
};

Failure refuse(std::string_view shown, std::string_view words) {
  return fail(Kind::invalid, fmt::format("{}: must be {}", shown, words));
}

std::string print_map(const Map& map) {
  std::string text;
  for (const auto& [name, value] : map) text += (text.empty() ? "" : ",") + name + "=" + value;
  return text;
}

std::string shown(const Value& value) {
  return std::visit(Overloaded{[](const std::string& text) { return fmt::format("\"{}\"", text.substr(0, 200)); },
                               [](const Texts& texts) { return fmt::format("[{}]", fmt::join(texts, ", ")); },
                               [](const Map& map) { return "{" + print_map(map) + "}"; },
                               [](const auto& other) { return fmt::format("{}", other); }},
                    value);
}

std::string words_of(int64_t min, int64_t max) { return fmt::format("{} to {}", min, max); }

Result<> check(const std::string& text, const Rule& rule) {
  if (text.size() > Config::kMaxTextBytes) {
    return refuse("a text of " + std::to_string(text.size()) + " bytes",
                  fmt::format("at most {} bytes", Config::kMaxTextBytes));
  }
  if (!rule.accepts(text)) return refuse(shown(text), rule.words);
  return {};
}

// Splits at commas; "" is no entry.
Texts split(const std::string& text) {
  Texts parts;
  for (size_t from = 0; !text.empty() && from <= text.size();) {
    size_t comma = std::min(text.find(',', from), text.size());
    parts.push_back(text.substr(from, comma - from));
    from = comma + 1;
  }
  return parts;
}

// Puts a Value into the member that a row names.
struct Assigner {
  Config& config;
  const Value& value;

  Result<> operator()(const TextKey& key) const {
    auto* text = std::get_if<std::string>(&value);
    if (text == nullptr) return refuse(shown(value), key.rule.words);
    TRY(check(*text, key.rule));
    config.*key.member = *text;
    return {};
  }
  Result<> operator()(const IntegerKey& key) const {
    auto* number = std::get_if<int64_t>(&value);
    if (number == nullptr || *number < key.min || *number > key.max) {
      return refuse(shown(value), "an integer, " + words_of(key.min, key.max));
    }
    config.*key.member = *number;
    return {};
  }
  Result<> operator()(const PortKey& key) const {
    auto* number = std::get_if<int64_t>(&value);
    if (number == nullptr || *number < 1 || *number > 65'535) return refuse(shown(value), "an integer, 1 to 65535");
    config.*key.member = static_cast<uint16_t>(*number);
    return {};
  }
  Result<> operator()(const FlagKey& key) const {
    auto* flag = std::get_if<bool>(&value);
    if (flag == nullptr) return refuse(shown(value), "true or false");
    config.*key.member = *flag;
    return {};
  }
  Result<> operator()(const ListKey& key) const {
    auto* texts = std::get_if<Texts>(&value);
    if (texts == nullptr) return refuse(shown(value), "a list of strings");
    if (texts->size() > Config::kMaxEntries) return too_many(texts->size());
    for (const auto& text : *texts) TRY(check(text, key.rule));
    config.*key.member = *texts;
    return {};
  }
  Result<> operator()(const MapKey& key) const {
    auto* map = std::get_if<Map>(&value);
    if (map == nullptr) return refuse(shown(value), "a table of strings");
    if (map->size() > Config::kMaxEntries) return too_many(map->size());
    for (const auto& [name, text] : *map) {
      TRY(check(name, key.names));
      TRY(check(text, key.values));
    }
    config.*key.member = *map;
    return {};
  }

  static Failure too_many(size_t count) {
    return refuse(fmt::format("{} entries", count), fmt::format("at most {}", Config::kMaxEntries));
  }
};

Result<Value> map_from_text(const std::string& text) {
  Map map;
  for (const auto& part : split(text)) {
    size_t equals = part.find('=');
    if (equals == part.npos) return refuse(shown(text), "a list of name=value, separated by commas");
    map[part.substr(0, equals)] = part.substr(equals + 1);
  }
  return map;
}

Result<Value> integer_from_text(const std::string& text, int64_t min, int64_t max) {
  int64_t number = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) {
    return refuse(shown(text), "an integer, " + words_of(min, max));
  }
  return number;
}

Result<Value> flag_from_text(const std::string& text) {
  if (text == "true") return true;
  if (text == "false") return false;
  return refuse(shown(text), "true or false");
}

}  // namespace

std::span<const Key> keys() { return kKeys; }

const Key* find_key(std::string_view name) {
  auto key = std::ranges::find(kKeys, name, &Key::name);
  return key == std::end(kKeys) ? nullptr : key;
}

std::string environment_name(std::string_view key) {
  std::string name = "HEARTH_";
  for (char c : key) name += c == '.' ? '_' : static_cast<char>(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
  return name;
}

size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), 0);
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      size_t replaced = diagonal + (a[i - 1] != b[j - 1]);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, replaced});
    }
  }
  return row[b.size()];
}

std::string_view nearest_key(std::string_view name) {
  return std::ranges::min_element(kKeys, {}, [&](const Key& key) { return edit_distance(name, key.name); })->name;
}

Result<> assign(Config& config, const Key& key, const Value& value) {
  return std::visit(Assigner{config, value}, key.field);
}

Result<Value> from_text(const Key& key, const std::string& text) {
  return std::visit(Overloaded{[&](const TextKey&) -> Result<Value> { return text; },
                               [&](const IntegerKey& row) { return integer_from_text(text, row.min, row.max); },
                               [&](const PortKey&) { return integer_from_text(text, 1, 65'535); },
                               [&](const FlagKey&) { return flag_from_text(text); },
                               [&](const ListKey&) -> Result<Value> { return split(text); },
                               [&](const MapKey&) { return map_from_text(text); }},
                    key.field);
}

std::string print(const Config& config, const Key& key) {
  return std::visit(
      Overloaded{[&](const TextKey& row) { return config.*row.member; },
                 [&](const ListKey& row) { return fmt::format("{}", fmt::join(config.*row.member, ",")); },
                 [&](const MapKey& row) { return print_map(config.*row.member); },
                 [&](const auto& row) { return fmt::format("{}", config.*row.member); }},
      key.field);
}

std::string accepts(const Key& key) {
  return std::visit(
      Overloaded{[](const TextKey& row) { return std::string(row.rule.words); },
                 [](const IntegerKey& row) { return words_of(row.min, row.max); },
                 [](const PortKey&) { return words_of(1, 65'535); },
                 [](const FlagKey&) { return std::string("true or false"); },
                 [](const ListKey& row) { return fmt::format("list of {}", row.rule.words); },
                 [](const MapKey& row) { return fmt::format("table: {} = {}", row.names.words, row.values.words); }},
      key.field);
}

bool is_loopback(std::string_view address) { return address.starts_with("127.") || address == "::1"; }

}  // namespace hearth::config
