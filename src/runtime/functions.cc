#include "runtime/functions.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <map>
#include <set>

#include "base/log.h"
#include "base/utf8.h"

namespace hearth::runtime {
namespace {

namespace asio = boost::asio;
using std::chrono::milliseconds;

constexpr std::string_view kPrefix = "function/";
constexpr size_t kLoadPage = 500;
constexpr int kMaxRaces = 100;     // changes of one function that may get in before this one
constexpr int kMaxPrepares = 300;  // while the network is unavailable
constexpr milliseconds kBetweenPrepares{100};
constexpr int kMaxSettles = 60;  // while the store fails
constexpr milliseconds kBetweenSettles{1000};
constexpr size_t kMaxReason = 1024;
const std::string kBeingCreated = "The function is being created.";
const std::string kCreating = "Creating";

// What memory and registry hold of one function.
struct Entry {
  Function in_force;
  std::optional<Function> asked;  // of an update that is InProgress
  int64_t version = 0;            // of the registry's record
  int64_t attempt = 0;            // changes with each create and update of this process; not recorded

  const Function& shown() const { return asked ? *asked : in_force; }
  bool unsettled() const { return asked || in_force.state == "Pending"; }
};

// Checks and changes a copy of the entry. Run again when another change got in first.
using Edit = std::function<Result<>(Entry&)>;

std::string record_key(const FunctionKey& key) { return fmt::format("{}{}/{}", kPrefix, key.account.str(), key.name); }

std::string record_value(const Entry& entry) {
  json::object value{{"function", encode(entry.in_force)}};
  if (entry.asked) value["asked"] = encode(*entry.asked);
  return json::serialize(value);
}

Result<Entry> entry_of(const store::Record& record) {
  TRY_ASSIGN(json::value value, parse_json(record.value, store::Registry::kMaxValue));
  TRY_ASSIGN(FieldReader from, FieldReader::of(value, record.key));
  Entry entry;
  TRY_ASSIGN(const json::value* function, from.member("function"));
  TRY_ASSIGN(entry.in_force, decode_function(*function));
  if (const json::value* asked = from.member_or_null("asked")) {
    TRY_ASSIGN(entry.asked, decode_function(*asked));
  }
  TRY(from.finish());
  entry.version = record.version;
  return entry;
}

// What is to be put, if the next start will be able to read it.
Result<std::string> readable_value(const FunctionKey& key, const Entry& entry) {
  store::Record record{record_key(key), record_value(entry), 0};
  TRY(entry_of(record));
  return std::move(record.value);
}

Failure no_function(const FunctionKey& key) { return fail(Kind::not_found, "no function " + key.name); }

// StateReasonCode and LastUpdateStatusReasonCode of the Lambda API.
std::string reason_code(const Error& error) {
  switch (error.kind) {
    case Kind::invalid:
      return "InvalidConfiguration";
    case Kind::not_found:
      return "InvalidSubnet";
    case Kind::exhausted:
      return "SubnetOutOfIPAddresses";
    default:
      return "InternalError";
  }
}

void succeed(Entry& entry) {
  if (entry.asked) entry.in_force = *std::exchange(entry.asked, std::nullopt);
  Function& function = entry.in_force;
  function.state = "Active";
  function.state_reason.clear();
  function.state_reason_code.clear();
  function.last_update_status = "Successful";
  function.last_update_reason.clear();
  function.last_update_reason_code.clear();
  function.revision_id = random_uuid();
}

void give_up(Entry& entry, const Error& error) {
  Function& function = entry.in_force;
  std::string reason(utf8_prefix(error.message, kMaxReason));
  if (!entry.asked) {
    function.state = "Failed";
    function.state_reason = reason;
    function.state_reason_code = reason_code(error);
  }
  entry.asked.reset();
  function.last_update_status = "Failed";
  function.last_update_reason = std::move(reason);
  function.last_update_reason_code = reason_code(error);
  function.revision_id = random_uuid();
}

void begin_update(Function& function, WallTime now) {
  function.last_update_status = "InProgress";
  function.last_update_reason = kBeingCreated;
  function.last_update_reason_code = kCreating;
  function.revision_id = random_uuid();
  function.last_modified = now;
}

Result<> may_update(const Entry& entry, const std::string& revision) {
  if (entry.unsettled()) return fail(Kind::conflict, "a change is under way for " + entry.in_force.arn());
  if (!revision.empty() && revision != entry.in_force.revision_id) {
    return fail(Kind::denied, "the revision is another: " + entry.in_force.revision_id);
  }
  return {};
}

class Catalogue final : public Functions {
 public:
  Catalogue(store::Registry& registry, Packages& packages, const Clock& clock, TaskGroup& tasks, Hooks hooks)
      : registry_(registry), packages_(packages), clock_(clock), tasks_(tasks), hooks_(std::move(hooks)) {}

