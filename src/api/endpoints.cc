#include "api/endpoints.h"

namespace hearth::api {
namespace asio = boost::asio;

std::function<void()> Endpoints::add(std::unique_ptr<http::Server> server) {
  uint64_t number = next_++;
  if (stopped_) server->stop();
  open_.emplace(number, std::move(server));
  return [weak = weak_from_this(), number] {
    if (auto self = weak.lock()) self->end(number);
  };
}

void Endpoints::end(uint64_t number) {
  if (stopped_) return;  // join() has them all
  auto ended = open_.extract(number);
  if (!ended.empty()) ending_.spawn("end an endpoint", finish(std::move(ended.mapped())));
}

asio::awaitable<void> Endpoints::finish(std::unique_ptr<http::Server> server) {
  server->stop();
  co_await server->join();
}

void Endpoints::stop() {
  stopped_ = true;
  for (const auto& [number, server] : open_) server->stop();
}

asio::awaitable<void> Endpoints::join() {
  while (!open_.empty()) {
    co_await open_.begin()->second->join();
    open_.erase(open_.begin());
  }
  co_await ending_.join();
}

}  // namespace hearth::api
