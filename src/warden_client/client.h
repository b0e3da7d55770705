// WardenClient: hearthd's side of the warden protocol.
//
// Owned by the main loop's thread and used only there. Calls are coroutines with a deadline each; a call made while the
// connection is down fails with Kind::unavailable at once. The client connects, says hello and reconnects (every
// 50 ms, less and less often where its hello is refused, for as long as it lives) by itself; `on_connected` runs after
// each hello, so that the owner can say again what it wants to exist and adopt what is there. Requests and replies are
// of warden/protocol.h.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "warden/protocol.h"

namespace hearth {

struct WardenAnswer {
  warden::Reply reply;
  std::vector<Fd> fds;
};

class WardenClient {
 public:
  struct Hooks {
    std::function<void(const warden::HelloReply&)> on_connected;
    std::function<void()> on_disconnected;
    std::function<void(const warden::ContainerGone&)> on_container_gone;
  };

  virtual ~WardenClient() = default;

  virtual boost::asio::awaitable<Result<WardenAnswer>> call(warden::Request request,
                                                            std::chrono::milliseconds deadline) = 0;
  virtual bool connected() const = 0;

  // Starts connecting to the seqpacket socket at `path`. stop() ends it; calls under way fail with unavailable.
  static std::unique_ptr<WardenClient> start(boost::asio::any_io_executor executor, std::string path, Hooks hooks);
  virtual void stop() = 0;
};

// call() for a reply of one type: Kind::internal when the warden answers with another. REQUIRES: `client` outlives it.
template <typename T>
// NOLINTNEXTLINE(cppcoreguidelines-avoid-reference-coroutine-parameters)
boost::asio::awaitable<Result<T>> call_for(WardenClient& client, warden::Request request,
                                           std::chrono::milliseconds deadline) {
  auto answer = co_await client.call(std::move(request), deadline);
  if (!answer) co_return std::unexpected(std::move(answer).error());
  if (auto* reply = std::get_if<T>(&answer->reply)) co_return std::move(*reply);
  co_return fail(Kind::internal, "the warden's reply is of another type");
}

}  // namespace hearth
