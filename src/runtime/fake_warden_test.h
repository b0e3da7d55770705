// For tests: a warden whose containers are threads with real loopback sockets and pipes.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/fd.h"
#include "runtime/fake_shim_test.h"
#include "warden_client/client.h"

namespace hearth::runtime {

class FakeWarden final : public WardenClient {
 public:
  explicit FakeWarden(boost::asio::any_io_executor executor) : executor_(std::move(executor)) {}

  boost::asio::awaitable<Result<WardenAnswer>> call(warden::Request request,
                                                    std::chrono::milliseconds deadline) override;
  bool connected() const override { return is_connected; }
  void stop() override {}

  struct Container {
    warden::ContainerInfo info;
    Fd runtime_api, endpoint, log_read, log_write, peak_memory;
    uint16_t port = 0;
    warden::Bind bound;
    std::unique_ptr<FakeShim> shim;
  };

  // What the test sets.
  WardenClient::Hooks hooks;
  bool is_connected = true;
  std::chrono::milliseconds make_time{0};
  std::optional<Error> make_failure;
  std::optional<Error> bind_failure;  // of the next bind
  std::optional<Error> adopt_failure;
  std::string runtime = "python3.11";

  // What it sees.
  std::map<ContainerId, std::unique_ptr<Container>> containers;
  std::vector<warden::Bind> binds;
  std::vector<ContainerId> killed;
  size_t makes = 0;
  size_t making = 0, most_making = 0;
  size_t adopts = 0;

  // A container that a former hearthd left.
  ContainerId leave(warden::ContainerState state);
  void lose(const ContainerId& container);  // it ends without a word

 private:
  Container& add(warden::ContainerState state);
  Result<WardenAnswer> hand_out(Container& container);
  Result<WardenAnswer> bind(warden::Bind bind);
  Result<WardenAnswer> kill(const ContainerId& id);
  void gone(const ContainerId& id, const std::string& cause, int64_t code, bool out_of_memory);

  boost::asio::any_io_executor executor_;
};

}  // namespace hearth::runtime
