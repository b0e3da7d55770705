#include "runtime/functions.h"

#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/redirect_error.hpp>

#include "runtime/memory_registry_test.h"

namespace hearth::runtime {
namespace {

namespace asio = boost::asio;

const AccountId kAccount("000000000000");

struct CountingPackages final : Packages {
  asio::awaitable<Result<PackageInfo>> add(std::string) override { co_return fail(Kind::internal, "not asked for"); }
  asio::awaitable<Result<std::string>> zip_of(PackageDigest) override {
    co_return fail(Kind::internal, "not asked for");
  }
  asio::awaitable<Result<>> collect(std::set<PackageDigest> used) override {
    collected.push_back(std::move(used));
    co_return Result<>();
  }
  std::vector<std::set<PackageDigest>> collected;
};

// Answers what the test says, when the test says.
class Network {
 public:
  explicit Network(asio::any_io_executor executor) : changed_(executor, asio::steady_timer::time_point::max()) {}
  void answer(Result<> result) {
    answers_.push_back(std::move(result));
    changed_.cancel();
  }
  asio::awaitable<Result<>> prepare(Function function) {
    asked.push_back(function);
    while (answers_.empty()) {
      boost::system::error_code ignored;
      co_await changed_.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
    }
    auto result = answers_.front();
    answers_.erase(answers_.begin());
    co_return result;
  }
  std::vector<Function> asked;

 private:
  asio::steady_timer changed_;
  std::vector<Result<>> answers_;
};

class FunctionsTest : public testing::Test {
 protected:
  void SetUp() override { load(); }
  void TearDown() override { stop(); }

  void load() {
    tasks_.emplace(loop_.get_executor());
    Functions::Hooks hooks;
    hooks.prepare_network = [this](Function function) { return network_.prepare(std::move(function)); };
    hooks.on_changed = [this](const Function& function) { changed_.push_back(function.package.str()); };
    hooks.on_deleted = [this](const FunctionKey& key) { deleted_.push_back(key.name); };
    auto loaded = run(Functions::load(registry_, packages_, clock_, *tasks_, hooks));
    load_error_ = loaded ? "" : loaded.error().message;
    functions_ = loaded ? *std::move(loaded) : nullptr;
  }
  void stop() {
    tasks_->stop();
    asio::co_spawn(loop_, tasks_->join(), [](std::exception_ptr) {});
    registry_.release();
    loop_.restart();
    loop_.run();
    functions_.reset();
    tasks_.reset();
  }

  // All that can go on now.
  void settle() {
    loop_.restart();
    loop_.poll();
  }
  // Starts the call; its outcome comes when it can.
  template <typename T>
  std::shared_ptr<std::optional<T>> start(asio::awaitable<T> call) {
    auto outcome = std::make_shared<std::optional<T>>();
    asio::co_spawn(loop_, std::move(call), [outcome](std::exception_ptr exception, T value) {
      if (exception) std::rethrow_exception(exception);
      outcome->emplace(std::move(value));
    });
    settle();
    return outcome;
  }
  template <typename T>
  T run(asio::awaitable<T> call) {
    auto outcome = start(std::move(call));
    return std::move(*outcome).value();
  }

  static Function wanted(const std::string& name, const std::string& package = "p1") {
    Function function;
    function.key = {kAccount, name};
    function.region = "us-east-1";
    function.package = PackageDigest(package);
    function.code_size = 10;
    return function;
  }
  static FunctionKey key(const std::string& name) { return {kAccount, name}; }
  static std::function<Result<>(Function&)> to_package(const std::string& package) {
    return [package](Function& function) -> Result<> {
      function.package = PackageDigest(package);
      return {};
    };
  }
  Result<Function> create(const std::string& name) { return run(functions_->create(wanted(name))); }
  Result<Function> update(const std::string& name, const std::string& package, const std::string& revision = "") {
    return run(functions_->update(key(name), revision, to_package(package)));
  }
  void create_active(const std::string& name) {
    create(name).value();
    network_.answer({});
    settle();
    ASSERT_EQ(functions_->find(key(name))->state, "Active");
  }
  const Function& in_force(const std::string& name) { return *functions_->find(key(name)); }
  const Function& shown(const std::string& name) { return *functions_->shown(key(name)); }