  asio::awaitable<Result<>> load_records();

  const Function* find(const FunctionKey& key) const override;
  const Function* shown(const FunctionKey& key) const override;
  std::vector<const Function*> list(const AccountId& account, const std::string& after, size_t limit) const override;
  size_t count(const AccountId& account) const override;
  int64_t code_bytes(const AccountId& account) const override;

  asio::awaitable<Result<Function>> create(Function function) override;
  asio::awaitable<Result<Function>> update(FunctionKey key, std::string revision,
                                           std::function<Result<>(Function&)> change) override;
  asio::awaitable<Result<Function>> annotate(FunctionKey key, std::function<Result<>(Function&)> change) override;
  asio::awaitable<Result<>> remove(FunctionKey key) override;
  asio::awaitable<Result<>> remove_all(AccountId account) override;

 private:
  using Entries = std::map<FunctionKey, Entry>;

  // A name that a create() holds until its record is there.
  class Reservation {
   public:
    Reservation(std::set<FunctionKey>& names, FunctionKey key) : names_(names), key_(std::move(key)) {
      names_.insert(key_);
    }
    Reservation(const Reservation&) = delete;
    Reservation& operator=(const Reservation&) = delete;
    ~Reservation() { names_.erase(key_); }

   private:
    std::set<FunctionKey>& names_;
    FunctionKey key_;
  };

  std::pair<Entries::const_iterator, Entries::const_iterator> of_account(const AccountId& account) const;
  Result<> may_create(const FunctionKey& key) const;
  bool take_record(const store::Record& record);
  asio::awaitable<Result<Entry>> commit(FunctionKey key, Edit edit);
  void start_settling(const FunctionKey& key, int64_t attempt);
  asio::awaitable<void> settle(FunctionKey key, int64_t attempt);
  asio::awaitable<Result<>> prepare(Function function);
  asio::awaitable<void> collect_packages();
  std::set<PackageDigest> packages_in_use() const;

