// Registry: small records that survive, by key, with compare-and-set.
//
// Keys are "kind/account/name"-like texts of at most 512 bytes, values JSON text of at most 1 MiB. Every change of a
// record raises its version (from 1). A change answers after it is durable (fsync; changes that arrive together share
// one). Single reader and writer process. Calls are coroutines of the owner's loop; the work is on the store's own
// thread.
//
// Contract test: store/registry_contract_test.cc, which every implementation must pass.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"

namespace hearth::store {

struct Record {
  std::string key;
  std::string value;
  int64_t version = 0;
};

class Registry {
 public:
  static constexpr size_t kMaxKey = 512;
  static constexpr size_t kMaxValue = 1024 * 1024;
  static constexpr size_t kMaxPage = 10'000;

  virtual ~Registry() = default;

  // not_found when there is none.
  virtual boost::asio::awaitable<Result<Record>> get(std::string key) = 0;
  // `expected`: the version that must stand there now, 0 = no record; nullopt = whatever. Conflict otherwise.
  // Answers the new version.
  virtual boost::asio::awaitable<Result<int64_t>> put(std::string key, std::string value,
                                                      std::optional<int64_t> expected) = 0;
  // not_found when there is none; otherwise as put.
  virtual boost::asio::awaitable<Result<>> remove(std::string key, std::optional<int64_t> expected) = 0;
  // Records whose key starts with `prefix`, in key order, after `after` ("" = from the first).
  virtual boost::asio::awaitable<Result<std::vector<Record>>> list(std::string prefix, std::string after,
                                                                   size_t limit) = 0;
};

}  // namespace hearth::store
