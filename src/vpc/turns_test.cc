#include "vpc/turns.h"

#include <gtest/gtest.h>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace hearth::vpc {
namespace {

namespace asio = boost::asio;

const AccountId kOurs("111111111111");
const AccountId kTheirs("222222222222");

class TurnsTest : public ::testing::Test {
 protected:
  // Takes a turn, notes it, and gives it back after `pause` rounds of the loop.
  static asio::awaitable<void> visit(TurnsTest* test, AccountId account, std::string name, int pause) {
    auto turn = co_await test->turns.take(account);
    if (!turn) {
      test->order += "!" + name + " ";
      co_return;
    }
    test->order += name + " ";
    for (int i = 0; i < pause; ++i) co_await asio::post(co_await asio::this_coro::executor, asio::use_awaitable);
    test->order += "/" + name + " ";
  }
  static void rethrow(std::exception_ptr error) {
    if (error) std::rethrow_exception(error);
  }
  void start(AccountId account, std::string name, int pause = 3) {
    asio::co_spawn(loop, visit(this, account, name, pause), rethrow);
  }

  asio::io_context loop;
  Turns turns;
  std::string order;
};

TEST_F(TurnsTest, OneAfterTheOtherInOrder) {
  start(kOurs, "a");
  start(kOurs, "b");
  start(kOurs, "c");
  loop.run();
  EXPECT_EQ(order, "a /a b /b c /c ");
}

TEST_F(TurnsTest, AccountsDoNotWaitForEachOther) {
  start(kOurs, "a", 50);
  start(kTheirs, "b", 1);
  loop.run();
  EXPECT_EQ(order, "a b /b /a ");
}

TEST_F(TurnsTest, ACancelledWaitLeavesTheLine) {
  asio::cancellation_signal cancel;
  start(kOurs, "a", 20);
  asio::co_spawn(loop, visit(this, kOurs, "b", 1), asio::bind_cancellation_slot(cancel.slot(), rethrow));
  start(kOurs, "c");
  loop.poll_one();
  loop.poll_one();
  loop.poll_one();
  asio::post(loop, [&cancel] { cancel.emit(asio::cancellation_type::terminal); });
  loop.run();
  EXPECT_EQ(order, "a !b /a c /c ");
}

TEST_F(TurnsTest, TheLineIsBounded) {
  for (size_t i = 0; i < Turns::kMaxWaiting + 2; ++i) start(kOurs, i <= Turns::kMaxWaiting ? "" : "late", 1);
  loop.run();
  EXPECT_EQ(order.find("!late"), order.rfind("!"));
  EXPECT_NE(order.find("!late"), std::string::npos);
}

}  // namespace
}  // namespace hearth::vpc
