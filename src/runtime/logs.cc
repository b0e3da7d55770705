#include "runtime/logs.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <utility>

#include "base/log.h"
#include "runtime/log_files.h"

namespace hearth::runtime {
namespace asio = boost::asio;
namespace {

bool is_word(std::string_view text, size_t max, std::string_view extra) {
  if (text.empty() || text.size() > max) return false;
  return std::ranges::all_of(text, [extra](unsigned char c) {
    return std::isalnum(c) != 0 || extra.find(static_cast<char>(c)) != std::string_view::npos;
  });
}

asio::awaitable<Result<std::vector<LogLine>>> read_on_pool(std::string path, size_t lines) {
  co_return read_log_tail(path, lines, Logs::kMaxTailBytes);
}

asio::awaitable<Result<>> trim_on_pool(std::string folder, std::set<std::string> living) {
  co_return trim_logs(folder, living, Logs::kKeptDeleted);
}

asio::awaitable<Result<>> append_on_pool(std::string path, std::string text, size_t max_file) {
  co_return append_log(path, text, max_file);
}

}  // namespace

Logs::Logs(asio::any_io_executor executor, asio::thread_pool& blocking, const Clock& clock, Options options)
    : blocking_(blocking),
      clock_(clock),
      options_(std::move(options)),
      tasks_(executor),
      due_(executor),
      flushed_(executor) {
  flushed_.expires_at(asio::steady_timer::time_point::max());
  due_.expires_at(asio::steady_timer::time_point::max());
  tasks_.spawn("log files", flush_when_due());
}

Result<std::shared_ptr<Logs::Sink>> Logs::sink(const FunctionKey& function) {
  auto at = sinks_.find(function);
  if (at != sinks_.end()) return at->second->shared_from_this();
  if (!is_word(function.account.str(), 12, "") || !is_word(function.name, 140, "-_"))
    return fail(Kind::invalid, "not a function's name: " + function.name);
  auto path = options_.dir + "/" + function.account.str() + "/" + function.name + ".log";
  std::shared_ptr<Sink> made(new Sink(*this, function, std::move(path)));
  sinks_.emplace(function, made.get());
  return made;
}

void Logs::Sink::write(std::string_view request_id, std::string_view stream, std::string_view text) {
  const auto at = logs_.stamps_.of(logs_.clock_.wall());
  if (!followers_.empty()) {
    const LogLine line{std::string(at), std::string(request_id), std::string(stream), std::string(text)};
    auto followers = followers_;  // one of them may end its following
    for (auto& [id, on_line] : followers) on_line(line);
  }
  if (logs_.pending_ + text.size() > logs_.options_.max_pending) {
    ++dropped_;
    ++logs_.dropped_;
    return;
  }
  if (pending_.empty()) logs_.become_dirty(*this);
  const size_t before = pending_.size();
  if (dropped_ > 0) {
    const auto notice = fmt::format("{} lines were dropped: the disk is slower than they came", dropped_);
    append_stored(pending_, at, {}, "platform", notice);
    dropped_ = 0;
  }
  append_stored(pending_, at, request_id, stream, text);
  logs_.pending_ += pending_.size() - before;
}

void Logs::become_dirty(Sink& sink) {
  if (dirty_.empty()) due_.expires_after(options_.flush);  // wakes flush_when_due(), which waits for that time
  dirty_.push_back(sink.shared_from_this());
}

asio::awaitable<void> Logs::flush_when_due() {
  while (!stopping_) {
    boost::system::error_code error;
    co_await due_.async_wait(asio::redirect_error(asio::use_awaitable, error));
    if (error) continue;  // the time was changed, or the group stops
    due_.expires_at(asio::steady_timer::time_point::max());
    auto done = co_await flush();
    if (!done && !std::exchange(failing_, true)) log::error("function logs: {}", done.error().describe());
    if (done) failing_ = false;
  }
}

asio::awaitable<Result<>> Logs::flush() {
  while (flushing_) {                   // one at a time, so that a file's lines stay in order
    boost::system::error_code ignored;  // cancelled is how the wait ends
    co_await flushed_.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
  }
  flushing_ = true;
  Result<> outcome;
  for (auto& sink : std::exchange(dirty_, {})) {
    auto text = std::exchange(sink->pending_, {});
    const size_t size = text.size();
    auto work = append_on_pool(sink->path_, std::move(text), options_.max_file);
    auto done = co_await asio::co_spawn(blocking_.get_executor(), std::move(work), asio::use_awaitable);
    pending_ -= size;  // only now: what is on its way to the disk counts as pending
    if (!done) outcome = std::move(done);
  }
  flushing_ = false;
  flushed_.cancel();
  co_return outcome;
}

asio::awaitable<void> Logs::stop() {
  stopping_ = true;  // no cancellation: a flush under way must reach the disk
  due_.cancel();
  co_await tasks_.join();
  auto done = co_await flush();
  if (!done) log::error("function logs: {}", done.error().describe());
}

asio::awaitable<Result<std::vector<LogLine>>> Logs::tail(FunctionKey function, size_t lines) {
  CO_TRY_ASSIGN(auto sink, this->sink(function));
  CO_TRY(co_await flush());
  auto work = read_on_pool(sink->path_, std::min(lines, kMaxTail));
  co_return co_await asio::co_spawn(blocking_.get_executor(), std::move(work), asio::use_awaitable);
}

asio::awaitable<Result<>> Logs::trim(AccountId account, std::set<std::string> living) {
  auto work = trim_on_pool(options_.dir + "/" + account.str(), std::move(living));
  co_return co_await asio::co_spawn(blocking_.get_executor(), std::move(work), asio::use_awaitable);
}

Result<uint64_t> Logs::follow(const FunctionKey& function, FollowFn on_line) {
  if (followed_.size() >= kMaxFollowers) return fail(Kind::exhausted, "too many followers of logs");
  TRY_ASSIGN(auto sink, this->sink(function));
  const uint64_t id = next_follower_++;
  sink->followers_.emplace(id, std::move(on_line));
  followed_.emplace(id, std::move(sink));
  return id;
}

void Logs::unfollow(uint64_t follower) {
  auto at = followed_.find(follower);
  if (at == followed_.end()) return;
  at->second->followers_.erase(follower);
  followed_.erase(at);
}

}  // namespace hearth::runtime
