// Row 26: packets that are not as simple as others.
#include "tests/gateway/checklist/row.h"

namespace hearth::gateway::test {
namespace {

TEST_P(Checklist, Row26_UdpWithoutAChecksumKeepsNone) {
  Packet packet = a().udp(5000, host(), 53);
  packet.no_checksum = true;
  const auto seen = out(packet);
  ASSERT_TRUE(seen);
  Packet reply = answer(*seen);
  reply.no_checksum = true;
  const auto got = in(reply);
  holds("outbound", seen->no_checksum);
  holds("inbound", got && got->no_checksum);
}

}  // namespace
}  // namespace hearth::gateway::test
