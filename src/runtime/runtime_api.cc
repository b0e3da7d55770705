#include "runtime/runtime_api.h"

#include <sys/socket.h>

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cerrno>
#include <utility>

#include "runtime/runtime_connection.h"

namespace hearth::runtime {
namespace asio = boost::asio;

// Takes connections until it is closed; it outlives the RuntimeApi until its coroutine has ended.
class RuntimeApi::Acceptor {
 public:
  Acceptor(asio::any_io_executor executor, RuntimeApi& api, Fd listener)
      : acceptor_(executor), pause_(executor), api_(&api) {
    acceptor_.assign(asio::ip::tcp::v4(), listener.release());
  }

  static asio::awaitable<void> run(std::shared_ptr<Acceptor> self) {
    for (;;) {
      boost::system::error_code error;
      co_await self->acceptor_.async_wait(asio::socket_base::wait_read,
                                          asio::redirect_error(asio::use_awaitable, error));
      if (error || self->api_ == nullptr) co_return;
      if (self->accept_all()) continue;
      self->pause_.expires_after(kPause);
      co_await self->pause_.async_wait(asio::redirect_error(asio::use_awaitable, error));
    }
  }

  void close() {
    api_ = nullptr;
    boost::system::error_code ignored;  // closing is all that is wanted
    acceptor_.close(ignored);
    pause_.cancel();
  }

 private:
  static constexpr std::chrono::milliseconds kPause{20};

  // False when the host lacks what a connection needs (descriptors, memory): it may work a little later.
  bool accept_all() {
    for (size_t i = 0; i < kMaxConnections; ++i) {
      Fd socket(::accept4(acceptor_.native_handle(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
      if (!socket.valid()) return errno == EAGAIN || errno == ECONNABORTED || errno == EINTR;
      if (api_->connections_.size() >= kMaxConnections) continue;
      auto connection = std::make_shared<RuntimeConnection>(acceptor_.get_executor(), *api_, std::move(socket));
      api_->connections_.push_back(connection);
      api_->tasks_.spawn("runtime api connection", RuntimeConnection::run(connection));
    }
    return true;
  }

  asio::ip::tcp::acceptor acceptor_;
  asio::steady_timer pause_;
  RuntimeApi* api_;
};

RuntimeApi::RuntimeApi(TaskGroup& tasks, HeldReplies& held, Fd listener, RuntimeApiHandler& handler)
    : tasks_(tasks),
      held_(held),
      handler_(&handler),
      acceptor_(std::make_shared<Acceptor>(tasks.executor(), *this, std::move(listener))) {
  tasks_.spawn("runtime api acceptor", Acceptor::run(acceptor_));
}

bool RuntimeApi::send_event(std::string_view head, std::string_view payload) {
  if (in_next_ == nullptr) return false;
  return std::exchange(in_next_, nullptr)->send_event(head, payload);
}

void RuntimeApi::close() {
  if (acceptor_) std::exchange(acceptor_, nullptr)->close();
  in_next_ = nullptr;
  receiving_ = nullptr;
  for (auto& connection : std::exchange(connections_, {})) connection->abandon();
}

// ---- held replies

void HeldReplies::add(const std::shared_ptr<RuntimeConnection>& connection) {
  held_.push_back(connection);
  if (timer_.armed()) return;
  deadlines_.set(timer_, std::chrono::steady_clock::now() + kHold, [this] {
    for (auto& held : std::exchange(held_, {}))
      if (auto alive = held.lock()) alive->flush();
  });
}

}  // namespace hearth::runtime
