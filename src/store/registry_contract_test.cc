// What every Registry must do, whatever it stands on.
#include <gtest/gtest.h>

#include "store/store_under_test.h"

namespace hearth::store {
namespace {

class RegistryContract : public testing::TestWithParam<Implementation> {
 protected:
  Result<int64_t> put(const std::string& key, const std::string& value, std::optional<int64_t> expected = {}) {
    return run(backend_->loop, backend_->registry().put(key, value, expected));
  }
  Result<Record> get(const std::string& key) { return run(backend_->loop, backend_->registry().get(key)); }
  Result<> remove(const std::string& key, std::optional<int64_t> expected = {}) {
    return run(backend_->loop, backend_->registry().remove(key, expected));
  }
  std::vector<std::string> keys(const std::string& prefix, const std::string& after = "", size_t limit = 100) {
    std::vector<std::string> keys;
    auto listed = run(backend_->loop, backend_->registry().list(prefix, after, limit));
    for (const auto& record : listed.value()) keys.push_back(record.key);
    return keys;
  }

  std::unique_ptr<Backend> backend_ = GetParam().make();
};

template <typename T>
Kind kind_of(const Result<T>& result) {
  EXPECT_FALSE(result.has_value());
  return result ? Kind::internal : result.error().kind;
}

using Texts = std::vector<std::string>;

TEST_P(RegistryContract, EveryChangeRaisesTheVersion) {
  EXPECT_EQ(*put("a", "one"), 1);
  EXPECT_EQ(*put("a", "two"), 2);
  EXPECT_EQ(*put("b", "other"), 1);
  auto record = get("a");
  EXPECT_EQ(record->value, "two");
  EXPECT_EQ(record->version, 2);
  EXPECT_EQ(kind_of(get("c")), Kind::not_found);
}

TEST_P(RegistryContract, PutComparesTheVersion) {
  EXPECT_EQ(kind_of(put("a", "x", 1)), Kind::conflict);
  EXPECT_EQ(*put("a", "x", 0), 1);
  EXPECT_EQ(kind_of(put("a", "y", 0)), Kind::conflict);
  EXPECT_EQ(kind_of(put("a", "y", 2)), Kind::conflict);
  EXPECT_EQ(get("a")->value, "x");
  EXPECT_EQ(*put("a", "y", 1), 2);
}

TEST_P(RegistryContract, RemoveComparesTheVersionAndStartsAnew) {
  put("a", "x").value();
  EXPECT_EQ(kind_of(remove("a", 7)), Kind::conflict);
  EXPECT_TRUE(get("a"));
  EXPECT_TRUE(remove("a", 1));
  EXPECT_EQ(kind_of(remove("a")), Kind::not_found);
  EXPECT_EQ(kind_of(remove("a", 1)), Kind::not_found);
  EXPECT_EQ(*put("a", "z", 0), 1);
}

TEST_P(RegistryContract, OfChangesThatExpectTheSameVersionOneWins) {
  std::vector<boost::asio::awaitable<Result<int64_t>>> calls;
  for (int i = 0; i < 20; ++i) calls.push_back(backend_->registry().put("a", std::to_string(i), 0));
  int won = 0;
  for (const auto& outcome : run_all(backend_->loop, std::move(calls))) {
    if (outcome) {
      ++won;
    } else {
      EXPECT_EQ(outcome.error().kind, Kind::conflict);
    }
  }
  EXPECT_EQ(won, 1);
  EXPECT_EQ(get("a")->version, 1);
}

TEST_P(RegistryContract, ListsByPrefixInPages) {
  for (const char* key : {"f/1/b", "f/1/a", "f/10/a", "f/2/a", "g", "f/1/\xff"}) put(key, "v").value();
  EXPECT_EQ(keys("f/1/"), (Texts{"f/1/a", "f/1/b", "f/1/\xff"}));
  EXPECT_EQ(keys("f/1/", "", 1), (Texts{"f/1/a"}));
  EXPECT_EQ(keys("f/1/", "f/1/a", 1), (Texts{"f/1/b"}));
  EXPECT_EQ(keys("f/1/", "f/1/aa"), (Texts{"f/1/b", "f/1/\xff"}));
  EXPECT_EQ(keys("", "f/2/a"), (Texts{"g"}));
  EXPECT_EQ(keys("nothing/"), Texts{});
  EXPECT_EQ(keys("f/1/", "", 0), Texts{});
}

TEST_P(RegistryContract, KeepsAnyBytesInAValue) {
  std::string value("a\0b\xff\"'\n", 7);
  put("a", value).value();
  put("empty", "").value();
  EXPECT_EQ(get("a")->value, value);
  EXPECT_EQ(get("empty")->value, "");
}

TEST_P(RegistryContract, RefusesWhatIsOverItsLimits) {
  EXPECT_TRUE(put(std::string(Registry::kMaxKey, 'k'), "v"));
  EXPECT_EQ(kind_of(put(std::string(Registry::kMaxKey + 1, 'k'), "v")), Kind::invalid);
  EXPECT_TRUE(put("big", std::string(Registry::kMaxValue, 'v')));
  EXPECT_EQ(kind_of(put("big", std::string(Registry::kMaxValue + 1, 'v'))), Kind::invalid);
  EXPECT_EQ(get("big")->version, 1);
  EXPECT_EQ(kind_of(put("", "v")), Kind::invalid);
  EXPECT_EQ(kind_of(put(std::string("a\0b", 3), "v")), Kind::invalid);
}

TEST_P(RegistryContract, ListAnswersAtMostOnePage) {
  std::vector<boost::asio::awaitable<Result<int64_t>>> calls;
  for (size_t i = 0; i < Registry::kMaxPage + 1; ++i) {
    calls.push_back(backend_->registry().put("k/" + std::to_string(i), "", 0));
  }
  for (const auto& outcome : run_all(backend_->loop, std::move(calls))) EXPECT_TRUE(outcome);
  EXPECT_EQ(keys("k/", "", 1'000'000).size(), Registry::kMaxPage);
}

TEST_P(RegistryContract, WhatWasAnsweredIsThereAfterwards) {
  put("a", "one").value();
  put("a", "two").value();
  put("b", "x").value();
  remove("b").value();
  backend_->reopen();
  EXPECT_EQ(get("a")->value, "two");
  EXPECT_EQ(get("a")->version, 2);
  EXPECT_EQ(kind_of(get("b")), Kind::not_found);
}

INSTANTIATE_TEST_SUITE_P(Implementations, RegistryContract, testing::Values(kSqlite),
                         [](const auto& tested) { return tested.param.name; });

}  // namespace
}  // namespace hearth::store
