// What others' programs say of the gateway: coturn's NAT discovery (RFC 5780), scapy, iperf3, wrk. By both drivers.
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "kernel/netlink.h"
#include "kernel/netns.h"
#include "tests/gateway/checklist/hearth_subject.h"
#include "tests/gateway/checklist/program.h"
#include "tests/gateway/checklist/row.h"

namespace hearth::gateway::test {
namespace {

constexpr uint32_t kHost = 0x0a00000a;  // 10.0.0.10; the other address is the next one

// Packets of this namespace's stack leave eth0 with their sums in them, as over a wire.
void finish_sums(int netns) {
  const Fd socket = socket_in(netns, AF_INET, SOCK_DGRAM);
  ethtool_value off{.cmd = ETHTOOL_STXCSUM, .data = 0};
  ifreq request{};
  std::strncpy(request.ifr_name, "eth0", IFNAMSIZ - 1);
  request.ifr_data = reinterpret_cast<char*>(&off);
  EXPECT_EQ(ioctl(socket.get(), SIOCETHTOOL, &request), 0) << std::strerror(errno);
}

class Independent : public testing::TestWithParam<Kind> {
 protected:
  void SetUp() override {
    tenant_ = realm().make_tenant("green");
    slot_ = realm().make_slot();
    ASSERT_TRUE(realm().net().bind(slot_, tenant_.attachment, ""));
    host_ = netns_of(tenant_.host);
    auto netlink = kernel::Netlink::open_in(host_.get());
    kernel::Batch batch;
    batch.address(netlink->link(std::string("eth0"))->ifindex, kHost + 1, 24);
    ASSERT_TRUE(netlink->run(batch));
    std::filesystem::create_directory(folder_);
  }
  void TearDown() override {
    auto& net = realm().net();
    EXPECT_TRUE(net.release_slot(std::move(slot_)));
    tenant_.server.reset();
    host_.reset();
    EXPECT_TRUE(net.delete_vpc_host(tenant_.host));
    EXPECT_TRUE(net.delete_attachment(tenant_.attachment));
    EXPECT_TRUE(net.delete_subnet(tenant_.vpc, tenant_.subnet));
    EXPECT_TRUE(net.delete_vpc(tenant_.vpc));
    std::filesystem::remove_all(folder_);
  }
  Realm& realm() { return dynamic_cast<HearthSubject&>(subject_of(GetParam())).realm(); }
  int inside() { return slot_.netns.get(); }

  const std::string folder_ = "/tmp/hearth-gwc-independent";
  Realm::Tenant tenant_;
  Slot slot_;
  Fd host_;
};

TEST_P(Independent, CoturnDiscoversWhatKindOfNatItIs) {
  const Program server(host_.get(),
                       "turnserver -n --stun-only --no-cli --no-tls --no-dtls --listening-ip=10.0.0.10 "
                       "--listening-ip=10.0.0.11 --log-file=stdout --pidfile=" +
                           folder_ + "/pid --userdb=" + folder_ + "/db",
                       folder_ + "/log");
  ASSERT_TRUE(wait_for_text(folder_ + "/log", "Total General servers"));
  const Said said = run_program(inside(), "turnutils_natdiscovery -m -f 10.0.0.10");
  EXPECT_EQ(said.status, 0) << said.text;
  EXPECT_TRUE(said.text.contains("NAT with Endpoint Independent Mapping!")) << said.text;
  EXPECT_TRUE(said.text.contains("Dependent Filtering!")) << said.text;
  EXPECT_TRUE(said.text.contains("UDP reflexive addr: 10.0.0.4:")) << said.text;
}

TEST_P(Independent, IperfMovesDataBothWays) {
  for (const char* words : {"", "--reverse", "--udp --bitrate 5M"}) {
    SCOPED_TRACE(words);
    // Its server takes one test at a time, and listens anew for the next.
    const Program server(host_.get(), "iperf3 --server --one-off --forceflush --bind 10.0.0.10", folder_ + "/log");
    ASSERT_TRUE(wait_for_text(folder_ + "/log", "Server listening"));
    const Said said = run_program(inside(), std::string("iperf3 --client 10.0.0.10 --bytes 1M --json ") + words);
    EXPECT_EQ(said.status, 0) << said.text;
    EXPECT_FALSE(said.text.contains("\"error\"")) << said.text;
  }
}

TEST_P(Independent, WrkSeesNoErrorOfAnyConnection) {
  std::ofstream(folder_ + "/conf")
      << "daemon off; master_process off; pid " << folder_
      << "/pid; error_log stderr notice;\nevents { }\nhttp { access_log off; server { listen "
         "10.0.0.10:8080; location / { return 200 hearth; } } }\n";
  const Program server(host_.get(), "nginx -p " + folder_ + " -c " + folder_ + "/conf", folder_ + "/log");
  ASSERT_TRUE(wait_for_text(folder_ + "/log", "event method"));
  const Said said = run_program(inside(),
                                "wrk --threads 1 --connections 32 --duration 1s --header 'Connection: close' "
                                "http://10.0.0.10:8080/");
  EXPECT_EQ(said.status, 0) << said.text;
  EXPECT_TRUE(said.text.contains(" requests in ")) << said.text;
  EXPECT_FALSE(said.text.contains(" 0 requests in ")) << said.text;
  EXPECT_FALSE(said.text.contains("Socket errors")) << said.text;
  EXPECT_FALSE(said.text.contains("Non-2xx")) << said.text;
}

TEST_P(Independent, ScapySpeaksAndFuzzes) {
  finish_sums(host_.get());
  // The container's own stack knows nothing of scapy's connections and would reset them.
  ASSERT_EQ(run_in(inside(),
                   "nft 'table ip quiet { chain out { type filter hook output priority 0; tcp flags rst drop; }; }'"),
            0);
  const Said said = run_program(inside(), HEARTH_TEST_PYTHON " " HEARTH_TEST_SOURCE "/scapy_flows.py " + slot_.mac +
                                              " " + slot_.address + " 10.0.0.10 10.0.0.4");
  EXPECT_EQ(said.status, 0) << said.text;
  // After all that nobody should have sent, a container talks as before.
  EXPECT_EQ(greeting(inside(), "10.0.0.10"), "green 10.0.0.4");
}

INSTANTIATE_TEST_SUITE_P(, Independent, testing::Values(Kind::netns, Kind::vm), name_of);

}  // namespace
}  // namespace hearth::gateway::test
