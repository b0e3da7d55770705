#include "kernel/netlink.h"

#include <arpa/inet.h>
#include <linux/if_addr.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "kernel/netns.h"

namespace hearth::kernel {
namespace {

constexpr uint16_t kCreate = NLM_F_CREATE | NLM_F_EXCL;

bool is_set(const Mac& mac) {
  return std::any_of(mac.begin(), mac.end(), [](uint8_t byte) { return byte != 0; });
}

// Walks attributes; bounds are those of the received message.
template <typename Visit>
void each_attribute(const uint8_t* data, size_t size, Visit visit) {
  while (size >= sizeof(rtattr)) {
    rtattr head;
    std::memcpy(&head, data, sizeof head);
    if (head.rta_len < sizeof head || head.rta_len > size) return;
    visit(head.rta_type & NLA_TYPE_MASK, data + sizeof head, head.rta_len - sizeof head);
    const size_t step = std::min<size_t>(RTA_ALIGN(head.rta_len), size);
    data += step;
    size -= step;
  }
}

std::string text_of(const uint8_t* data, size_t size) {
  return std::string(reinterpret_cast<const char*>(data), strnlen(reinterpret_cast<const char*>(data), size));
}

std::string kind_in(const uint8_t* link_info, size_t size) {
  std::string kind;
  each_attribute(link_info, size, [&](int type, const uint8_t* value, size_t length) {
    if (type == IFLA_INFO_KIND) kind = text_of(value, length);
  });
  return kind;
}

LinkInfo read_link(const nlmsghdr* message) {
  const auto* body = static_cast<const ifinfomsg*>(NLMSG_DATA(message));
  LinkInfo info;
  info.ifindex = static_cast<uint32_t>(body->ifi_index);
  info.up = (body->ifi_flags & IFF_UP) != 0;
  const auto* data = reinterpret_cast<const uint8_t*>(body) + NLMSG_ALIGN(sizeof *body);
  each_attribute(data, message->nlmsg_len - NLMSG_SPACE(sizeof *body),
                 [&](int type, const uint8_t* value, size_t size) {
                   if (type == IFLA_IFNAME) info.name = text_of(value, size);
                   if (type == IFLA_IFALIAS) info.alias = text_of(value, size);
                   if (type == IFLA_MTU && size >= 4) std::memcpy(&info.mtu, value, 4);
                   if (type == IFLA_MASTER && size >= 4) std::memcpy(&info.master, value, 4);
                   if (type == IFLA_ADDRESS && size == 6) std::memcpy(info.mac.data(), value, 6);
                   if (type == IFLA_LINKINFO) info.kind = kind_in(value, size);
                 });
  return info;
}

}  // namespace

std::string to_string(const Mac& mac) {
  char text[18];
  std::snprintf(text, sizeof text, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
  return text;
}

std::string address_text(uint32_t host_order) {
  char text[INET_ADDRSTRLEN];
  const uint32_t network = htonl(host_order);
  inet_ntop(AF_INET, &network, text, sizeof text);
  return text;
}

Result<uint32_t> parse_address(const std::string& text) {
  in_addr address{};
  if (inet_pton(AF_INET, text.c_str(), &address) != 1) return fail(Kind::invalid, "'" + text + "' is no IPv4 address");
  return ntohl(address.s_addr);
}

Result<Prefix> parse_prefix(const std::string& text) {
  const size_t slash = text.find('/');
  if (slash == std::string::npos) return fail(Kind::invalid, "'" + text + "' is no IPv4 prefix");
  TRY_ASSIGN(const uint32_t address, parse_address(text.substr(0, slash)));
  const std::string length = text.substr(slash + 1);
  const bool digits = !length.empty() && length.size() <= 2 &&
                      std::all_of(length.begin(), length.end(), [](char c) { return c >= '0' && c <= '9'; });
  const int value = digits ? std::atoi(length.c_str()) : 33;
  if (value > 32) return fail(Kind::invalid, "'" + text + "' is no IPv4 prefix");
  return Prefix{address, value};
}

// ---- Batch ------------------------------------------------------------------------------------------------------

size_t Batch::begin(uint16_t type, uint16_t flags, std::string what) {
  const size_t start = buffer_.size();
  nlmsghdr head{};
  head.nlmsg_type = type;
  head.nlmsg_flags = static_cast<uint16_t>(NLM_F_REQUEST | flags);
  head.nlmsg_seq = static_cast<uint32_t>(what_.size());
  raw(&head, sizeof head);
  what_.push_back(std::move(what));
  return start;
}

void Batch::end(size_t start) {
  const auto length = static_cast<uint32_t>(buffer_.size() - start);
  std::memcpy(buffer_.data() + start, &length, sizeof length);
}

void Batch::raw(const void* data, size_t size) {
  const auto* bytes = static_cast<const uint8_t*>(data);
  buffer_.insert(buffer_.end(), bytes, bytes + size);
  buffer_.resize(NLMSG_ALIGN(buffer_.size()));
}

void Batch::attribute(uint16_t type, const void* data, size_t size) {
  rtattr head{};
  head.rta_type = type;
  head.rta_len = static_cast<uint16_t>(RTA_LENGTH(size));
  raw(&head, sizeof head);
  if (size > 0) raw(data, size);
}

void Batch::text(uint16_t type, const std::string& value) { attribute(type, value.c_str(), value.size() + 1); }
void Batch::number(uint16_t type, uint32_t value) { attribute(type, &value, sizeof value); }

size_t Batch::nest(uint16_t type) {
  const size_t start = buffer_.size();
  attribute(type, nullptr, 0);
  return start;
}

void Batch::close(size_t nested) {
  const auto length = static_cast<uint16_t>(buffer_.size() - nested);
  std::memcpy(buffer_.data() + nested, &length, sizeof length);
}

void Batch::link_end(const LinkEnd& end) {
  text(IFLA_IFNAME, end.name);
  if (end.netns >= 0) number(IFLA_NET_NS_FD, static_cast<uint32_t>(end.netns));
  if (is_set(end.mac)) attribute(IFLA_ADDRESS, end.mac.data(), end.mac.size());
  if (end.mtu != 0) number(IFLA_MTU, end.mtu);
  // A queue a processor (the default of veth) costs time and memory, and software devices have no lock to spread.
  number(IFLA_NUM_TX_QUEUES, 1);
  number(IFLA_NUM_RX_QUEUES, 1);
}

void Batch::veth(const LinkEnd& near, const LinkEnd& far) {
  const size_t start = begin(RTM_NEWLINK, kCreate, "make veth " + near.name);
  ifinfomsg body{};
  body.ifi_index = static_cast<int>(near.ifindex);
  raw(&body, sizeof body);
  link_end(near);
  const size_t info = nest(IFLA_LINKINFO);
  text(IFLA_INFO_KIND, "veth");
  const size_t data = nest(IFLA_INFO_DATA);
  const size_t peer = nest(VETH_INFO_PEER);
  ifinfomsg peer_body{};
  peer_body.ifi_index = static_cast<int>(far.ifindex);
  raw(&peer_body, sizeof peer_body);
  link_end(far);
  close(peer);
  close(data);
  close(info);
  end(start);
}

void Batch::bridge(const std::string& name) {
  const size_t start = begin(RTM_NEWLINK, kCreate, "make bridge " + name);
  ifinfomsg body{};
  raw(&body, sizeof body);
  text(IFLA_IFNAME, name);
  const size_t info = nest(IFLA_LINKINFO);
  text(IFLA_INFO_KIND, "bridge");
  const size_t data = nest(IFLA_INFO_DATA);
  number(IFLA_BR_STP_STATE, 0);
  number(IFLA_BR_FORWARD_DELAY, 0);
  const uint8_t off = 0;
  attribute(IFLA_BR_MCAST_SNOOPING, &off, sizeof off);
  close(data);
  close(info);
  end(start);
}

void Batch::vxlan(const LinkEnd& link, uint32_t vni, uint32_t remote, uint16_t port) {
  const size_t start = begin(RTM_NEWLINK, kCreate, "make vxlan " + link.name);
  ifinfomsg body{};
  raw(&body, sizeof body);
  link_end(link);
  const size_t info = nest(IFLA_LINKINFO);
  text(IFLA_INFO_KIND, "vxlan");
  const size_t data = nest(IFLA_INFO_DATA);
  number(IFLA_VXLAN_ID, vni);
  number(IFLA_VXLAN_GROUP, htonl(remote));
  const uint16_t network_port = htons(port);
  attribute(IFLA_VXLAN_PORT, &network_port, sizeof network_port);
  close(data);
  close(info);
  end(start);
}

void Batch::up(uint32_t ifindex) {
  const size_t start = begin(RTM_NEWLINK, 0, "set interface up");
  ifinfomsg body{};
  body.ifi_index = static_cast<int>(ifindex);
  body.ifi_flags = IFF_UP;
  body.ifi_change = IFF_UP;
  raw(&body, sizeof body);
  end(start);
}

void Batch::up(const std::string& name) {
  const size_t start = begin(RTM_NEWLINK, 0, "set interface up: " + name);
  ifinfomsg body{};
  body.ifi_flags = IFF_UP;
  body.ifi_change = IFF_UP;
  raw(&body, sizeof body);
  text(IFLA_IFNAME, name);
  end(start);
}

void Batch::master(uint32_t ifindex, uint32_t master) {
  const size_t start = begin(RTM_NEWLINK, 0, "put interface on its bridge");
  ifinfomsg body{};
  body.ifi_index = static_cast<int>(ifindex);
  raw(&body, sizeof body);
  number(IFLA_MASTER, master);
  end(start);
}

void Batch::alias(uint32_t ifindex, const std::string& value) {
  const size_t start = begin(RTM_NEWLINK, 0, "set interface alias");
  ifinfomsg body{};
  body.ifi_index = static_cast<int>(ifindex);
  raw(&body, sizeof body);
  attribute(IFLA_IFALIAS, value.data(), value.size());
  end(start);
}

void Batch::remove(uint32_t ifindex) {
  const size_t start = begin(RTM_DELLINK, 0, "delete interface");
  ifinfomsg body{};
  body.ifi_index = static_cast<int>(ifindex);
  raw(&body, sizeof body);
  end(start);
}

void Batch::remove(const std::string& name) {
  const size_t start = begin(RTM_DELLINK, 0, "delete interface " + name);
  ifinfomsg body{};
  raw(&body, sizeof body);
  text(IFLA_IFNAME, name);
  end(start);
}

void Batch::address(uint32_t ifindex, uint32_t address, int prefix_length) {
  const size_t start = begin(RTM_NEWADDR, kCreate, "add address " + address_text(address));
  ifaddrmsg body{};
  body.ifa_family = AF_INET;
  body.ifa_prefixlen = static_cast<uint8_t>(prefix_length);
  body.ifa_index = ifindex;
  raw(&body, sizeof body);
  number(IFA_LOCAL, htonl(address));
  number(IFA_ADDRESS, htonl(address));
  end(start);
}

void Batch::default_route(uint32_t ifindex, uint32_t via) {
  const size_t start = begin(RTM_NEWROUTE, kCreate, "add default route");
  rtmsg body{};
  body.rtm_family = AF_INET;
  body.rtm_table = RT_TABLE_MAIN;
  body.rtm_protocol = RTPROT_STATIC;
  body.rtm_scope = RT_SCOPE_UNIVERSE;
  body.rtm_type = RTN_UNICAST;
  body.rtm_flags = RTNH_F_ONLINK;
  raw(&body, sizeof body);
  number(RTA_GATEWAY, htonl(via));
  number(RTA_OIF, ifindex);
  end(start);
}

void Batch::permanent_neighbour(uint32_t ifindex, uint32_t address, const Mac& mac) {
  const size_t start = begin(RTM_NEWNEIGH, kCreate, "add neighbour " + address_text(address));
  ndmsg body{};
  body.ndm_family = AF_INET;
  body.ndm_ifindex = static_cast<int>(ifindex);
  body.ndm_state = NUD_PERMANENT;
  raw(&body, sizeof body);
  number(NDA_DST, htonl(address));
  attribute(NDA_LLADDR, mac.data(), mac.size());
  end(start);
}

void Batch::clsact(uint32_t ifindex) {
  const size_t start = begin(RTM_NEWQDISC, NLM_F_CREATE, "add clsact");
  tcmsg body{};
  body.tcm_family = AF_UNSPEC;
  body.tcm_ifindex = static_cast<int>(ifindex);
  body.tcm_handle = TC_H_MAKE(TC_H_CLSACT, 0);
  body.tcm_parent = TC_H_CLSACT;
  raw(&body, sizeof body);
  text(TCA_KIND, "clsact");
  end(start);
}

void Batch::program(uint32_t ifindex, Hook hook, int program, const std::string& name) {
  const size_t start = begin(RTM_NEWTFILTER, NLM_F_CREATE | NLM_F_REPLACE, "attach program " + name);
  tcmsg body{};
  body.tcm_family = AF_UNSPEC;
  body.tcm_ifindex = static_cast<int>(ifindex);
  body.tcm_handle = 1;
  body.tcm_parent = TC_H_MAKE(TC_H_CLSACT, hook == Hook::ingress ? TC_H_MIN_INGRESS : TC_H_MIN_EGRESS);
  body.tcm_info = TC_H_MAKE(1u << 16, htons(ETH_P_ALL));
  raw(&body, sizeof body);
  text(TCA_KIND, "bpf");
  const size_t options = nest(TCA_OPTIONS);
  number(TCA_BPF_FD, static_cast<uint32_t>(program));
  text(TCA_BPF_NAME, name);
  number(TCA_BPF_FLAGS, TCA_BPF_FLAG_ACT_DIRECT);
  close(options);
  end(start);
}

// ---- Netlink ----------------------------------------------------------------------------------------------------

Result<Netlink> Netlink::open() {
  Fd socket(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
  if (!socket.valid()) return fail_errno("socket(netlink)");
  const int on = 1;
  setsockopt(socket.get(), SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof on);
  sockaddr_nl self{};
  self.nl_family = AF_NETLINK;
  if (bind(socket.get(), reinterpret_cast<sockaddr*>(&self), sizeof self) != 0) return fail_errno("bind(netlink)");
  return Netlink(std::move(socket));
}

Result<Netlink> Netlink::open_in(int netns) {
  TRY_ASSIGN(auto inside, NetnsScope::enter(netns));
  return open();
}

Result<size_t> Netlink::receive() {
  for (;;) {
    const ssize_t size = recv(socket_.get(), received_.data(), received_.size(), 0);
    if (size >= 0) return static_cast<size_t>(size);
    if (errno != EINTR) return fail_errno("recv(netlink)");
  }
}

Result<> Netlink::run(const Batch& batch) {
  if (batch.what_.empty()) return {};
  if (batch.buffer_.size() > Batch::kMaxBatch) return fail(Kind::exhausted, "netlink batch is too long");
  std::vector<uint8_t> bytes = batch.buffer_;
  const uint32_t first = sequence_ + 1;
  const auto count = static_cast<uint32_t>(batch.what_.size());
  sequence_ += count;
  for (size_t at = 0; at < bytes.size();) {
    auto* head = reinterpret_cast<nlmsghdr*>(bytes.data() + at);
    head->nlmsg_seq += first;
    // Errors are always told; of success only the last request's is asked for.
    if (head->nlmsg_seq == first + count - 1) head->nlmsg_flags |= NLM_F_ACK;
    at += NLMSG_ALIGN(head->nlmsg_len);
  }
  if (send(socket_.get(), bytes.data(), bytes.size(), 0) < 0) return fail_errno("send(netlink)");
  Result<> outcome;
  for (bool last = false; !last;) {
    TRY_ASSIGN(size_t size, receive());
    auto* head = reinterpret_cast<nlmsghdr*>(received_.data());
    for (; NLMSG_OK(head, size); head = NLMSG_NEXT(head, size)) {
      if (head->nlmsg_type != NLMSG_ERROR || head->nlmsg_seq - first >= count) continue;
      const int error = -static_cast<const nlmsgerr*>(NLMSG_DATA(head))->error;
      if (error != 0 && outcome) outcome = fail_errno(batch.what_[head->nlmsg_seq - first], error);
      last = last || head->nlmsg_seq == first + count - 1;
    }
  }
  return outcome;
}

Result<std::vector<uint8_t>> Netlink::dump(uint16_t type) {
  struct {
    nlmsghdr head;
    ifinfomsg body;
  } request{};
  request.head.nlmsg_len = sizeof request;
  request.head.nlmsg_type = type;
  request.head.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
  request.head.nlmsg_seq = ++sequence_;
  request.body.ifi_family = type == RTM_GETADDR ? AF_INET : AF_UNSPEC;
  if (send(socket_.get(), &request, sizeof request, 0) < 0) return fail_errno("send(netlink)");
  std::vector<uint8_t> all;
  for (;;) {
    TRY_ASSIGN(size_t size, receive());
    auto* head = reinterpret_cast<nlmsghdr*>(received_.data());
    for (; NLMSG_OK(head, size); head = NLMSG_NEXT(head, size)) {
      if (head->nlmsg_seq != sequence_) continue;
      if (head->nlmsg_type == NLMSG_DONE) return all;
      if (head->nlmsg_type == NLMSG_ERROR)
        return fail_errno("dump(netlink)", -static_cast<const nlmsgerr*>(NLMSG_DATA(head))->error);
      const auto* bytes = reinterpret_cast<const uint8_t*>(head);
      all.insert(all.end(), bytes, bytes + NLMSG_ALIGN(head->nlmsg_len));
    }
  }
}

Result<std::vector<LinkInfo>> Netlink::links() {
  TRY_ASSIGN(auto all, dump(RTM_GETLINK));
  std::vector<LinkInfo> links;
  size_t size = all.size();
  for (auto* head = reinterpret_cast<nlmsghdr*>(all.data()); NLMSG_OK(head, size); head = NLMSG_NEXT(head, size)) {
    if (head->nlmsg_type == RTM_NEWLINK) links.push_back(read_link(head));
  }
  return links;
}

Result<std::vector<uint32_t>> Netlink::addresses() {
  TRY_ASSIGN(auto all, dump(RTM_GETADDR));
  std::vector<uint32_t> addresses;
  size_t size = all.size();
  for (auto* head = reinterpret_cast<nlmsghdr*>(all.data()); NLMSG_OK(head, size); head = NLMSG_NEXT(head, size)) {
    if (head->nlmsg_type != RTM_NEWADDR) continue;
    const auto* body = static_cast<const ifaddrmsg*>(NLMSG_DATA(head));
    const auto* data = reinterpret_cast<const uint8_t*>(body) + NLMSG_ALIGN(sizeof *body);
    each_attribute(data, head->nlmsg_len - NLMSG_SPACE(sizeof *body),
                   [&](int type, const uint8_t* value, size_t length) {
                     uint32_t address = 0;
                     if (type != IFA_LOCAL || length != sizeof address) return;
                     std::memcpy(&address, value, sizeof address);
                     addresses.push_back(ntohl(address));
                   });
  }
  return addresses;
}

Result<LinkInfo> Netlink::one_link(uint32_t ifindex, const std::string& name) {
  struct {
    nlmsghdr head;
    ifinfomsg body;
    rtattr attribute;
    char name[IFNAMSIZ];
  } request{};
  if (name.size() >= IFNAMSIZ) return fail(Kind::invalid, "interface name '" + name + "' is too long");
  request.head.nlmsg_len = sizeof request;
  request.head.nlmsg_type = RTM_GETLINK;
  request.head.nlmsg_flags = NLM_F_REQUEST;
  request.head.nlmsg_seq = ++sequence_;
  request.body.ifi_index = static_cast<int>(ifindex);
  request.attribute.rta_type = IFLA_IFNAME;
  request.attribute.rta_len = RTA_LENGTH(IFNAMSIZ);
  std::memcpy(request.name, name.data(), name.size());
  if (name.empty()) request.head.nlmsg_len = NLMSG_LENGTH(sizeof request.body);
  if (send(socket_.get(), &request, request.head.nlmsg_len, 0) < 0) return fail_errno("send(netlink)");
  for (;;) {
    TRY_ASSIGN(size_t size, receive());
    auto* head = reinterpret_cast<nlmsghdr*>(received_.data());
    for (; NLMSG_OK(head, size); head = NLMSG_NEXT(head, size)) {
      if (head->nlmsg_seq != sequence_) continue;
      if (head->nlmsg_type == RTM_NEWLINK) return read_link(head);
      if (head->nlmsg_type == NLMSG_ERROR)
        return fail_errno("interface " + (name.empty() ? std::to_string(ifindex) : name),
                          -static_cast<const nlmsgerr*>(NLMSG_DATA(head))->error);
    }
  }
}

Result<LinkInfo> Netlink::link(const std::string& name) { return one_link(0, name); }
Result<LinkInfo> Netlink::link(uint32_t ifindex) { return one_link(ifindex, ""); }

}  // namespace hearth::kernel
