// For tests: what runs inside a fake container: a thread that speaks the Runtime API over a real socket and behaves as
// the function's handler says.
//
//   echo, version (answers its package), sleep (payload: milliseconds), error, print, flood, large, silent (never
//   answers), twice, wrong_id, crash, oom, init_error, init_exit, init_silent, one_shot (a connection a request), bare
//   (waits for each answer), extras (asks the other endpoints first)
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/fd.h"

namespace hearth::runtime {

class FakeShim {
 public:
  struct Options {
    std::string handler;
    std::string package;
    uint16_t port = 0;
    int log = -1;
    std::function<void(std::string cause, int64_t code, bool out_of_memory)> on_exit;  // from its thread
  };
  explicit FakeShim(Options options);
  ~FakeShim();

  void kill();
  std::vector<int> statuses() const;  // of its requests, in order; GET next excluded

 private:
  struct Event {
    std::string id;
    std::string payload;
    std::string head;
  };
  void run();
  bool serve();
  bool start();
  bool answer(const Event& event);
  bool act(const Event& event);
  bool connect();
  bool send(const std::string& text);
  bool read_response(int& status, std::string& head, std::string& body);
  bool post(const std::string& path, const std::string& body);
  bool next(Event& event);
  bool exit(std::string cause, int64_t code, bool out_of_memory = false);
  bool pause(std::chrono::milliseconds time);
  std::string path(const Event& event, const char* action) const;

  Options options_;
  int socket_ = -1;
  std::string input_;
  int pending_ = 0;  // answers of pipelined requests that are still to be read before the event
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  bool killed_ = false;
  bool exited_ = false;
  std::vector<int> statuses_;
  std::thread thread_;
};

}  // namespace hearth::runtime
