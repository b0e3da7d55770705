// hearth-replay: sends prepared HTTP requests and tells how long each answer took.
//
// The requests are whole (signed) HTTP/1.1 messages in one file, each behind its length as 4 bytes, little endian: so
// signing is not measured. CONNECTIONS keep-alive connections take them in turn, one outstanding each; --rate spaces
// them out; --repeat sends the file again. Prints one JSON object: count, failures, seconds, microseconds per
// percentile.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstring>
#include <fstream>
#include <iostream>
#include <iterator>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/json.h"

namespace {

using Clock = std::chrono::steady_clock;

struct Options {
  std::string host = "127.0.0.1";
  uint16_t port = 9120;
  std::string file;
  size_t connections = 1;
  size_t repeat = 1;
  double rate = 0;  // requests a second, 0 = as fast as answers come
};

struct Connection {
  hearth::Fd socket;
  std::string request;  // what is left to send
  std::string answer;
  Clock::time_point began;
  bool busy = false;
};

std::vector<std::string> read_requests(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string all((std::istreambuf_iterator<char>(file)), {});
  std::vector<std::string> requests;
  for (size_t at = 0; at + 4 <= all.size();) {
    uint32_t size = 0;
    std::memcpy(&size, all.data() + at, 4);
    requests.push_back(all.substr(at + 4, size));
    at += 4 + size;
  }
  return requests;
}

hearth::Fd connect_to(const Options& options) {
  hearth::Fd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(options.port);
  inet_pton(AF_INET, options.host.c_str(), &address.sin_addr);
  int one = 1;
  setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  if (connect(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
    std::perror("connect");
    std::exit(1);
  }
  fcntl(socket.get(), F_SETFL, O_NONBLOCK);
  return socket;
}

// The size of the whole answer once its head is there, 0 before.
size_t answer_size(const std::string& answer) {
  auto end = answer.find("\r\n\r\n");
  if (end == std::string::npos) return 0;
  std::string head = answer.substr(0, end);
  std::transform(head.begin(), head.end(), head.begin(), [](unsigned char c) { return std::tolower(c); });
  auto length = head.find("content-length:");
  return end + 4 + (length == std::string::npos ? 0 : std::stoul(head.substr(length + 15)));
}

class Replay {
 public:
  Replay(Options options, std::vector<std::string> requests)
      : options_(std::move(options)), requests_(std::move(requests)), total_(requests_.size() * options_.repeat) {
    for (size_t i = 0; i < options_.connections; ++i) {
      connections_.push_back(Connection{connect_to(options_), {}, {}, {}, false});
      epoll_event event{.events = EPOLLIN, .data = {.u64 = i}};
      epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, connections_.back().socket.get(), &event);
    }
  }

  void run() {
    began_ = Clock::now();
    while (done_ < total_) {
      for (auto& connection : connections_) {
        if (!connection.busy && may_send()) send_next(connection);
      }
      epoll_event events[64];
      int count = epoll_wait(epoll_.get(), events, 64, options_.rate > 0 ? 1 : 10'000);
      if (count == 0 && options_.rate == 0) break;  // ten seconds of silence: the rest counts as failed
      for (int i = 0; i < count; ++i) receive(connections_[events[i].data.u64]);
    }
    seconds_ = std::chrono::duration<double>(Clock::now() - began_).count();
  }

  void print() {
    std::sort(micros_.begin(), micros_.end());
    auto at = [&](double q) {
      return micros_.empty() ? 0.0 : micros_[std::min(micros_.size() - 1, size_t(q * micros_.size()))];
    };
    hearth::json::object out{{"count", done_},      {"failures", failures_ + (total_ - done_)},
                             {"seconds", seconds_}, {"per_second", done_ / seconds_},
                             {"p50_us", at(0.5)},   {"p90_us", at(0.9)},
                             {"p99_us", at(0.99)},  {"max_us", at(1.0)}};
    std::cout << hearth::json::serialize(out) << "\n";
  }

 private:
  bool may_send() const {
    if (sent_ >= total_) return false;
    if (options_.rate == 0) return true;
    return Clock::now() >= began_ + std::chrono::duration<double>(sent_ / options_.rate);
  }

  void send_next(Connection& connection) {
    connection.request = requests_[sent_++ % requests_.size()];
    connection.answer.clear();
    connection.busy = true;
    connection.began = Clock::now();
    size_t at = 0;
    while (at < connection.request.size()) {
      ssize_t count =
          ::send(connection.socket.get(), connection.request.data() + at, connection.request.size() - at, MSG_NOSIGNAL);
      if (count < 0 && errno != EAGAIN) return finish(connection, false);
      if (count > 0) at += count;
    }
  }

  void receive(Connection& connection) {
    char buffer[65536];
    ssize_t count = ::recv(connection.socket.get(), buffer, sizeof buffer, 0);
    if (count < 0 && errno == EAGAIN) return;
    if (count <= 0) return finish(connection, false);
    connection.answer.append(buffer, count);
    size_t size = answer_size(connection.answer);
    if (size == 0 || connection.answer.size() < size) return;
    bool good = connection.answer.starts_with("HTTP/1.1 2") &&
                connection.answer.find("X-Amz-Function-Error") == std::string::npos;
    if (!good && failures_ == 0) std::cerr << connection.answer.substr(0, 500) << "\n";
    finish(connection, good);
  }

  void finish(Connection& connection, bool good) {
    if (!connection.busy) return;
    connection.busy = false;
    ++done_;
    if (!good) {
      ++failures_;
    } else {
      micros_.push_back(std::chrono::duration<double, std::micro>(Clock::now() - connection.began).count());
    }
  }

  Options options_;
  std::vector<std::string> requests_;
  size_t total_;
  hearth::Fd epoll_{epoll_create1(EPOLL_CLOEXEC)};
  std::vector<Connection> connections_;
  Clock::time_point began_;
  size_t sent_ = 0;
  size_t done_ = 0;
  size_t failures_ = 0;
  double seconds_ = 0;
  std::vector<double> micros_;
};

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app{"Sends prepared HTTP requests and tells how long each answer took"};
  app.add_option("file", options.file, "requests, each behind its length (4 bytes, little endian)")->required();
  app.add_option("--host", options.host);
  app.add_option("--port", options.port);
  app.add_option("--connections", options.connections)->check(CLI::Range(1, 4096));
  app.add_option("--repeat", options.repeat)->check(CLI::Range(1, 100'000'000));
  app.add_option("--rate", options.rate, "requests a second; 0: as fast as answers come");
  CLI11_PARSE(app, argc, argv);
  auto requests = read_requests(options.file);
  if (requests.empty()) {
    std::cerr << "hearth-replay: no request in " << options.file << "\n";
    return 1;
  }
  Replay replay(options, std::move(requests));
  replay.run();
  replay.print();
  return 0;
}
