#include "warden/protocol.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>
#include <map>
#include <utility>

#include "warden/protocol_words.h"
#include "warden/text_forms.h"

namespace hearth::warden {
namespace {

constexpr int64_t kMaxId = std::numeric_limits<int64_t>::max();

// Reads the fields of one message; each method takes the place where the value goes and refuses what does not fit.
class Reader {
 public:
  explicit Reader(FieldReader fields) : fields_(std::move(fields)) {}

  Result<> text(std::string_view key, std::string& value, size_t max_bytes) {
    TRY_ASSIGN(value, fields_.text(key, max_bytes));
    return {};
  }
  Result<> name(std::string_view key, std::string& value, size_t max_bytes = kMaxName) {
    TRY(text(key, value, max_bytes));
    return need(is_name(value, max_bytes), key, "is not a name");
  }
  Result<> name_or_empty(std::string_view key, std::string& value) {
    TRY(text(key, value, kMaxName));
    return need(value.empty() || is_name(value, kMaxName), key, "is not a name");
  }
  template <typename Tag>
  Result<> id(std::string_view key, Id<Tag>& value) {
    std::string text;
    TRY(name(key, text));
    value = Id<Tag>(std::move(text));
    return {};
  }
  Result<> id(std::string_view key, ContainerId& value) {
    std::string id_text;
    TRY(text(key, id_text, 17));
    TRY(need(is_container(id_text), key, "is not a container's id"));
    value = ContainerId(std::move(id_text));
    return {};
  }
  Result<> id(std::string_view key, PackageDigest& value) {
    std::string digest;
    TRY(text(key, digest, 64));
    TRY(need(is_digest(digest), key, "is not a digest"));
    value = PackageDigest(std::move(digest));
    return {};
  }
  Result<> ids(std::string_view key, std::vector<PackageDigest>& values, size_t max_count) {
    TRY_ASSIGN(auto texts, fields_.texts_or_none(key, max_count, 64));
    for (auto& digest : texts) {
      TRY(need(is_digest(digest), key, "holds what is not a digest"));
      values.emplace_back(std::move(digest));
    }
    return {};
  }
  Result<> addresses(std::string_view key, std::vector<std::string>& values, size_t max_count) {
    TRY_ASSIGN(values, fields_.texts_or_none(key, max_count, 15));
    for (const auto& value : values) TRY(need(is_address(value), key, "holds what is not an IPv4 address"));
    return {};
  }
  Result<> names(std::string_view key, std::vector<std::string>& values, size_t max_count) {
    TRY_ASSIGN(values, fields_.texts_or_none(key, max_count, kMaxName));
    for (const auto& value : values) TRY(need(is_name(value, kMaxName), key, "holds what is not a name"));
    return {};
  }
  Result<> address(std::string_view key, std::string& value) {
    TRY(text(key, value, 15));
    return need(is_address(value), key, "is not an IPv4 address");
  }
  Result<> address_or_empty(std::string_view key, std::string& value) {
    TRY(text(key, value, 15));
    return need(value.empty() || is_address(value), key, "is not an IPv4 address");
  }
  Result<> cidr(std::string_view key, std::string& value) {
    TRY(text(key, value, 18));
    return need(is_cidr(value), key, "is not an IPv4 range");
  }
  template <typename Integer>
  Result<> integer(std::string_view key, Integer& value, int64_t min, int64_t max) {
    TRY_ASSIGN(int64_t number, fields_.integer(key, min, max));
    value = static_cast<Integer>(number);
    return {};
  }
  Result<> flag(std::string_view key, bool& value) {
    TRY(fields_.member(key));
    TRY_ASSIGN(value, fields_.flag_or(key, false));
    return {};
  }
  template <size_t N>
  Result<> word(std::string_view key, std::string& value, const std::array<std::string_view, N>& words) {
    TRY(text(key, value, kMaxName));
    return need(std::ranges::find(words, value) != words.end(), key,
                fmt::format("must be one of {}", fmt::join(words, ", ")));
  }
  Result<> object(std::string_view key, json::object& value) {
    TRY_ASSIGN(const json::value* member, fields_.member(key));
    TRY(need(member->is_object(), key, "must be an object"));
    value = member->get_object();
    return {};
  }
  template <typename T>
  Result<> items(std::string_view key, std::vector<T>& values, size_t max_count);
  Result<> containers(std::string_view key, std::vector<ContainerInfo>& values);
  Result<> finish() const { return fields_.finish(); }

