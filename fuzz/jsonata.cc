// Any text as a JSONata expression, and the rest as its input: it must parse or be refused, and evaluate within its
// limits.
#include "graph/expression/jsonata.h"

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "graph/expression/json_text.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace hearth::expression;
  std::string_view text(reinterpret_cast<const char*>(data), size);
  size_t cut = text.find('\0');
  auto compiled = Jsonata::compile(text.substr(0, cut));
  if (!compiled) return 0;
  (void)compiled->free_variables();
  Value input;
  if (cut != std::string_view::npos) {
    if (auto parsed = parse_json_value(text.substr(cut + 1))) input = *std::move(parsed);
  }
  Surroundings given;
  given.now_ms = 1'577'836'800'123;
  given.random = [state = uint64_t{1}]() mutable { return state = state * 6364136223846793005ULL + 1; };
  given.limits = {.depth = 100, .steps = 20'000, .bytes = 4 << 20, .regex_steps = 2'000};
  // Twice: what the first evaluation leaves behind are constants, what a second one leaves is a leak.
  int64_t before = 0;
  for (int round = 0; round < 2; ++round) {
    before = live_bytes();
    auto result = compiled->evaluate(input, {}, given);
    if (result && !result->is_undefined() && !parse_json_value(to_json(*result))) __builtin_trap();
  }
  if (live_bytes() != before) __builtin_trap();
  return 0;
}
