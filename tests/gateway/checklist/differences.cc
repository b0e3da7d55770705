// Where a subject is known to differ from what a row says, and why. A row that is not asked of a subject says so
// itself.
#include "tests/gateway/checklist/row.h"

namespace hearth::gateway::test {

const std::vector<Difference>& differences() {
  static const std::vector<Difference> all = {
      {4, Kind::oracle, "the port outside is not the one inside", "it keeps the port where that is free"},
      {4, Kind::oracle, "the next port does not follow from the last", "it keeps the port where that is free"},
      {8, Kind::oracle, "at least two minutes, also before an answer",
       "30 s before an answer (nf_conntrack_udp_timeout)"},
      {8, Kind::oracle, "five minutes unless set otherwise", "two minutes (nf_conntrack_udp_timeout_stream)"},
      {9, Kind::oracle, "opening and closing at least 4 min",
       "30 s in one state, two minutes at most (nf_conntrack_tcp_timeout_last_ack and others)"},
      {10, Kind::oracle, "at least a minute", "30 s (nf_conntrack_icmp_timeout)"},
      {11, Kind::oracle, "the state is kept for four minutes", "10 s (nf_conntrack_tcp_timeout_close)"},
      {14, Kind::oracle, "neither is answered", "the router's own stack answers with RST what is nobody's"},
      {12, Kind::oracle, "for two minutes", "10 s behind an RST (nf_conntrack_tcp_timeout_close)"},
      {21, Kind::oracle, "a counter says so", "its packets are dropped uncounted"},
      {21, Kind::oracle, "the container is told: administratively prohibited",
       "its packets are dropped without a word"},
      {27, Kind::oracle, "one that has all it may have leaves others their due of ports",
       "all share the ports of the address"},
      {30, Kind::oracle, "an answer to it reaches nobody", "sessions are of an address, and its next owner gets them"},
  };
  return all;
}

}  // namespace hearth::gateway::test
