#include "warden_client/client.h"

#include "warden_client/link.h"

namespace hearth {
namespace {

class LinkedClient final : public WardenClient {
 public:
  LinkedClient(boost::asio::any_io_executor executor, std::string path, Hooks hooks)
      : link_(std::make_shared<WardenLink>(std::move(executor), std::move(path), std::move(hooks))) {
    link_->start();
  }
  ~LinkedClient() override { link_->stop(); }

  boost::asio::awaitable<Result<WardenAnswer>> call(warden::Request request,
                                                    std::chrono::milliseconds deadline) override {
    return WardenLink::call(link_, std::move(request), deadline);
  }
  bool connected() const override { return link_->connected(); }
  void stop() override { link_->stop(); }

 private:
  std::shared_ptr<WardenLink> link_;
};

}  // namespace

std::unique_ptr<WardenClient> WardenClient::start(boost::asio::any_io_executor executor, std::string path,
                                                  Hooks hooks) {
  return std::make_unique<LinkedClient>(std::move(executor), std::move(path), std::move(hooks));
}

}  // namespace hearth
