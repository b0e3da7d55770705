// What Step Functions adds to JSONata: $partition $range $hash $random $uuid $parse.
// https://docs.aws.amazon.com/step-functions/latest/dg/transforming-data.html
#include <cmath>

#include "graph/expression/encoding.h"
#include "graph/expression/json_text.h"
#include "graph/expression/jsonata_builtins.h"

namespace hearth::expression {
namespace {

constexpr double kMaxRange = 1e7;

std::unexpected<FaultPtr> refuse(std::string message) {
  auto made = fault("D3137");
  made.error()->message = std::move(message);
  return made;
}

Eval<> partition(const Call& call) {
  if (call[0].is_undefined()) return Value();
  double size = call[1].is_number() ? std::trunc(call[1].as_double()) : 0;
  if (!(size >= 1)) return refuse("The chunk size of $partition must be a positive integer");
  auto items = call[0].items();
  std::vector<Value> chunks;
  for (size_t from = 0; from < items.size();) {
    auto take = static_cast<size_t>(std::min(size, static_cast<double>(items.size() - from)));
    chunks.push_back(Value::array(
        {items.begin() + static_cast<std::ptrdiff_t>(from), items.begin() + static_cast<std::ptrdiff_t>(from + take)}));
    from += take;
  }
  return Value::array(std::move(chunks));
}

// A range of one is that one, as recorded from the service: the result is a sequence.
Eval<> range(const Call& call) {
  if (!call[0].is_number() || !call[1].is_number()) return Value();
  double from = std::trunc(call[0].as_double());
  double to = std::trunc(call[1].as_double());
  double step = call[2].is_number() ? std::trunc(call[2].as_double()) : 1;
  if (!std::isfinite(from) || !std::isfinite(to) || !std::isfinite(step)) return fault("D1001", call[0]);
  if (step == 0) return refuse("The step of $range must not be zero");
  double count = std::floor((to - from) / step) + 1;
  if (!(count > 0)) return Value::array({}, 0);
  if (count > kMaxRange) return fault("D2014", Value::number(count));
  TRY(call.evaluator.charge(static_cast<int64_t>(count) * static_cast<int64_t>(sizeof(Value))));
  std::vector<Value> items;
  items.reserve(static_cast<size_t>(count));
  for (double i = 0; i < count; ++i) items.push_back(Value::number(from + i * step));
  return Value::array(std::move(items), kSequence);
}

Eval<> hash(const Call& call) {
  if (call[0].is_undefined()) return Value();
  std::string_view algorithm = call[1].is_string() ? call[1].as_string() : std::string_view();
  auto digest = hex_digest(call[0].as_string(), algorithm);
  if (!digest) return refuse("$hash knows MD5, SHA-1, SHA-256, SHA-384 and SHA-512");
  return Value::string(*digest);
}

Eval<> random(const Call& call) {
  if (call[0].is_number()) {
    double seed = call[0].as_double();
    constexpr double kBound = 9.2e18;
    return Value::number(JavaRandom(std::fabs(seed) < kBound ? static_cast<int64_t>(seed) : 0).next_double());
  }
  TRY_ASSIGN(uint64_t bits, call.evaluator.random());
  return Value::number(static_cast<double>(bits >> 11) * 0x1.0p-53);
}

Eval<> uuid(const Call& call) {
  TRY_ASSIGN(uint64_t high, call.evaluator.random());
  TRY_ASSIGN(uint64_t low, call.evaluator.random());
  return Value::string(uuid_of(high, low));
}

Eval<> parse(const Call& call) {
  if (call[0].is_undefined()) return Value();
  TRY(call.evaluator.charge(static_cast<int64_t>(call[0].size() * 4)));
  auto parsed = parse_json_value(call[0].as_string());
  if (!parsed) return refuse("$parse: " + parsed.error().message);
  return *std::move(parsed);
}

constexpr Builtin kStates[] = {
    {"partition", partition, "<an:a>", 2, 2}, {"range", range, "<nnn?:a>", 3, 3}, {"hash", hash, "<s-s:s>", 2, 2},
    {"random", random, "<n?:n>", 0, 1},       {"uuid", uuid, "<:s>", 0, 0},       {"parse", parse, "<s-:x>", 1, 1},
};

}  // namespace

std::span<const Builtin> states_builtins() { return kStates; }

}  // namespace hearth::expression
