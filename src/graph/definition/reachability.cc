#include "graph/definition/reachability.h"

#include <algorithm>

namespace hearth::definition {
namespace {

std::vector<size_t> targets_of(const State& state) {
  std::vector<size_t> targets{state.next};
  for (const Catcher& catcher : state.catchers) targets.push_back(catcher.next);
  if (const auto* choice = std::get_if<ChoicePart>(&state.part)) {
    targets.push_back(choice->otherwise);
    for (const ChoiceRule& rule : choice->rules) targets.push_back(rule.next);
  }
  std::erase(targets, kNoState);
  return targets;
}

bool ends(const State& state) { return state.end || state.type == StateType::succeed || state.type == StateType::fail; }

}  // namespace

void check_reachability(const Machine& machine, const std::string& location, Findings& findings) {
  if (std::ranges::none_of(machine.states, ends)) {
    findings.error(kMissingEndState, {}, "Workflow has no terminal state");
    return;
  }
  std::vector<bool> reached(machine.states.size(), false);
  std::vector<size_t> open;
  if (machine.start != kNoState) open.push_back(machine.start);
  while (!open.empty()) {
    size_t at = open.back();
    open.pop_back();
    if (reached[at]) continue;
    reached[at] = true;
    for (size_t next : targets_of(machine.states[at])) open.push_back(next);
  }
  for (size_t i = 0; i < machine.states.size(); ++i) {
    const std::string& name = machine.states[i].name;
    if (!reached[i]) findings.error(kMissingTarget, location + "/" + name, "State \"" + name + "\" is not reachable.");
  }
}

}  // namespace hearth::definition
