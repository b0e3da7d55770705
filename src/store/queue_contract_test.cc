// What every Queue must do, whatever it stands on.
#include <gtest/gtest.h>

#include "store/store_under_test.h"

namespace hearth::store {
namespace {

using std::chrono::milliseconds;

class QueueContract : public testing::TestWithParam<Implementation> {
 protected:
  Result<int64_t> enqueue(const std::string& body, const std::string& queue = "q") {
    return run(backend_->loop, backend_->queue().enqueue(queue, body));
  }
  std::vector<QueueItem> lease(size_t limit = 100, milliseconds for_time = milliseconds(1000),
                               const std::string& queue = "q") {
    return run(backend_->loop, backend_->queue().lease(queue, limit, for_time)).value();
  }
  Result<> acknowledge(int64_t id) { return run(backend_->loop, backend_->queue().acknowledge(id)); }
  Result<> retry_later(int64_t id, milliseconds delay) {
    return run(backend_->loop, backend_->queue().retry_later(id, delay));
  }
  void pass(int64_t ms) { backend_->clock.now += milliseconds(ms); }

  std::unique_ptr<Backend> backend_ = GetParam().make();
};

std::vector<std::string> bodies(const std::vector<QueueItem>& items) {
  std::vector<std::string> texts;
  for (const auto& item : items) texts.push_back(item.body);
  return texts;
}

using Texts = std::vector<std::string>;

TEST_P(QueueContract, LeasesOldestFirstAndEachOnce) {
  auto first_at = backend_->clock.now;
  for (const char* body : {"a", "b", "c"}) {
    enqueue(body).value();
    pass(1);
  }
  auto items = lease(2);
  EXPECT_EQ(bodies(items), (Texts{"a", "b"}));
  EXPECT_EQ(items[0].enqueued_at, first_at);
  EXPECT_EQ(items[0].attempts, 0);
  EXPECT_EQ(bodies(lease()), (Texts{"c"}));
  EXPECT_EQ(bodies(lease()), Texts{});
}

TEST_P(QueueContract, AnItemWhoseLeaseEndedIsLeasedAgain) {
  enqueue("a").value();
  lease(1, milliseconds(1000));
  pass(999);
  EXPECT_TRUE(lease().empty());
  pass(1);
  auto again = lease();
  ASSERT_EQ(bodies(again), (Texts{"a"}));
  EXPECT_EQ(again[0].attempts, 1);
}

TEST_P(QueueContract, AnAcknowledgedItemIsGone) {
  auto id = enqueue("a").value();
  lease();
  EXPECT_TRUE(acknowledge(id));
  pass(100'000);
  EXPECT_TRUE(lease().empty());
  EXPECT_EQ(acknowledge(id).error().kind, Kind::not_found);
  EXPECT_EQ(retry_later(id, milliseconds(1)).error().kind, Kind::not_found);
}

TEST_P(QueueContract, AnItemPutOffComesWhenItsDelayIsOver) {
  auto id = enqueue("a").value();
  lease(1, milliseconds(10));
  EXPECT_TRUE(retry_later(id, milliseconds(60'000)));
  pass(59'999);
  EXPECT_TRUE(lease().empty());
  pass(1);
  auto items = lease();
  ASSERT_EQ(items.size(), 1u);
  EXPECT_EQ(items[0].id, id);
  EXPECT_EQ(items[0].attempts, 1);
}

TEST_P(QueueContract, QueuesAreApartAndClearEmptiesOne) {
  auto leased = enqueue("a").value();
  lease();
  enqueue("b").value();
  enqueue("c", "other").value();
  EXPECT_TRUE(run(backend_->loop, backend_->queue().clear("q")));
  pass(100'000);
  EXPECT_TRUE(lease().empty());
  EXPECT_EQ(acknowledge(leased).error().kind, Kind::not_found);
  EXPECT_EQ(bodies(lease(100, milliseconds(1), "other")), (Texts{"c"}));
}

TEST_P(QueueContract, QueuesThatHoldItemsAreNamed) {
  auto names = [&](const std::string& prefix) { return run(backend_->loop, backend_->queue().names(prefix)).value(); };
  EXPECT_EQ(names(""), Texts{});
  auto only = enqueue("x", "a/1").value();
  enqueue("x", "a/2").value();
  enqueue("x", "b%").value();
  EXPECT_EQ(names("a/"), (Texts{"a/1", "a/2"}));
  EXPECT_EQ(names("%"), Texts{});
  lease(1, milliseconds(1000), "a/2");
  acknowledge(only).value();
  EXPECT_EQ(names(""), (Texts{"a/2", "b%"}));
}

TEST_P(QueueContract, AFullQueueRefusesUntilAnItemLeaves) {
  std::vector<int64_t> ids;
  for (int64_t i = 0; i < Backend::kItems; ++i) ids.push_back(enqueue("x").value());
  EXPECT_EQ(enqueue("one more").error().kind, Kind::exhausted);
  EXPECT_TRUE(enqueue("elsewhere", "other"));
  EXPECT_TRUE(acknowledge(ids[3]));
  EXPECT_TRUE(enqueue("fits"));
  EXPECT_EQ(enqueue("one more").error().kind, Kind::exhausted);
  EXPECT_TRUE(run(backend_->loop, backend_->queue().clear("q")));
  EXPECT_TRUE(enqueue("fits again"));
}

TEST_P(QueueContract, RefusesABodyOverItsLimit) {
  EXPECT_EQ(enqueue(std::string(Queue::kMaxBody + 1, 'x')).error().kind, Kind::invalid);
  std::string body(Queue::kMaxBody, '\0');
  enqueue(body).value();
  EXPECT_EQ(bodies(lease()), (Texts{body}));
  EXPECT_EQ(enqueue("x", "").error().kind, Kind::invalid);
}

TEST_P(QueueContract, ItemsLeasesAndAttemptsSurvive) {
  enqueue("done").value();
  enqueue("leased").value();
  acknowledge(lease(1)[0].id).value();
  lease(1, milliseconds(1000));
  enqueue("waiting").value();
  backend_->reopen();
  EXPECT_EQ(bodies(lease(100, milliseconds(5000))), (Texts{"waiting"}));
  pass(1000);
  auto items = lease();
  ASSERT_EQ(bodies(items), (Texts{"leased"}));
  EXPECT_EQ(items[0].attempts, 1);
}

INSTANTIATE_TEST_SUITE_P(Implementations, QueueContract, testing::Values(kSqlite),
                         [](const auto& tested) { return tested.param.name; });

}  // namespace
}  // namespace hearth::store
