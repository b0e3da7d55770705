#include "vpc/codec.h"

#include "base/json.h"
#include "store/registry.h"

namespace hearth::vpc {
namespace {

constexpr size_t kMaxText = 1024;  // of a value; a tag's may hold 256 characters of four bytes
constexpr size_t kMaxItems = 1000;

json::object tags_json(const std::map<std::string, std::string>& tags) {
  json::object out;
  for (const auto& [key, value] : tags) out[key] = value;
  return out;
}

Result<std::map<std::string, std::string>> read_texts(FieldReader& reader, std::string_view key) {
  std::map<std::string, std::string> out;
  const json::value* value = reader.member_or_null(key);
  if (value == nullptr) return out;
  const json::object* object = value->if_object();
  if (object == nullptr || object->size() > kMaxItems)
    return fail(Kind::invalid, reader.path() + "." + std::string(key) + " must be an object of texts");
  for (const auto& [name, item] : *object) {
    const json::string* text = item.if_string();
    if (text == nullptr || text->size() > kMaxText)
      return fail(Kind::invalid, reader.path() + "." + std::string(key) + " must be an object of texts");
    out.emplace(name, std::string(*text));
  }
  return out;
}

template <typename IdType>
Result<IdType> read_id(FieldReader& reader, std::string_view key) {
  TRY_ASSIGN(std::string text, reader.text(key, 64));
  return IdType(std::move(text));
}

json::object rule_json(const GroupRule& rule) {
  json::object out{{"id", rule.id},
                   {"egress", rule.egress},
                   {"protocol", rule.protocol},
                   {"from_port", rule.from_port},
                   {"to_port", rule.to_port}};
  if (!rule.cidr.empty()) out["cidr"] = rule.cidr;
  if (!rule.referenced_group.empty()) out["referenced_group"] = rule.referenced_group.str();
  if (!rule.description.empty()) out["description"] = rule.description;
  if (!rule.tags.empty()) out["tags"] = tags_json(rule.tags);
  return out;
}

Result<GroupRule> read_rule(const json::value& value) {
  TRY_ASSIGN(FieldReader reader, FieldReader::of(value, "rule"));
  GroupRule rule;
  TRY_ASSIGN(rule.id, reader.text("id", 64));
  TRY_ASSIGN(rule.egress, reader.flag_or("egress", false));
  TRY_ASSIGN(rule.protocol, reader.text("protocol", 16));
  TRY_ASSIGN(rule.from_port, reader.integer("from_port", -1, 65535));
  TRY_ASSIGN(rule.to_port, reader.integer("to_port", -1, 65535));
  TRY_ASSIGN(rule.cidr, reader.text_or("cidr", 64, ""));
  TRY_ASSIGN(std::string referenced, reader.text_or("referenced_group", 64, ""));
  rule.referenced_group = GroupId(std::move(referenced));
  TRY_ASSIGN(rule.description, reader.text_or("description", kMaxText, ""));
  TRY_ASSIGN(rule.tags, read_texts(reader, "tags"));
  TRY(reader.finish());
  return rule;
}

}  // namespace

std::string encode(const Vpc& vpc) {
  json::array nameservers(vpc.nameservers.begin(), vpc.nameservers.end());
  json::object out{{"id", vpc.id.str()},
                   {"account", vpc.account.str()},
                   {"cidr", vpc.cidr},
                   {"dns_support", vpc.dns_support},
                   {"dns_hostnames", vpc.dns_hostnames},
                   {"nameservers", std::move(nameservers)},
                   {"tags", tags_json(vpc.tags)}};
  return json::serialize(out);
}

std::string encode(const Subnet& subnet) {
  json::object out{{"id", subnet.id.str()},
                   {"account", subnet.account.str()},
                   {"vpc", subnet.vpc.str()},
                   {"cidr", subnet.cidr},
                   {"availability_zone", subnet.availability_zone},
                   {"public_addresses", subnet.public_addresses},
                   {"gateway_address", subnet.gateway_address},
                   {"gateway_mac", subnet.gateway_mac},
                   {"hosts", tags_json(subnet.hosts)},
                   {"bridge", subnet.bridge},
                   {"vlan", subnet.vlan},
                   {"vni", subnet.vni},
                   {"vxlan_remote", subnet.vxlan_remote},
                   {"tags", tags_json(subnet.tags)}};
  return json::serialize(out);
}

std::string encode(const Group& group) {
  json::array rules;
  for (const auto& rule : group.rules) rules.push_back(rule_json(rule));
  json::object out{{"id", group.id.str()},         {"account", group.account.str()},   {"vpc", group.vpc.str()},
                   {"name", group.name},           {"description", group.description}, {"rules", std::move(rules)},
                   {"tags", tags_json(group.tags)}};
  return json::serialize(out);
}

Result<Vpc> decode_vpc(std::string_view text) {
  TRY_ASSIGN(json::value value, parse_json(text, store::Registry::kMaxValue));
  TRY_ASSIGN(FieldReader reader, FieldReader::of(value, "vpc"));
  Vpc vpc;
  TRY_ASSIGN(vpc.id, read_id<VpcId>(reader, "id"));
  TRY_ASSIGN(vpc.account, read_id<AccountId>(reader, "account"));
  TRY_ASSIGN(vpc.cidr, reader.text("cidr", 32));
  TRY_ASSIGN(vpc.dns_support, reader.flag_or("dns_support", true));
  TRY_ASSIGN(vpc.dns_hostnames, reader.flag_or("dns_hostnames", false));
  TRY_ASSIGN(vpc.nameservers, reader.texts_or_none("nameservers", 3, 64));
  TRY_ASSIGN(vpc.tags, read_texts(reader, "tags"));
  TRY(reader.finish());
  return vpc;
}

Result<Subnet> decode_subnet(std::string_view text) {
  TRY_ASSIGN(json::value value, parse_json(text, store::Registry::kMaxValue));
  TRY_ASSIGN(FieldReader reader, FieldReader::of(value, "subnet"));
  Subnet subnet;
  TRY_ASSIGN(subnet.id, read_id<SubnetId>(reader, "id"));
  TRY_ASSIGN(subnet.account, read_id<AccountId>(reader, "account"));
  TRY_ASSIGN(subnet.vpc, read_id<VpcId>(reader, "vpc"));
  TRY_ASSIGN(subnet.cidr, reader.text("cidr", 32));
  TRY_ASSIGN(subnet.availability_zone, reader.text("availability_zone", 64));
  TRY_ASSIGN(subnet.public_addresses, reader.flag_or("public_addresses", false));
  TRY_ASSIGN(subnet.gateway_address, reader.text_or("gateway_address", 32, ""));
  TRY_ASSIGN(subnet.gateway_mac, reader.text_or("gateway_mac", 32, ""));
  TRY_ASSIGN(subnet.hosts, read_texts(reader, "hosts"));
  TRY_ASSIGN(subnet.bridge, reader.text_or("bridge", 15, ""));
  TRY_ASSIGN(subnet.vlan, reader.integer_or("vlan", 0, 4094, 0));
  TRY_ASSIGN(subnet.vni, reader.integer_or("vni", 0, 0xffffff, 0));
  TRY_ASSIGN(subnet.vxlan_remote, reader.text_or("vxlan_remote", 32, ""));
  TRY_ASSIGN(subnet.tags, read_texts(reader, "tags"));
  TRY(reader.finish());
  return subnet;
}

Result<Group> decode_group(std::string_view text) {
  TRY_ASSIGN(json::value value, parse_json(text, store::Registry::kMaxValue));
  TRY_ASSIGN(FieldReader reader, FieldReader::of(value, "group"));
  Group group;
  TRY_ASSIGN(group.id, read_id<GroupId>(reader, "id"));
  TRY_ASSIGN(group.account, read_id<AccountId>(reader, "account"));
  TRY_ASSIGN(group.vpc, read_id<VpcId>(reader, "vpc"));
  TRY_ASSIGN(group.name, reader.text("name", kMaxText));
  TRY_ASSIGN(group.description, reader.text("description", kMaxText));
  TRY_ASSIGN(group.tags, read_texts(reader, "tags"));
  TRY_ASSIGN(std::vector<const json::value*> rules, reader.items_or_none("rules", kMaxItems));
  for (const json::value* item : rules) {
    TRY_ASSIGN(GroupRule rule, read_rule(*item));
    group.rules.push_back(std::move(rule));
  }
  TRY(reader.finish());
  return group;
}

}  // namespace hearth::vpc
