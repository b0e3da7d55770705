// A Registry in memory, for tests of what keeps records.
#pragma once

#include <map>

#include "store/registry.h"

namespace hearth::api {

class RegistryInMemory final : public store::Registry {
 public:
  std::map<std::string, store::Record> records;
  bool broken = false;  // every change fails

  boost::asio::awaitable<Result<store::Record>> get(std::string key) override {
    auto found = records.find(key);
    if (found == records.end()) co_return fail(Kind::not_found, "no record " + key);
    co_return found->second;
  }
  boost::asio::awaitable<Result<int64_t>> put(std::string key, std::string value,
                                              std::optional<int64_t> expected) override {
    if (broken) co_return fail(Kind::internal, "disk full");
    auto& record = records[key];
    if (expected && *expected != record.version) co_return fail(Kind::conflict, "version");
    record = {key, std::move(value), record.version + 1};
    co_return record.version;
  }
  boost::asio::awaitable<Result<>> remove(std::string key, std::optional<int64_t>) override {
    if (broken) co_return fail(Kind::internal, "disk full");
    records.erase(key);
    co_return Result<>();
  }
  boost::asio::awaitable<Result<std::vector<store::Record>>> list(std::string prefix, std::string after,
                                                                  size_t limit) override {
    std::vector<store::Record> page;
    for (const auto& [key, record] : records) {
      if (key.starts_with(prefix) && key > after && page.size() < limit) page.push_back(record);
    }
    co_return page;
  }
};

}  // namespace hearth::api