 private:
  static bool is_container(std::string_view text) {
    return text.size() == 17 && text[0] == 'c' && is_hex(text.substr(1));
  }
  static bool is_digest(std::string_view text) { return text.size() == 64 && is_hex(text); }
  Result<> need(bool holds, std::string_view key, std::string_view reason) const {
    if (holds) return {};
    return fail(Kind::invalid, fmt::format("{}.{} {}", fields_.path(), key, reason));
  }

  FieldReader fields_;
};

// Writes the fields of one message; its methods mirror Reader's, so that one `fields` function a message serves both.
class Writer {
 public:
  explicit Writer(json::object& object) : object_(&object) {}

  Result<> text(std::string_view key, const std::string& value, size_t = 0) { return put(key, json::string(value)); }
  Result<> name(std::string_view key, const std::string& value, size_t = 0) { return text(key, value); }
  Result<> name_or_empty(std::string_view key, const std::string& value) { return text(key, value); }
  template <typename Tag>
  Result<> id(std::string_view key, const Id<Tag>& value) {
    return text(key, value.str());
  }
  Result<> ids(std::string_view key, const std::vector<PackageDigest>& values, size_t) {
    json::array array;
    for (const auto& value : values) array.emplace_back(value.str());
    return put(key, std::move(array));
  }
  Result<> addresses(std::string_view key, const std::vector<std::string>& values, size_t) {
    return put(key, json::array(values.begin(), values.end()));
  }
  Result<> names(std::string_view key, const std::vector<std::string>& values, size_t) {
    return addresses(key, values, 0);
  }
  Result<> address(std::string_view key, const std::string& value) { return text(key, value); }
  Result<> address_or_empty(std::string_view key, const std::string& value) { return text(key, value); }
  Result<> cidr(std::string_view key, const std::string& value) { return text(key, value); }
  Result<> integer(std::string_view key, int64_t value, int64_t, int64_t) { return put(key, value); }
  Result<> flag(std::string_view key, bool value) { return put(key, value); }
  template <size_t N>
  Result<> word(std::string_view key, const std::string& value, const std::array<std::string_view, N>&) {
    return text(key, value);
  }
  Result<> object(std::string_view key, const json::object& value) { return put(key, value); }
  template <typename T>
  Result<> items(std::string_view key, std::vector<T>& values, size_t max_count);
  Result<> containers(std::string_view key, const std::vector<ContainerInfo>& values);

 private:
  Result<> put(std::string_view key, json::value value) {
    (*object_)[json::string_view(key.data(), key.size())] = std::move(value);
    return {};
  }

