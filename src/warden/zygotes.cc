#include "warden/zygotes.h"

#include <utility>

namespace hearth::warden {

Zygotes::Zygotes(std::vector<container::RuntimeSpec> runtimes, std::string run_dir, Fd filter, Poller& poller,
                 const kernel::HomeNamespaces& home)
    : run_dir_(std::move(run_dir)), filter_(std::move(filter)), poller_(&poller), home_(&home) {
  for (auto& spec : runtimes) entries_.push_back({std::move(spec), nullptr});
}

Result<Zygotes> Zygotes::open(std::vector<container::RuntimeSpec> runtimes, std::string run_dir, Poller& poller,
                              const kernel::HomeNamespaces& home) {
  TRY_ASSIGN(Fd filter, container::filter_file());
  return Zygotes(std::move(runtimes), std::move(run_dir), std::move(filter), poller, home);
}

std::vector<std::string> Zygotes::runtimes() const {
  std::vector<std::string> names;
  for (const auto& entry : entries_) names.push_back(entry.spec.name);
  return names;
}

Result<container::Zygote*> Zygotes::of(const std::string& runtime) {
  for (size_t key = 0; key < entries_.size(); ++key) {
    Entry& entry = entries_[key];
    if (entry.spec.name != runtime) continue;
    if (!entry.zygote) {
      TRY_ASSIGN(auto started,
                 container::Zygote::start(entry.spec, run_dir_ + "/root-" + runtime, filter_.get(), *home_));
      TRY(poller_->add(started->socket(), {Source::zygote, key}));
      entry.zygote = std::move(started);
    }
    return entry.zygote.get();
  }
  return fail(Kind::invalid, "Runtime " + runtime + " is not installed here");
}

container::Zygote* Zygotes::at(uint64_t key) { return key < entries_.size() ? entries_[key].zygote.get() : nullptr; }

std::string Zygotes::runtime_of(uint64_t key) const {
  return key < entries_.size() ? entries_[key].spec.name : std::string();
}

pid_t Zygotes::drop(const std::string& runtime) {
  for (auto& entry : entries_) {
    if (entry.spec.name != runtime || !entry.zygote) continue;
    const pid_t group = entry.zygote->pid();
    entry.zygote.reset();
    return group;
  }
  return 0;
}

void Zygotes::drop_all() {
  for (auto& entry : entries_) entry.zygote.reset();
}

}  // namespace hearth::warden
