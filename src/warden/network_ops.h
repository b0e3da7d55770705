// The network requests of the protocol, handed to the FunctionNetwork.
#pragma once

#include <functional>

#include "base/result.h"
#include "gateway/function_network.h"
#include "warden/protocol.h"

namespace hearth::warden {

using ReplyWith = std::function<void(Result<Reply>)>;

// True when `request` is one of the network's: `reply` has run, or will run from network.dispatch().
bool answer_network_request(gateway::FunctionNetwork& network, const Request& request, const ReplyWith& reply);

// The page of `all` behind the name `after`, in order of names.
ListNetworkReply page_of(std::vector<gateway::FunctionNetwork::Named> all, const std::string& after);

// The rule as the network wants it. REQUIRES: the rule passed decode_request.
Result<gateway::Rule> network_rule(const EgressRule& rule);

}  // namespace hearth::warden