  store::Registry& registry_;
  Packages& packages_;
  const Clock& clock_;
  TaskGroup& tasks_;
  Hooks hooks_;
  Entries entries_;
  std::set<FunctionKey> reserved_;
  int64_t attempts_ = 0;
};

asio::awaitable<void> pause(asio::any_io_executor executor, std::chrono::milliseconds time) {
  asio::steady_timer timer(executor, time);
  co_await timer.async_wait(asio::use_awaitable);
}

// ---- loading

asio::awaitable<Result<>> Catalogue::load_records() {
  bool all_read = true;
  for (std::string after;;) {
    CO_TRY_ASSIGN(auto records, co_await registry_.list(std::string(kPrefix), after, kLoadPage));
    for (const store::Record& record : records) {
      if (take_record(record)) continue;
      all_read = false;
    }
    if (records.size() < kLoadPage) break;
    after = records.back().key;
  }
  for (const auto& [key, entry] : entries_) {
    if (entry.unsettled()) start_settling(key, entry.attempt);
  }
  // Which package a record names that can't be read is not known, so then all stay.
  if (all_read) tasks_.spawn("collect packages", collect_packages());
  co_return Result<>();
}

bool Catalogue::take_record(const store::Record& record) {
  auto entry = entry_of(record);
  if (entry && record_key(entry->in_force.key) != record.key) entry = fail(Kind::invalid, "it is of another function");
  if (!entry) {
    log::error("the record {} is left alone: {}", record.key, entry.error().describe());
    return false;
  }
  entry->attempt = ++attempts_;
  FunctionKey key = entry->in_force.key;
  entries_.emplace(std::move(key), std::move(*entry));
  return true;
}

std::set<PackageDigest> Catalogue::packages_in_use() const {
  std::set<PackageDigest> digests;
  for (const auto& [key, entry] : entries_) {
    digests.insert(entry.in_force.package);
    digests.insert(entry.shown().package);
  }
  return digests;
}

asio::awaitable<void> Catalogue::collect_packages() {
  for (std::set<PackageDigest> before;;) {
    auto used = packages_in_use();
    before.insert(used.begin(), used.end());
    auto collected = co_await packages_.collect(std::exchange(before, std::move(used)));
    if (!collected) log::warn("unused packages could not be removed: {}", collected.error().describe());
    co_await pause(tasks_.executor(), kCollectEvery);
  }
}

// ---- reading

const Function* Catalogue::find(const FunctionKey& key) const {
  auto found = entries_.find(key);
  return found == entries_.end() ? nullptr : &found->second.in_force;
}

const Function* Catalogue::shown(const FunctionKey& key) const {
  auto found = entries_.find(key);
  return found == entries_.end() ? nullptr : &found->second.shown();
}

std::pair<Catalogue::Entries::const_iterator, Catalogue::Entries::const_iterator> Catalogue::of_account(
    const AccountId& account) const {
  auto first = entries_.lower_bound(FunctionKey{account, ""});
  auto last = first;
  while (last != entries_.end() && last->first.account == account) ++last;
  return {first, last};
}

std::vector<const Function*> Catalogue::list(const AccountId& account, const std::string& after, size_t limit) const {
  std::vector<const Function*> functions;
  auto at = after.empty() ? entries_.lower_bound(FunctionKey{account, ""})
                          : entries_.upper_bound(FunctionKey{account, after});
  for (; at != entries_.end() && at->first.account == account && functions.size() < limit; ++at) {
    functions.push_back(&at->second.shown());
  }
  return functions;
}

size_t Catalogue::count(const AccountId& account) const {
  auto [first, last] = of_account(account);
  return static_cast<size_t>(std::distance(first, last));
}

int64_t Catalogue::code_bytes(const AccountId& account) const {
  auto [first, last] = of_account(account);
  int64_t bytes = 0;
  for (; first != last; ++first) bytes += first->second.shown().code_size;
  return bytes;
}

// ---- changing

Result<> Catalogue::may_create(const FunctionKey& key) const {
  if (entries_.contains(key) || reserved_.contains(key)) return fail(Kind::conflict, "the name is taken: " + key.name);
  auto held = static_cast<size_t>(
      std::ranges::count_if(reserved_, [&](const FunctionKey& other) { return other.account == key.account; }));
  if (count(key.account) + held >= kMaxFunctions) {
    return fail(Kind::exhausted, fmt::format("an account holds at most {} functions", kMaxFunctions));
  }
  return {};
}

asio::awaitable<Result<Function>> Catalogue::create(Function function) {
  FunctionKey key = function.key;
  CO_TRY(may_create(key));
  Reservation reservation(reserved_, key);
  function.id = random_uuid();
  function.state = "Pending";
  function.state_reason = kBeingCreated;
  function.state_reason_code = kCreating;
  begin_update(function, clock_.wall());
  Entry entry;
  entry.in_force = std::move(function);
  CO_TRY_ASSIGN(std::string value, readable_value(key, entry));
  CO_TRY_ASSIGN(entry.version, co_await registry_.put(record_key(key), std::move(value), 0));
  entry.attempt = ++attempts_;
  Function created = entry.in_force;
  int64_t attempt = entry.attempt;
  entries_.insert_or_assign(key, std::move(entry));
  start_settling(key, attempt);
  co_return created;
}

// Changes the entry in the registry, then in memory. The registry's version decides between changes that race; the one
// that lost sees the other's outcome and is tried anew. A name that was deleted and created again can't be mistaken
// for the old one: its create was not even asked for while the old entry, checked here, still stood in memory.
asio::awaitable<Result<Entry>> Catalogue::commit(FunctionKey key, Edit edit) {
  for (int race = 0; race < kMaxRaces; ++race) {
    auto found = entries_.find(key);
    if (found == entries_.end()) co_return no_function(key);
    Entry next = found->second;
    CO_TRY(edit(next));
    CO_TRY_ASSIGN(std::string value, readable_value(key, next));
    auto version = co_await registry_.put(record_key(key), std::move(value), found->second.version);
    if (!version && version.error().kind == Kind::conflict) continue;
    if (!version) co_return std::unexpected(std::move(version).error());
    next.version = *version;
    found = entries_.find(key);
    if (found == entries_.end()) co_return no_function(key);  // removed right behind it
    found->second = next;
    co_return next;
  }
  co_return fail(Kind::internal, "the record of " + key.name + " is not what it was when it was read");
}

asio::awaitable<Result<Function>> Catalogue::update(FunctionKey key, std::string revision,
                                                    std::function<Result<>(Function&)> change) {
  int64_t attempt = ++attempts_;
  Edit edit = [this, attempt, revision = std::move(revision), change = std::move(change)](Entry& entry) -> Result<> {
    TRY(may_update(entry, revision));
    Function asked = entry.in_force;
    TRY(change(asked));
    if (asked.key != entry.in_force.key) return fail(Kind::internal, "an update changed the function's name");
    begin_update(asked, clock_.wall());
    entry.asked = std::move(asked);
    entry.attempt = attempt;
    return {};
  };
  CO_TRY_ASSIGN(Entry entry, co_await commit(key, std::move(edit)));
  start_settling(key, attempt);
  co_return entry.shown();
}

asio::awaitable<Result<Function>> Catalogue::annotate(FunctionKey key, std::function<Result<>(Function&)> change) {
  Edit edit = [change = std::move(change)](Entry& entry) -> Result<> {
    auto reserved = entry.in_force.reserved_concurrency;
    TRY(change(entry.in_force));
    if (entry.asked) TRY(change(*entry.asked));
    if (entry.in_force.reserved_concurrency == reserved) return {};
    entry.in_force.revision_id = random_uuid();
    if (entry.asked) entry.asked->revision_id = entry.in_force.revision_id;
    return {};
  };
  CO_TRY_ASSIGN(Entry entry, co_await commit(std::move(key), std::move(edit)));
  co_return entry.shown();
}

asio::awaitable<Result<>> Catalogue::remove(FunctionKey key) {
  if (!entries_.contains(key)) co_return no_function(key);
  CO_TRY(co_await registry_.remove(record_key(key), std::nullopt));
  entries_.erase(key);
  if (hooks_.on_deleted) hooks_.on_deleted(key);
  co_return Result<>();
}

asio::awaitable<Result<>> Catalogue::remove_all(AccountId account) {
  std::vector<FunctionKey> keys;
  for (auto [at, last] = of_account(account); at != last; ++at) keys.push_back(at->first);
  for (const FunctionKey& key : keys) {
    auto removed = co_await remove(key);
    if (!removed && removed.error().kind != Kind::not_found) co_return removed;
  }
  co_return Result<>();
}

// ---- what follows a create or an update

void Catalogue::start_settling(const FunctionKey& key, int64_t attempt) {
  tasks_.spawn("settle function " + key.name, settle(key, attempt));
}

asio::awaitable<Result<>> Catalogue::prepare(Function function) {
  if (!hooks_.prepare_network) co_return Result<>();
  for (int tries = 1;; ++tries) {
    auto prepared = co_await hooks_.prepare_network(function);
    if (prepared || prepared.error().kind != Kind::unavailable || tries == kMaxPrepares) co_return prepared;
    co_await pause(tasks_.executor(), kBetweenPrepares);
  }
}

asio::awaitable<void> Catalogue::settle(FunctionKey key, int64_t attempt) {
  auto found = entries_.find(key);
  if (found == entries_.end() || found->second.attempt != attempt) co_return;
  auto prepared = co_await prepare(found->second.shown());
  Edit edit = [key, attempt, prepared](Entry& entry) -> Result<> {
    if (entry.attempt != attempt) return no_function(key);  // deleted meanwhile; this is its successor
    if (prepared) {
      succeed(entry);
    } else {
      give_up(entry, prepared.error());
    }
    return {};
  };
  for (int tries = 1;; ++tries) {
    auto settled = co_await commit(key, edit);
    if (settled && prepared && hooks_.on_changed) hooks_.on_changed(settled->in_force);
    if (settled || settled.error().kind == Kind::not_found) co_return;
    log::error("function {} stays unsettled: {}", key.name, settled.error().describe());
    if (tries == kMaxSettles) co_return;  // the next start takes it up
    co_await pause(tasks_.executor(), kBetweenSettles);
  }
}

}  // namespace

// What is handed over outlives the catalogue.
// NOLINTBEGIN(*-reference-coroutine-parameters)
asio::awaitable<Result<std::unique_ptr<Functions>>> Functions::load(store::Registry& registry, Packages& packages,
                                                                    const Clock& clock, TaskGroup& tasks, Hooks hooks) {
  // NOLINTEND(*-reference-coroutine-parameters)
  auto catalogue = std::make_unique<Catalogue>(registry, packages, clock, tasks, std::move(hooks));
  CO_TRY(co_await catalogue->load_records());
  co_return catalogue;
}

int64_t reserved_concurrency(const Functions& functions, const AccountId& account, std::string_view except) {
  int64_t sum = 0;
  for (const Function* function : functions.list(account, "", Functions::kMaxFunctions)) {
    if (function->key.name != except) sum += function->reserved_concurrency.value_or(0);
  }
  return sum;
}

}  // namespace hearth::runtime
