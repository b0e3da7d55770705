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
      {22, Kind::oracle, "UDP reaches the other container", "the router takes packets for its own address itself"},
      {22, Kind::oracle, "UDP comes from the address and port outside",
       "the router takes packets for its own address itself"},
      {22, Kind::oracle, "TCP reaches the other container", "the router takes packets for its own address itself"},
      {22, Kind::oracle, "TCP comes from the address and port outside",
       "the router takes packets for its own address itself"},
      {23, Kind::oracle, "a flood of parts stops nobody else",
       "all share one memory for reassembly (net.ipv4.ipfrag_high_thresh)"},
      {27, Kind::oracle, "one that has all it may have leaves others their due of ports",
       "all share the ports of the address"},
      {30, Kind::oracle, "an answer to it reaches nobody", "sessions are of an address, and its next owner gets them"},
      {3, Kind::netns, "a port below 1024 stays below", "ports below 1024 are never given"},
      {19, Kind::netns, "a wrong sum of the IP header",
       "it stays wrong, and the container's own stack drops the packet"},
      {23, Kind::netns, "outbound, in order", "fragments are dropped and counted, by now"},
      {23, Kind::netns, "outbound, out of order", "fragments are dropped and counted, by now"},
      {23, Kind::netns, "inbound, in order", "fragments are dropped and counted, by now"},
      {23, Kind::netns, "inbound, out of order", "fragments are dropped and counted, by now"},
      {23, Kind::netns, "a flood of parts stops nobody else", "fragments are dropped and counted, by now"},
      {24, Kind::netns, "inbound with DF: the sender is told the MTU",
       "nothing is compared with the container's MTU by now: it arrives uncut"},
      {24, Kind::netns, "inbound without: cut in parts",
       "nothing is compared with the container's MTU by now: it arrives uncut"},
      {3, Kind::vm, "a port below 1024 stays below", "ports below 1024 are never given"},
      {19, Kind::vm, "a wrong sum of the IP header", "it stays wrong, and the container's own stack drops the packet"},
      {23, Kind::vm, "outbound, in order", "fragments are dropped and counted, by now"},
      {23, Kind::vm, "outbound, out of order", "fragments are dropped and counted, by now"},
      {23, Kind::vm, "inbound, in order", "fragments are dropped and counted, by now"},
      {23, Kind::vm, "inbound, out of order", "fragments are dropped and counted, by now"},
      {23, Kind::vm, "a flood of parts stops nobody else", "fragments are dropped and counted, by now"},
      {24, Kind::vm, "inbound with DF: the sender is told the MTU",
       "what is longer than the container's MTU is dropped on its way by now"},
      {24, Kind::vm, "inbound without: cut in parts",
       "what is longer than the container's MTU is dropped on its way by now"},
  };
  return all;
}

}  // namespace hearth::gateway::test