  json::object* object_;
};

// ---- the fields of each message, for reading and writing alike

template <typename A>
Result<> fields(A& a, Hello& m) {
  return a.integer("version", m.version, 0, 1'000'000);
}
template <typename A>
Result<> fields(A&, ListContainers&) {
  return {};
}
template <typename A>
Result<> fields(A& a, MakeContainer& m) {
  return a.name("runtime", m.runtime);
}
template <typename A>
Result<> fields(A& a, AdoptContainer& m) {
  return a.id("container", m.container);
}
template <typename A>
Result<> fields(A& a, Bind& m) {
  TRY(a.id("container", m.container));
  TRY(a.id("package", m.package));
  TRY(a.ids("layers", m.layers, kMaxLayers));
  TRY(a.integer("memory_mib", m.memory_mib, 128, 10240));
  TRY(a.integer("tmp_mib", m.tmp_mib, 512, 10240));
  TRY(a.name_or_empty("attachment", m.attachment));
  TRY(a.name_or_empty("policy", m.policy));
  TRY(a.addresses("nameservers", m.nameservers, kMaxNameservers));
  return a.text("start", m.start, kMaxStart);
}
template <typename A>
Result<> fields(A& a, Kill& m) {
  return a.id("container", m.container);
}
template <typename A>
Result<> fields(A& a, Freeze& m) {
  TRY(a.id("container", m.container));
  return a.flag("frozen", m.frozen);
}
template <typename A>
Result<> fields(A& a, EnsureGateway& m) {
  TRY(a.id("gateway", m.gateway));
  return a.word("driver", m.driver, kDrivers);
}
template <typename A>
Result<> fields(A& a, EnsureVpc& m) {
  return a.id("vpc", m.vpc);
}
template <typename A>
Result<> fields(A& a, EnsureSubnet& m) {
  TRY(a.id("vpc", m.vpc));
  TRY(a.id("subnet", m.subnet));
  return a.cidr("cidr", m.cidr);
}
template <typename A>
Result<> fields(A& a, DeleteVpc& m) {
  return a.id("vpc", m.vpc);
}
template <typename A>
Result<> fields(A& a, DeleteSubnet& m) {
  TRY(a.id("vpc", m.vpc));
  return a.id("subnet", m.subnet);
}
template <typename A>
Result<> fields(A& a, EnsureAttachment& m) {
  TRY(a.id("gateway", m.gateway));
  TRY(a.name("attachment", m.attachment));
  TRY(a.id("vpc", m.vpc));
  TRY(a.id("subnet", m.subnet));
  return a.address("address", m.address);
}
template <typename A>
Result<> fields(A& a, EnsureOutside& m) {
  return a.id("gateway", m.gateway);
}
template <typename A>
Result<> fields(A& a, DeleteAttachment& m) {
  return a.name("attachment", m.attachment);
}
template <typename A>
Result<> fields(A& a, EgressRule& m) {
  TRY(a.word("protocol", m.protocol, kProtocols));
  TRY(a.integer("from_port", m.from_port, -1, 65535));  // -1: all types, as EC2 writes ICMP rules
  TRY(a.integer("to_port", m.to_port, -1, 65535));
  return a.cidr("cidr", m.cidr);
}
template <typename A>
Result<> fields(A& a, EnsurePolicy& m) {
  TRY(a.name("policy", m.policy));
  return a.items("egress", m.egress, kMaxRules);
}
template <typename A>
Result<> fields(A& a, DeletePolicy& m) {
  return a.name("policy", m.policy);
}
template <typename A>
Result<> fields(A& a, AddVpcHost& m) {
  TRY(a.id("vpc", m.vpc));
  TRY(a.id("subnet", m.subnet));
  TRY(a.name("name", m.name));
  return a.address("address", m.address);
}
template <typename A>
Result<> fields(A& a, DeleteVpcHost& m) {
  return a.name("name", m.name);
}
template <typename A>
Result<> fields(A& a, AttachVpcBridge& m) {
  TRY(a.id("vpc", m.vpc));
  TRY(a.id("subnet", m.subnet));
  TRY(a.name("bridge", m.bridge, kMaxInterface));
  return a.integer("vlan", m.vlan, 0, 4094);
}
template <typename A>
Result<> fields(A& a, AttachVpcVxlan& m) {
  TRY(a.id("vpc", m.vpc));
  TRY(a.id("subnet", m.subnet));
  TRY(a.integer("vni", m.vni, 1, 16'777'215));
  return a.address("remote", m.remote);
}
template <typename A>
Result<> fields(A& a, DetachVpc& m) {
  TRY(a.id("vpc", m.vpc));
  return a.id("subnet", m.subnet);
}
template <typename A>
Result<> fields(A& a, ListNetwork& m) {
  TRY(a.word("kind", m.kind, kNetworkKinds));
  return a.name_or_empty("after", m.after);
}
template <typename A>
Result<> fields(A& a, GatewayStats& m) {
  TRY(a.id("gateway", m.gateway));
  return a.names("attachments", m.attachments, kMaxStats);
}
template <typename A>
Result<> fields(A& a, TakeBlocks& m) {
  TRY(a.id("gateway", m.gateway));
  TRY(a.integer("epoch", m.epoch, 0, kMaxId));
  return a.integer("serial", m.serial, 0, kMaxId);
}

template <typename A>
Result<> fields(A&, Done&) {
  return {};
}
template <typename A>
Result<> fields(A& a, HelloReply& m) {
  TRY(a.integer("version", m.version, 0, 1'000'000));
  TRY(a.names("runtimes", m.runtimes, 64));
  return a.name("cgroup", m.cgroup);
}
template <typename A>
Result<> fields(A& a, ListContainersReply& m) {
  return a.containers("containers", m.containers);
}
template <typename A>
Result<> fields(A& a, ContainerReply& m) {
  TRY(a.id("container", m.container));
  return a.address_or_empty("address", m.address);
}
template <typename A>
Result<> fields(A& a, BindReply& m) {
  TRY(a.integer("mount_ns", m.mount_ns, 0, kMaxId));
  TRY(a.integer("limits_ns", m.limits_ns, 0, kMaxId));
  TRY(a.integer("network_ns", m.network_ns, 0, kMaxId));
  return a.integer("message_ns", m.message_ns, 0, kMaxId);
}
template <typename A>
Result<> fields(A& a, AttachmentReply& m) {
  TRY(a.integer("tag", m.tag, 0, 4094));
  TRY(a.text("mac", m.mac, 17));
  TRY(a.address_or_empty("address", m.address));
  return a.flag("proven", m.proven);
}
template <typename A>
Result<> fields(A& a, NetworkName& m) {
  TRY(a.name("name", m.name));
  return a.name_or_empty("vpc", m.vpc);
}
template <typename A>
Result<> fields(A& a, ListNetworkReply& m) {
  TRY(a.items("names", m.names, kMaxListed));
  return a.flag("more", m.more);
}
template <typename A>
Result<> fields(A& a, GatewayStatsReply& m) {
  return a.object("counters", m.counters);
}
template <typename A>
Result<> fields(A& a, BlockChange& m) {
  TRY(a.word("what", m.what, kBlockChanges));
  TRY(a.integer("at_ms", m.at_ms, 0, kMaxId));
  TRY(a.name_or_empty("attachment", m.attachment));
  TRY(a.name_or_empty("vpc", m.vpc));
  TRY(a.address_or_empty("external", m.external));
  TRY(a.address_or_empty("container", m.container));
  TRY(a.integer("first_port", m.first_port, 0, 65535));
  return a.integer("count", m.count, 0, std::numeric_limits<uint32_t>::max());
}
template <typename A>
Result<> fields(A& a, TakeBlocksReply& m) {
  TRY(a.integer("epoch", m.epoch, 0, kMaxId));
  TRY(a.integer("serial", m.serial, 0, kMaxId));
  return a.items("changes", m.changes, kMaxChanges);
}
template <typename A>
Result<> fields(A& a, ContainerGone& m) {
  TRY(a.id("container", m.container));
  TRY(a.word("cause", m.cause, kCauses));
  TRY(a.integer("code", m.code, -1, 65535));
  return a.flag("out_of_memory", m.out_of_memory);
}

template <typename T>
Result<> Reader::items(std::string_view key, std::vector<T>& values, size_t max_count) {
  TRY_ASSIGN(auto elements, fields_.items_or_none(key, max_count));
  for (const json::value* element : elements) {
    TRY_ASSIGN(auto inner, FieldReader::of(*element, fmt::format("{}.{}", fields_.path(), key)));
    Reader reader(std::move(inner));
    TRY(fields(reader, values.emplace_back()));
    TRY(reader.finish());
  }
  return {};
}

template <typename T>
Result<> Writer::items(std::string_view key, std::vector<T>& values, size_t) {
  json::array array;
  for (auto& value : values) {
    json::object object;
    Writer writer(object);
    TRY(fields(writer, value));
    array.emplace_back(std::move(object));
  }
  return put(key, std::move(array));
}

// Thousands of containers fit one datagram because they are grouped: [{"runtime","state","ids":[…]}].
struct ContainerGroup {
  std::string runtime;
  std::string state;
};

Result<> Reader::containers(std::string_view key, std::vector<ContainerInfo>& values) {
  TRY_ASSIGN(auto groups, fields_.items_or_none(key, kMaxContainers));
  for (const json::value* element : groups) {
    TRY_ASSIGN(auto inner, FieldReader::of(*element, fmt::format("{}.{}", fields_.path(), key)));
    Reader reader(std::move(inner));
    ContainerGroup group;
    TRY(reader.name("runtime", group.runtime));
    TRY(reader.word("state", group.state, kStates));
    auto state = static_cast<ContainerState>(std::ranges::find(kStates, group.state) - kStates.begin());
    TRY_ASSIGN(auto ids, reader.fields_.texts_or_none("ids", kMaxContainers - values.size(), 17));
    for (auto& id : ids) {
      TRY(need(is_container(id), key, "holds what is not a container's id"));
      values.push_back({ContainerId(std::move(id)), group.runtime, state});
    }
    TRY(reader.finish());
  }
  return {};
}

Result<> Writer::containers(std::string_view key, const std::vector<ContainerInfo>& values) {
  std::map<std::pair<std::string, ContainerState>, json::array> groups;
  for (const auto& value : values) groups[{value.runtime, value.state}].emplace_back(value.container.str());
  json::array array;
  for (auto& [group, ids] : groups) {
    json::object object;
    object["runtime"] = group.first;
    object["state"] = json::string_view(kStates[static_cast<size_t>(group.second)]);
    object["ids"] = std::move(ids);
    array.emplace_back(std::move(object));
  }
  return put(key, std::move(array));
}

// ---- variants

template <typename Variant, size_t... I>
Variant make_alternative(size_t index, std::index_sequence<I...>) {
  Variant made;
  ((I == index ? void(made.template emplace<I>()) : void()), ...);
  return made;
}

template <typename Variant, size_t N>
std::optional<Variant> alternative_named(std::string_view name, const std::array<std::string_view, N>& names) {
  auto found = std::ranges::find(names, name);
  if (found == names.end()) return std::nullopt;
  return make_alternative<Variant>(static_cast<size_t>(found - names.begin()), std::make_index_sequence<N>());
}

json::string_view view(std::string_view text) { return {text.data(), text.size()}; }

// At most kMaxErrorText bytes, and no part of a character at the end.
std::string_view cut_text(std::string_view text) {
  if (text.size() <= kMaxErrorText) return text;
  size_t size = kMaxErrorText;
  while (size > 0 && (static_cast<unsigned char>(text[size]) & 0xc0) == 0x80) --size;
  return text.substr(0, size);
}

template <typename Message>
void write_fields(json::object& object, Message message) {
  Writer writer(object);
  // Writing can't fail: only Reader refuses.
  (void)fields(writer, message);
}

Result<ReplyFrame> decode_error(int64_t id, const json::value& error) {
  TRY_ASSIGN(auto reader, FieldReader::of(error, "error"));
  TRY_ASSIGN(auto kind, reader.text("kind", kMaxName));
  TRY_ASSIGN(auto message, reader.text("message", kMaxErrorText));
  TRY(reader.finish());
  return ReplyFrame{id, std::unexpected(Error{kind_named(kind), std::move(message), 0, {}})};
}

Result<ServerFrame> decode_event(FieldReader fields_of_event) {
  TRY_ASSIGN(auto event, fields_of_event.text("event", kMaxName));
  if (event != "container_gone") return fail(Kind::invalid, "event " + event + " is not known");
  ContainerGone gone;
  Reader reader(std::move(fields_of_event));
  TRY(fields(reader, gone));
  TRY(reader.finish());
  return gone;
}

}  // namespace

std::string_view op_name(const Request& request) { return kOps[request.index()]; }

std::string encode(const RequestFrame& frame) {
  json::object object;
  object["id"] = frame.id;
  object["op"] = view(op_name(frame.request));
  std::visit([&](const auto& message) { write_fields(object, message); }, frame.request);
  return json::serialize(object);
}

std::string encode(const ReplyFrame& frame) {
  json::object object;
  object["id"] = frame.id;
  json::object body;
  if (frame.reply) {
    object["reply"] = view(kReplies[frame.reply->index()]);
    std::visit([&](const auto& message) { write_fields(body, message); }, *frame.reply);
    object["ok"] = std::move(body);
  } else {
    body["kind"] = view(to_string(frame.reply.error().kind));
    body["message"] = view(cut_text(frame.reply.error().with_reason()));
    object["error"] = std::move(body);
  }
  return json::serialize(object);
}

std::string encode(const ContainerGone& event) {
  json::object object;
  object["event"] = "container_gone";
  write_fields(object, event);
  return json::serialize(object);
}

Result<RequestFrame> decode_request(std::string_view datagram, std::optional<int64_t>* failed_id) {
  TRY_ASSIGN(auto value, parse_json(datagram, kMaxMessage));
  TRY_ASSIGN(auto top, FieldReader::of(value, "request"));
  TRY_ASSIGN(int64_t id, top.integer("id", 0, kMaxId));
  if (failed_id != nullptr) *failed_id = id;
  TRY_ASSIGN(auto op, top.text("op", kMaxName));
  auto request = alternative_named<Request>(op, kOps);
  if (!request) return fail(Kind::invalid, "request.op " + op + " is not known");
  Reader reader(std::move(top));
  TRY(std::visit([&](auto& message) { return fields(reader, message); }, *request));
  TRY(reader.finish());
  return RequestFrame{id, *std::move(request)};
}

Result<ServerFrame> decode_server_frame(std::string_view datagram) {
  TRY_ASSIGN(auto value, parse_json(datagram, kMaxMessage));
  TRY_ASSIGN(auto top, FieldReader::of(value, "frame"));
  if (top.member_or_null("event") != nullptr) return decode_event(std::move(top));
  TRY_ASSIGN(int64_t id, top.integer("id", 0, kMaxId));
  if (const json::value* error = top.member_or_null("error")) {
    TRY(top.finish());
    TRY_ASSIGN(auto frame, decode_error(id, *error));
    return frame;
  }
  TRY_ASSIGN(auto name, top.text("reply", kMaxName));
  auto reply = alternative_named<Reply>(name, kReplies);
  if (!reply) return fail(Kind::invalid, "frame.reply " + name + " is not known");
  TRY_ASSIGN(const json::value* ok, top.member("ok"));
  TRY(top.finish());
  TRY_ASSIGN(auto body, FieldReader::of(*ok, name));
  Reader reader(std::move(body));
  TRY(std::visit([&](auto& message) { return fields(reader, message); }, *reply));
  TRY(reader.finish());
  return ReplyFrame{id, *std::move(reply)};
}

}  // namespace hearth::warden