  asio::io_context loop_;
  SystemClock clock_;
  CountingPackages packages_;
  MemoryRegistry registry_{loop_.get_executor()};
  Network network_{loop_.get_executor()};
  std::optional<TaskGroup> tasks_;
  std::unique_ptr<Functions> functions_;
  std::string load_error_;
  std::vector<std::string> changed_;
  std::vector<std::string> deleted_;
};

TEST_F(FunctionsTest, CreateIsPendingThenActive) {
  auto created = create("f").value();
  EXPECT_EQ(created.state, "Pending");
  EXPECT_EQ(created.state_reason_code, "Creating");
  EXPECT_EQ(created.state_reason, "The function is being created.");
  EXPECT_EQ(in_force("f").state, "Pending");
  ASSERT_EQ(network_.asked.size(), 1u);
  network_.answer({});
  settle();
  EXPECT_EQ(in_force("f").state, "Active");
  EXPECT_EQ(in_force("f").state_reason, "");
  EXPECT_EQ(in_force("f").last_update_status, "Successful");
  EXPECT_NE(in_force("f").revision_id, created.revision_id);
  EXPECT_EQ(in_force("f").last_modified, created.last_modified);
  EXPECT_EQ(changed_, std::vector<std::string>{"p1"});
}

TEST_F(FunctionsTest, ACreateWhoseNetworkFailsIsFailedWithTheReason) {
  create("f").value();
  network_.answer(fail(Kind::exhausted, "no free addresses"));
  settle();
  EXPECT_EQ(in_force("f").state, "Failed");
  EXPECT_EQ(in_force("f").state_reason, "no free addresses");
  EXPECT_EQ(in_force("f").state_reason_code, "SubnetOutOfIPAddresses");
  EXPECT_TRUE(changed_.empty());
  update("f", "p2").value();
  network_.answer({});
  settle();
  EXPECT_EQ(in_force("f").state, "Active") << "an update repairs it";
}

TEST_F(FunctionsTest, NothingIsSeenBeforeItIsDurable) {
  registry_.hold();
  auto creating = start(functions_->create(wanted("f")));
  EXPECT_FALSE(*creating);
  EXPECT_EQ(functions_->find(key("f")), nullptr);
  EXPECT_EQ(functions_->count(kAccount), 0u);
  EXPECT_EQ(create("f").error().kind, Kind::conflict) << "the name is held meanwhile";
  registry_.release();
  settle();
  EXPECT_TRUE((*creating)->has_value());
  EXPECT_NE(functions_->find(key("f")), nullptr);
}

TEST_F(FunctionsTest, AFailedCommitChangesNothing) {
  registry_.fail_changes(1, Kind::exhausted);
  EXPECT_EQ(create("f").error().kind, Kind::exhausted);
  EXPECT_EQ(functions_->find(key("f")), nullptr);
  create_active("f");
  auto revision = in_force("f").revision_id;
  registry_.fail_changes(2, Kind::exhausted);
  EXPECT_EQ(update("f", "p2").error().kind, Kind::exhausted);
  EXPECT_EQ(run(functions_->remove(key("f"))).error().kind, Kind::exhausted);
  EXPECT_EQ(shown("f").package.str(), "p1");
  EXPECT_EQ(shown("f").revision_id, revision);
  EXPECT_TRUE(deleted_.empty());
}

TEST_F(FunctionsTest, RefusesATakenNameAndAnUnknownOne) {
  create_active("f");
  EXPECT_EQ(create("f").error().kind, Kind::conflict);
  EXPECT_EQ(update("g", "p").error().kind, Kind::not_found);
  EXPECT_EQ(run(functions_->annotate(key("g"), to_package("p"))).error().kind, Kind::not_found);
  EXPECT_EQ(run(functions_->remove(key("g"))).error().kind, Kind::not_found);
}

TEST_F(FunctionsTest, AnUpdateKeepsTheOldInForceUntilTheNewIsPrepared) {
  create_active("f");
  auto before = in_force("f").revision_id;
  auto updated = update("f", "p2").value();
  EXPECT_EQ(updated.last_update_status, "InProgress");
  EXPECT_EQ(updated.package.str(), "p2");
  EXPECT_EQ(in_force("f").package.str(), "p1");
  EXPECT_EQ(shown("f").package.str(), "p2");
  EXPECT_EQ(shown("f").state, "Active");
  EXPECT_EQ(network_.asked.back().package.str(), "p2");
  EXPECT_NE(updated.revision_id, before);
  changed_.clear();
  network_.answer({});
  settle();
  EXPECT_EQ(in_force("f").package.str(), "p2");
  EXPECT_EQ(in_force("f").last_update_status, "Successful");
  EXPECT_NE(in_force("f").revision_id, updated.revision_id);
  EXPECT_EQ(changed_, std::vector<std::string>{"p2"});
}

TEST_F(FunctionsTest, AFailedUpdateLeavesTheOldInForce) {
  create_active("f");
  changed_.clear();
  update("f", "p2").value();
  network_.answer(fail(Kind::not_found, "no subnet"));
  settle();
  EXPECT_EQ(in_force("f").package.str(), "p1");
  EXPECT_EQ(shown("f").package.str(), "p1");
  EXPECT_EQ(shown("f").state, "Active");
  EXPECT_EQ(shown("f").last_update_status, "Failed");
  EXPECT_EQ(shown("f").last_update_reason, "no subnet");
  EXPECT_EQ(shown("f").last_update_reason_code, "InvalidSubnet");
  EXPECT_TRUE(changed_.empty());
  EXPECT_TRUE(update("f", "p3"));
}

TEST_F(FunctionsTest, AChangeUnderWayRefusesAnother) {
  create("f").value();
  EXPECT_EQ(update("f", "p2").error().kind, Kind::conflict) << "Pending";
  network_.answer({});
  settle();
  update("f", "p2").value();
  EXPECT_EQ(update("f", "p3").error().kind, Kind::conflict) << "InProgress";
}

TEST_F(FunctionsTest, OfTwoUpdatesAtOnceOneIsRefused) {
  create_active("f");
  registry_.hold();
  auto first = start(functions_->update(key("f"), "", to_package("p2")));
  auto second = start(functions_->update(key("f"), "", to_package("p3")));
  registry_.release();
  settle();
  EXPECT_TRUE((*first)->has_value());
  EXPECT_EQ((*second)->error().kind, Kind::conflict);
  EXPECT_EQ(shown("f").package.str(), "p2");
}

TEST_F(FunctionsTest, AnUpdateOfAnotherRevisionIsDenied) {
  create_active("f");
  EXPECT_EQ(update("f", "p2", "00000000-0000-0000-0000-000000000000").error().kind, Kind::denied);
  EXPECT_EQ(shown("f").package.str(), "p1");
  EXPECT_TRUE(update("f", "p2", in_force("f").revision_id));
}

TEST_F(FunctionsTest, ARefusingChangeChangesNothing) {
  create_active("f");
  auto refuse = [](Function& function) -> Result<> {
    function.handler = "half";
    return fail(Kind::invalid, "no");
  };
  auto revision = shown("f").revision_id;
  EXPECT_EQ(run(functions_->update(key("f"), "", refuse)).error().kind, Kind::invalid);
  EXPECT_EQ(run(functions_->annotate(key("f"), refuse)).error().kind, Kind::invalid);
  EXPECT_EQ(shown("f").handler, "");
  EXPECT_EQ(shown("f").revision_id, revision);
}

TEST_F(FunctionsTest, TagsKeepTheRevisionAndConcurrencyChangesIt) {
  create_active("f");
  auto revision = in_force("f").revision_id;
  auto tag = [](Function& function) -> Result<> {
    function.tags["team"] = "a";
    return {};
  };
  auto limit = [](Function& function) -> Result<> {
    function.reserved_concurrency = 1;
    return {};
  };
  run(functions_->annotate(key("f"), tag)).value();
  EXPECT_EQ(in_force("f").tags.at("team"), "a");
  EXPECT_EQ(in_force("f").revision_id, revision);
  run(functions_->annotate(key("f"), limit)).value();
  EXPECT_EQ(in_force("f").reserved_concurrency, 1);
  EXPECT_NE(in_force("f").revision_id, revision);
}

TEST_F(FunctionsTest, AnAnnotationDuringAnUpdateHoldsBeforeAndAfterIt) {
  create_active("f");
  update("f", "p2").value();
  auto limit = [](Function& function) -> Result<> {
    function.reserved_concurrency = 3;
    return {};
  };
  run(functions_->annotate(key("f"), limit)).value();
  EXPECT_EQ(in_force("f").reserved_concurrency, 3);
  EXPECT_EQ(in_force("f").package.str(), "p1");
  network_.answer({});
  settle();
  EXPECT_EQ(in_force("f").reserved_concurrency, 3);
  EXPECT_EQ(in_force("f").package.str(), "p2");
}

TEST_F(FunctionsTest, AnnotationsThatRaceAllHold) {
  create_active("f");
  registry_.hold();
  std::vector<std::shared_ptr<std::optional<Result<Function>>>> outcomes;
  for (int i = 0; i < 10; ++i) {
    auto tag = [i](Function& function) -> Result<> {
      function.tags[std::to_string(i)] = "x";
      return {};
    };
    outcomes.push_back(start(functions_->annotate(key("f"), tag)));
  }
  registry_.release();
  settle();
  for (const auto& outcome : outcomes) EXPECT_TRUE((*outcome)->has_value());
  EXPECT_EQ(in_force("f").tags.size(), 10u);
}

TEST_F(FunctionsTest, RemoveDuringAnUpdateEndsIt) {
  create_active("f");
  update("f", "p2").value();
  EXPECT_TRUE(run(functions_->remove(key("f"))));
  EXPECT_EQ(functions_->shown(key("f")), nullptr);
  EXPECT_EQ(deleted_, std::vector<std::string>{"f"});
  changed_.clear();
  network_.answer({});
  settle();
  EXPECT_EQ(functions_->find(key("f")), nullptr);
  EXPECT_TRUE(registry_.records.empty());
  EXPECT_TRUE(changed_.empty());
}

TEST_F(FunctionsTest, AFunctionCreatedAgainIsNotSettledByItsForerunner) {
  create("f").value();
  EXPECT_TRUE(run(functions_->remove(key("f"))));
  run(functions_->create(wanted("f", "p2"))).value();
  ASSERT_EQ(network_.asked.size(), 2u);
  network_.answer(fail(Kind::invalid, "the first one's network is bad"));
  settle();
  EXPECT_EQ(shown("f").state, "Pending");
  network_.answer({});
  settle();
  EXPECT_EQ(shown("f").state, "Active");
  EXPECT_EQ(shown("f").package.str(), "p2");
}

TEST_F(FunctionsTest, ARestartTakesUpWhatWasUnderWay) {
  create_active("updating");
  update("updating", "p2").value();
  create("pending").value();
  stop();
  load();
  EXPECT_EQ(in_force("updating").package.str(), "p1");
  EXPECT_EQ(shown("updating").last_update_status, "InProgress");
  EXPECT_EQ(shown("pending").state, "Pending");
  network_.answer({});
  network_.answer({});
  settle();
  EXPECT_EQ(in_force("updating").package.str(), "p2");
  EXPECT_EQ(in_force("updating").last_update_status, "Successful");
  EXPECT_EQ(in_force("pending").state, "Active");
}

TEST_F(FunctionsTest, AFunctionsIdStaysForItsLifeOnly) {
  create_active("f");
  const auto id = in_force("f").id;
  EXPECT_FALSE(id.empty());
  update("f", "p2").value();
  network_.answer({});
  settle();
  EXPECT_EQ(in_force("f").package.str(), "p2");
  EXPECT_EQ(in_force("f").id, id);
  stop();
  load();
  EXPECT_EQ(in_force("f").id, id);
  run(functions_->remove(key("f"))).value();
  create_active("f");
  EXPECT_NE(in_force("f").id, id);
}

TEST_F(FunctionsTest, ALoadOfMoreThanOnePageFindsAll) {
  for (int i = 0; i < 1203; ++i) {
    create("f" + std::to_string(i)).value();
    network_.answer({});
  }
  settle();
  stop();
  load();
  EXPECT_EQ(functions_->count(kAccount), 1203u);
}

TEST_F(FunctionsTest, ALoadLeavesARecordAloneThatItCannotRead) {
  create_active("good");
  const std::string bad = R"({"function":{"name":"bad"}})";
  registry_.records["function/000000000000/bad"] = {"function/000000000000/bad", bad, 1};
  stop();
  packages_.collected.clear();
  load();
  ASSERT_NE(functions_, nullptr) << load_error_;
  EXPECT_EQ(functions_->count(kAccount), 1u);
  EXPECT_EQ(in_force("good").state, "Active");
  EXPECT_EQ(registry_.records["function/000000000000/bad"].value, bad);
  EXPECT_EQ(create("bad").error().kind, Kind::conflict);
  EXPECT_TRUE(packages_.collected.empty());  // one of them may be the bad record's
}

TEST_F(FunctionsTest, ARecordThatCouldNotBeReadAgainIsNotMade) {
  Function wide = wanted("wide");
  wide.role = std::string(kMaxFunctionText + 1, 'r');
  EXPECT_EQ(run(functions_->create(wide)).error().kind, Kind::invalid);
  Function odd = wanted("odd");
  odd.description = "\xff";
  EXPECT_EQ(run(functions_->create(odd)).error().kind, Kind::invalid);
  create_active("f");
  auto widen = [](Function& function) -> Result<> {
    function.role = std::string(kMaxFunctionText + 1, 'r');
    return {};
  };
  EXPECT_EQ(run(functions_->update(key("f"), "", widen)).error().kind, Kind::invalid);
  EXPECT_EQ(registry_.records.size(), 1u);
  EXPECT_EQ(shown("f").last_update_status, "Successful");
}

TEST_F(FunctionsTest, AReasonIsCutBetweenCharacters) {
  create("f").value();
  network_.answer(fail(Kind::invalid, std::string(1023, 'r') + "\xc3\xa9"));
  settle();
  EXPECT_EQ(in_force("f").state, "Failed");
  stop();
  load();
  ASSERT_NE(functions_, nullptr) << load_error_;
  EXPECT_EQ(in_force("f").state_reason, std::string(1023, 'r'));
}

TEST_F(FunctionsTest, AnUnavailableNetworkIsAskedAgain) {
  create("f").value();
  network_.answer(fail(Kind::unavailable, "the warden restarts"));
  network_.answer(fail(Kind::unavailable, "the warden restarts"));
  network_.answer({});
  auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (in_force("f").state == "Pending" && std::chrono::steady_clock::now() < give_up) {
    loop_.restart();
    loop_.run_one_for(std::chrono::seconds(1));
  }
  EXPECT_EQ(in_force("f").state, "Active");
  EXPECT_EQ(network_.asked.size(), 3u);
}

TEST_F(FunctionsTest, AnActivationThatCannotBeRecordedIsTriedAgain) {
  create("f").value();
  registry_.fail_changes(1, Kind::exhausted);
  network_.answer({});
  settle();
  EXPECT_EQ(in_force("f").state, "Pending");
  auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (in_force("f").state == "Pending" && std::chrono::steady_clock::now() < give_up) {
    loop_.restart();
    loop_.run_one_for(std::chrono::seconds(1));
  }
  EXPECT_EQ(in_force("f").state, "Active");
  EXPECT_EQ(network_.asked.size(), 1u) << "the network was ready already";
}

TEST_F(FunctionsTest, ListsAnAccountsFunctionsInPages) {
  for (const char* name : {"b", "a", "c"}) create(name).value();
  auto other = wanted("a");
  other.key.account = AccountId("111111111111");
  run(functions_->create(other)).value();
  auto names = [&](const std::string& after, size_t limit) {
    std::string text;
    for (const Function* function : functions_->list(kAccount, after, limit)) text += function->key.name;
    return text;
  };
  EXPECT_EQ(names("", 10), "abc");
  EXPECT_EQ(names("", 2), "ab");
  EXPECT_EQ(names("b", 2), "c");
  EXPECT_EQ(names("aa", 2), "bc");
  EXPECT_EQ(functions_->count(kAccount), 3u);
  EXPECT_EQ(functions_->code_bytes(kAccount), 30);
  EXPECT_TRUE(run(functions_->remove_all(kAccount)));
  EXPECT_EQ(functions_->count(kAccount), 0u);
  EXPECT_EQ(functions_->count(other.key.account), 1u) << "another account's stay";
  EXPECT_EQ(deleted_, (std::vector<std::string>{"a", "b", "c"}));
}

TEST_F(FunctionsTest, AnAccountHoldsSoManyAndNoMore) {
  // Put beneath the catalogue, since creating them one by one is not what is tested here.
  create("f").value();
  auto record = registry_.records.begin()->second;
  for (size_t i = 1; i < Functions::kMaxFunctions; ++i) {
    auto name = "f" + std::to_string(i);
    auto copy = record;
    copy.key = "function/000000000000/" + name;
    copy.value.replace(copy.value.find("\"name\":\"f\""), 10, "\"name\":\"" + name + "\"");
    registry_.records[copy.key] = copy;
  }
  stop();
  load();
  ASSERT_EQ(functions_->count(kAccount), Functions::kMaxFunctions);
  EXPECT_EQ(create("one-more").error().kind, Kind::exhausted);
  EXPECT_TRUE(run(functions_->remove(key("f7"))));
  EXPECT_TRUE(create("one-more"));
}

TEST_F(FunctionsTest, PackagesInForceAndAskedForAreKept) {
  create_active("f");
  update("f", "p2").value();
  stop();
  packages_.collected.clear();
  load();
  ASSERT_EQ(packages_.collected.size(), 1u);
  EXPECT_EQ(packages_.collected[0], (std::set<PackageDigest>{PackageDigest("p1"), PackageDigest("p2")}));
}

}  // namespace
}  // namespace hearth::runtime
