#include "gateway/control.h"

#include <algorithm>
#include <cstring>

namespace hearth::gateway {
namespace {

template <typename Message>
std::string bytes_of(const Message& message) {
  return std::string(reinterpret_cast<const char*>(&message), sizeof message);
}

template <typename Message>
Result<Message> message_of(std::string_view datagram) {
  Message message;
  if (datagram.size() != sizeof message) return fail(Kind::invalid, "control message of a wrong size");
  std::memcpy(static_cast<void*>(&message), datagram.data(), sizeof message);
  if (message.version != kControlVersion) return fail(Kind::invalid, "control message of another version");
  return message;
}

constexpr uint32_t kKinds = static_cast<uint32_t>(Kind::internal) + 1;

}  // namespace

std::string encode(const ControlRequest& request) { return bytes_of(request); }
std::string encode(const ControlReply& reply) { return bytes_of(reply); }

Result<ControlRequest> decode_control_request(std::string_view datagram) {
  TRY_ASSIGN(auto request, message_of<ControlRequest>(datagram));
  if (request.op < ControlOp::hello || request.op > ControlOp::take)
    return fail(Kind::invalid, "unknown control operation");
  const bool tagless =
      request.op == ControlOp::hello || request.op == ControlOp::stats || request.op == ControlOp::take;
  if (request.tag > kMaxTag || (request.tag == 0 && !tagless)) return fail(Kind::invalid, "tag out of range");
  if (request.op == ControlOp::set_attachment &&
      (request.at.state < kAttachmentActive || request.at.state > kAttachmentDrops || request.at.mtu < 576))
    return fail(Kind::invalid, "attachment of a wrong shape");
  return request;
}

Result<ControlReply> decode_control_reply(std::string_view datagram) {
  TRY_ASSIGN(auto reply, message_of<ControlReply>(datagram));
  if (reply.failed > kKinds) return fail(Kind::invalid, "unknown error kind");
  if (reply.change_count > kMaxChangesEach) return fail(Kind::invalid, "too many changes of port blocks");
  for (uint32_t i = 0; i < reply.change_count; ++i) {
    const BlockChange& change = reply.changes[i];
    const bool has_ports = change.kind <= BlockChange::kReleased;
    if (change.kind < BlockChange::kGiven || change.kind > BlockChange::kResumed || change.tag > kMaxTag ||
        (has_ports && (change.first_port > 65535 || change.count == 0 || change.count > 65536 - change.first_port)))
      return fail(Kind::invalid, "change of a port block of a wrong shape");
  }
  reply.text[kMaxControlText - 1] = 0;
  return reply;
}

ControlReply failed_reply(uint32_t sequence, const Error& error) {
  ControlReply reply;
  reply.sequence = sequence;
  reply.failed = static_cast<uint32_t>(error.kind) + 1;
  const std::string text = error.describe();
  std::copy_n(text.data(), std::min(text.size(), kMaxControlText - 1), reply.text);
  return reply;
}

Result<ControlReply> outcome(const ControlReply& reply) {
  if (reply.failed != 0) return fail(static_cast<Kind>(reply.failed - 1), std::string("gateway: ") + reply.text);
  return reply;
}

}  // namespace hearth::gateway
