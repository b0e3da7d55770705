// Map, and what Task, Parallel and Map have in common: Retry and Catch.
#include <algorithm>

#include "graph/definition/definition.h"
#include "graph/definition/expressions.h"
#include "graph/definition/machine_parser.h"
#include "graph/expression/utf8.h"

namespace hearth::definition {

using expression::Value;

namespace {

constexpr std::string_view kLabelRefused = "?*<>{}[]:;,\\|^~$#%&`\" ";
constexpr double kMaxConcurrency = 10'000;
constexpr double kMaxTolerated = 100'000'000;
constexpr double kMaxBatchItems = 100'000'000;
constexpr double kMaxBatchBytes = 256 << 10;
constexpr int64_t kMaxAttempts = 99'999'999;
constexpr int64_t kMaxDelaySeconds = 31'622'400;

bool is_refused_in_label(char32_t c) {
  return c < 0x20 || (c >= 0x7f && c <= 0x9f) || (c < 0x80 && kLabelRefused.contains(static_cast<char>(c)));
}

// As Python prints a character: what AWS' and our users' tools show.
std::string printed(char32_t c, std::string_view bytes) {
  constexpr std::string_view kHex = "0123456789abcdef";
  if (c == '\t') return "\\t";
  if (c == '\n') return "\\n";
  if (c == '\r') return "\\r";
  if (c >= 0x20 && c < 0x7f) return std::string(bytes);
  return std::string("\\x") + kHex[c >> 4] + kHex[c & 15];
}

std::vector<std::string> read_error_names(const Fields& fields, bool last) {
  std::vector<std::string> names;
  fields.require("ErrorEquals");
  const Value* list = fields.array("ErrorEquals");
  if (list == nullptr) return names;
  if (list->size() == 0) fields.error("ErrorEquals", "Value cannot be empty");
  for (const Value& name : list->items()) {
    if (!name.is_string()) {
      fields.error("ErrorEquals", "Expected value of type String");
      continue;
    }
    names.emplace_back(name.as_string());
    if (name.as_string() == "States.ALL" && (list->size() > 1 || !last))
      fields.error("ErrorEquals", "States.ALL must appear alone and in the last retrier or catcher");
  }
  return names;
}

}  // namespace

void MachineParser::parse_label(const Fields& fields, MapPart& map) {
  auto label = fields.text("Label");
  if (!label) return;
  map.label = *label;
  if (label->empty()) findings_.error(kInvalidLabel, fields.at("Label"), "Label cannot be empty");
  if (expression::count_code_points(*label) > kMaxLabelCharacters) {
    findings_.error(kInvalidLabel, fields.at("Label"),
                    "Label cannot exceed " + std::to_string(kMaxLabelCharacters) + " characters");
  }
  for (size_t at = 0; at < label->size();) {
    size_t from = at;
    char32_t c = expression::next_code_point(*label, at);
    if (!is_refused_in_label(c)) continue;
    findings_.error(kInvalidLabel, fields.at("Label"),
                    "Label contains invalid character: '" + printed(c, label->substr(from, at - from)) + "'");
    return;
  }
  if (!labels_.emplace(*label).second)
    findings_.error(kDuplicateLabel, fields.at("Label"), "Duplicate Label: " + std::string(*label));
}

void MachineParser::parse_batcher(const Fields& fields, const State& state, MapPart& map) {
  const Value* batcher = fields.object("ItemBatcher");
  if (batcher == nullptr) return;
  Fields inside(findings_, *batcher, fields.at("ItemBatcher"));
  inside.allow_only(
      {"BatchInput", "MaxItemsPerBatch", "MaxItemsPerBatchPath", "MaxInputBytesPerBatch", "MaxInputBytesPerBatchPath"});
  map.batch_items = read_scalar(inside, "MaxItemsPerBatch", state.language, Scalar::whole, {0, kMaxBatchItems});
  map.batch_bytes = read_scalar(inside, "MaxInputBytesPerBatch", state.language, Scalar::whole, {0, kMaxBatchBytes});
  map.batch_input = read_template(inside, "BatchInput", state.language);
  if (!map.batch_items && !map.batch_bytes)
    inside.error({}, "There must be one of the following fields: [MaxItemsPerBatch, MaxInputBytesPerBatch]");
}

void MachineParser::parse_processor(const Fields& fields, size_t depth, State& state, MapPart& map) {
  fields.at_most_one({"ItemProcessor", "Iterator"});
  std::string_view name = fields.has("Iterator") ? "Iterator" : "ItemProcessor";
  fields.require(name);
  const Value* processor = fields.object(name);
  if (processor == nullptr) return;
  Fields inside(findings_, *processor, fields.at(name));
  inside.allow_only({"StartAt", "States", "Comment", "ProcessorConfig"});
  if (const Value* config = inside.object("ProcessorConfig")) {
    Fields options(findings_, *config, inside.at("ProcessorConfig"));
    options.allow_only({"Mode", "ExecutionType"});
    auto mode = options.text("Mode").value_or("INLINE");
    auto type = options.text("ExecutionType");
    map.distributed = mode == "DISTRIBUTED";
    if (mode != "INLINE" && mode != "DISTRIBUTED") options.error("Mode", "Value must be one of [INLINE, DISTRIBUTED]");
    if (type && *type != "STANDARD" && *type != "EXPRESS")
      options.error("ExecutionType", "Value must be one of [STANDARD, EXPRESS]");
    if (map.distributed) options.require("ExecutionType");
  }
  state.machines.push_back(parse(inside, depth + 1));
}

void MachineParser::parse_map(const Fields& fields, size_t depth, State& state) {
  MapPart map;
  parse_processor(fields, depth, state, map);
  bool jsonata = state.language == Language::jsonata;
  if (jsonata) map.items = read_template(fields, "Items", state.language);
  if (!jsonata) map.items_path = read_path(fields, "ItemsPath");
  fields.at_most_one({"ItemSelector", "Parameters"});
  map.item_selector = read_template(fields, "ItemSelector", state.language);
  if (!map.item_selector) map.item_selector = std::exchange(state.arguments, std::nullopt);
  map.max_concurrency = read_scalar(fields, "MaxConcurrency", state.language, Scalar::whole, {0, kMaxConcurrency});
  map.tolerated_count = read_scalar(fields, "ToleratedFailureCount", state.language, Scalar::whole, {0, kMaxTolerated});
  map.tolerated_percentage =
      read_scalar(fields, "ToleratedFailurePercentage", state.language, Scalar::number, {0, 100});
  parse_label(fields, map);
  parse_batcher(fields, state, map);
  map.reads_items = fields.object("ItemReader") != nullptr;
  map.writes_results = fields.object("ResultWriter") != nullptr;
  for (const char* name : {"Label", "ItemReader", "ItemBatcher", "ResultWriter"}) {
    if (!map.distributed && fields.has(name))
      fields.error(name, "Field is only supported for a Map with ProcessorConfig Mode DISTRIBUTED");
  }
  state.part = std::move(map);
}

void MachineParser::parse_retry(const Fields& fields, State& state) {
  const Value* list = fields.array("Retry");
  for (size_t i = 0; list != nullptr && i < list->size(); ++i) {
    Fields inside(findings_, list->items()[i], at_index(fields.at("Retry"), i));
    if (!inside.object().is_object()) {
      inside.error({}, "Expected value of type Object");
      continue;
    }
    inside.allow_only({"ErrorEquals", "IntervalSeconds", "MaxAttempts", "BackoffRate", "MaxDelaySeconds",
                       "JitterStrategy", "Comment"});
    Retrier retrier{.errors = read_error_names(inside, i + 1 == list->size())};
    if (auto interval = inside.integer("IntervalSeconds", 1, kMaxSeconds))
      retrier.interval_s = static_cast<double>(*interval);
    if (auto attempts = inside.integer("MaxAttempts", 0, kMaxAttempts)) retrier.max_attempts = *attempts;
    if (auto rate = inside.number("BackoffRate", 1, 1e9)) retrier.backoff_rate = *rate;
    if (auto delay = inside.integer("MaxDelaySeconds", 1, kMaxDelaySeconds))
      retrier.max_delay_s = static_cast<double>(*delay);
    auto jitter = inside.text("JitterStrategy").value_or("NONE");
    retrier.full_jitter = jitter == "FULL";
    if (jitter != "FULL" && jitter != "NONE") inside.error("JitterStrategy", "Value must be one of [NONE, FULL]");
    state.retry.push_back(std::move(retrier));
  }
}

void MachineParser::parse_catch(const Fields& fields, const Names& names, State& state) {
  const Value* list = fields.array("Catch");
  for (size_t i = 0; list != nullptr && i < list->size(); ++i) {
    Fields inside(findings_, list->items()[i], at_index(fields.at("Catch"), i));
    if (!inside.object().is_object()) {
      inside.error({}, "Expected value of type Object");
      continue;
    }
    Catcher catcher{.errors = read_error_names(inside, i + 1 == list->size())};
    inside.require("Next");
    catcher.next = target(inside, "Next", names);
    catcher.assign = read_assign(inside, state.language);
    if (state.language == Language::jsonata) {
      inside.allow_only({"ErrorEquals", "Next", "Assign", "Output", "Comment"});
      catcher.output = read_template(inside, "Output", state.language);
    } else {
      inside.allow_only({"ErrorEquals", "Next", "Assign", "ResultPath", "Comment"});
      catcher.result_path = read_result_path(inside);
    }
    state.catchers.push_back(std::move(catcher));
  }
}

}  // namespace hearth::definition
