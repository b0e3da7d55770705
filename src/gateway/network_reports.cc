// What the network's gateways tell: counters, and what became of port blocks.
#include "gateway/network.h"

namespace hearth::gateway {

namespace {

int64_t seconds(uint32_t ticks) { return static_cast<int64_t>((uint64_t{ticks} << kTickShift) / 1'000'000'000); }

}  // namespace

Result<json::object> Network::counters_of(const SupervisedGateway& gateway, uint32_t tag,
                                          const ControlReply& reply) const {
  TRY_ASSIGN(json::object counters, programs_->counters(tag));
#define HEARTH_NAME(field) counters[#field] = reply.counters.field;
  HEARTH_GATEWAY_COUNTERS(HEARTH_NAME)
#undef HEARTH_NAME
  if (tag == 0) {
    counters["restarts"] = gateway.restarts();
    counters["slots"] = slots_->living();
    counters["timeout_tcp_established_s"] = seconds(reply.limits.tcp_established);
    counters["timeout_tcp_transitory_s"] = seconds(reply.limits.tcp_transitory);
    counters["timeout_udp_s"] = seconds(reply.limits.udp);
    counters["timeout_icmp_s"] = seconds(reply.limits.icmp);
    counters["timeout_port_hold_s"] = seconds(reply.limits.hold);
    return counters;
  }
  counters["sessions"] = reply.sessions;
  counters["mappings"] = reply.mappings;
  counters["free_blocks"] = reply.free_blocks;
  return counters;
}

void Network::stats(const GatewayId& gateway, const std::vector<std::string>& attachments, StatsDone done) {
  auto found = gateway_of(gateway);
  if (!found) return done(std::unexpected(found.error()));
  SupervisedGateway* const supervised = *found;
  std::map<std::string, uint32_t> tags;
  for (const auto& name : attachments) {
    const auto known = programs_->attachments().find(name);
    if (known != programs_->attachments().end() && known->second.gateway == supervised->place().number)
      tags[name] = known->second.tag;
  }
  struct Gathering {
    size_t left;
    StatsDone done;
    json::object of_attachments{};
    json::object of_gateway{};
    Result<> outcome{};
  };
  const auto all = std::make_shared<Gathering>(tags.size() + 1, std::move(done));
  const auto ask = [this, supervised, all](const std::string& name, uint32_t tag) {
    ControlRequest request{.op = ControlOp::stats, .at = {}};
    request.tag = tag;
    const auto take = [this, supervised, all, name, tag](Result<ControlReply> reply) {
      auto counters =
          reply ? counters_of(*supervised, tag, *reply) : Result<json::object>(std::unexpected(reply.error()));
      if (!counters)
        all->outcome = std::unexpected(counters.error());
      else
        (tag == 0 ? all->of_gateway : all->of_attachments[name].emplace_object()) = *std::move(counters);
      if (--all->left > 0) return;
      if (!all->outcome) return all->done(std::unexpected(all->outcome.error()));
      all->done(json::object{{"attachments", std::move(all->of_attachments)},
                             {"gateway", std::move(all->of_gateway)},
                             {"driver", supervised->driver().name()}});
    };
    supervised->send(request, take, kStatsMs);
  };
  for (const auto& [name, tag] : tags) ask(name, tag);
  ask("", 0);
}

void Network::take_blocks(const GatewayId& gateway, uint64_t epoch, uint64_t serial, BlocksDone done) {
  auto found = gateway_of(gateway);
  if (!found) return done(std::unexpected(found.error()));
  const ControlRequest request{.op = ControlOp::take, .at = {}, .epoch = epoch, .serial = serial};
  const auto tell = [this, done = std::move(done)](Result<ControlReply> reply) {
    if (!reply) return done(std::unexpected(reply.error()));
    done(block_names_.named(*reply, programs_->attachments(), SystemClock().wall()));
  };
  (*found)->send(request, tell, kTakeAnswerMs);
}

}  // namespace hearth::gateway
