// MachineParser: the states of a machine and of the machines inside them. One parse on one thread.
#pragma once

#include <map>
#include <set>
#include <string>

#include "graph/definition/fields.h"
#include "graph/definition/states.h"

namespace hearth::definition {

class MachineParser {
 public:
  MachineParser(Findings& findings, Language language) : findings_(findings), language_(language) {}

  // The machine of an object with StartAt and States; `depth` counts the machines around it.
  Machine parse(const Fields& fields, size_t depth);

 private:
  // Names of the states of the machine that is being read, for its transitions.
  using Names = std::map<std::string_view, size_t>;

  Names read_names(const Fields& states);
  State parse_state(const Fields& fields, std::string_view name, const Names& names, size_t depth);
  Language read_language(const Fields& fields);
  void parse_flow(const Fields& fields, State& state);
  void parse_transition(const Fields& fields, const Names& names, State& state);
  void parse_part(const Fields& fields, const Names& names, size_t depth, State& state);
  void parse_task(const Fields& fields, State& state);
  void parse_pass(const Fields& fields, State& state);
  void parse_choice(const Fields& fields, const Names& names, State& state);
  ChoiceRule parse_rule(const Fields& fields, const Names& names, Language language);
  void parse_wait(const Fields& fields, State& state);
  void parse_fail(const Fields& fields, State& state);
  void parse_parallel(const Fields& fields, size_t depth, State& state);
  void parse_map(const Fields& fields, size_t depth, State& state);
  void parse_processor(const Fields& fields, size_t depth, State& state, MapPart& map);
  void parse_label(const Fields& fields, MapPart& map);
  void parse_batcher(const Fields& fields, const State& state, MapPart& map);
  void parse_retry(const Fields& fields, State& state);
  void parse_catch(const Fields& fields, const Names& names, State& state);
  size_t target(const Fields& fields, std::string_view field, const Names& names);

  Findings& findings_;
  Language language_;  // of the whole machine
  std::set<std::string, std::less<>> all_names_;
  std::set<std::string, std::less<>> labels_;
};

}  // namespace hearth::definition
