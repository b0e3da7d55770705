#include "warden/zygotes.h"

#include <utility>

namespace hearth::warden {

Zygotes::Zygotes(std::vector<container::RuntimeSpec> runtimes, std::string run_dir, Fd filter, Poller& poller,
                 const kernel::HomeNamespaces& home, size_t spawns_each)
    : run_dir_(std::move(run_dir)),
      filter_(std::move(filter)),
      poller_(&poller),
      home_(&home),
      spawns_each_(spawns_each) {
  for (auto& spec : runtimes) entries_.push_back({std::move(spec), nullptr});
}

Result<Zygotes> Zygotes::open(std::vector<container::RuntimeSpec> runtimes, std::string run_dir, Poller& poller,
                              const kernel::HomeNamespaces& home, size_t spawns_each) {
  TRY_ASSIGN(Fd filter, container::filter_file());
  return Zygotes(std::move(runtimes), std::move(run_dir), std::move(filter), poller, home, spawns_each);
}

std::vector<std::string> Zygotes::runtimes() const {
  std::vector<std::string> names;
  for (const auto& entry : entries_) names.push_back(entry.spec.name);
  return names;
}

Result<container::Zygote*> Zygotes::of(const std::string& runtime) {
  for (size_t key = 0; key < entries_.size(); ++key) {
    if (entries_[key].spec.name != runtime) continue;
    if (!entries_[key].zygote) TRY(start(key));
    return entries_[key].zygote.get();
  }
  return fail(Kind::invalid, "Runtime " + runtime + " is not installed here");
}

Result<> Zygotes::start(uint64_t key) {
  Entry& entry = entries_[key];
  TRY_ASSIGN(auto started,
             container::Zygote::start(entry.spec, run_dir_ + "/root-" + entry.spec.name, filter_.get(), *home_));
  TRY(poller_->add(started->socket(), {Source::zygote, key}));
  entry.zygote = std::move(started);
  return {};
}

Result<> Zygotes::renew_if_due(uint64_t key) {
  const auto* zygote = at(key);
  if (zygote == nullptr || zygote->unanswered() > 0) return {};
  const auto age = std::chrono::steady_clock::now() - zygote->started();
  if (zygote->asked() < spawns_each_ && (age < kMaxAge || zygote->asked() == 0)) return {};
  entries_[key].zygote.reset();
  return start(key);
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
