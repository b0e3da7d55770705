#include "base/log.h"

#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/stdout_sinks.h>

#include <algorithm>
#include <memory>
#include <utility>

namespace hearth::log {
namespace {

constexpr size_t kMaxText = 4096;  // bytes of one event; the rest is cut

// What others wrote may stand in a message: it begins no line of its own.
class OneLine final : public spdlog::custom_flag_formatter {
 public:
  void format(const spdlog::details::log_msg& message, const std::tm&, spdlog::memory_buf_t& line) override {
    const char* text = message.payload.data();
    const size_t size = std::min(message.payload.size(), kMaxText);
    for (size_t i = 0; i < size; ++i) {
      const auto byte = static_cast<unsigned char>(text[i]);
      line.push_back(byte < 0x20 || byte == 0x7f ? '?' : text[i]);
    }
  }
  std::unique_ptr<custom_flag_formatter> clone() const override { return std::make_unique<OneLine>(); }
};

}  // namespace

void start(const std::string& component, const std::string& level) {
  auto logger = spdlog::stderr_logger_mt(component);
  auto formatter = std::make_unique<spdlog::pattern_formatter>(spdlog::pattern_time_type::utc);
  formatter->add_flag<OneLine>('*').set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %l %n: %*");
  logger->set_formatter(std::move(formatter));
  auto parsed = spdlog::level::from_str(level);
  logger->set_level(parsed == spdlog::level::off && level != "off" ? spdlog::level::info : parsed);
  logger->flush_on(spdlog::level::debug);
  spdlog::set_default_logger(logger);
}

}  // namespace hearth::log
