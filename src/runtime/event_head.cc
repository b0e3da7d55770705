#include "runtime/event_head.h"

#include <fmt/format.h>

#include <iterator>

#include "base/base64.h"

namespace hearth::runtime {
namespace {

void append_header(std::string& out, std::string_view name, std::string_view value) {
  if (value.empty()) return;
  out.append(name).append(": ");
  for (const char c : value) out.push_back(static_cast<unsigned char>(c) < ' ' || c == '\x7f' ? ' ' : c);
  out.append("\r\n");
}

}  // namespace

std::string event_head(const Ticket& ticket, std::string_view arn, WallTime deadline) {
  std::string out;
  out.reserve(512);
  out.append("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nLambda-Runtime-Aws-Request-Id: ");
  out.append(ticket.request_id);
  fmt::format_to(std::back_inserter(out),
                 "\r\nLambda-Runtime-Deadline-Ms: {}\r\nLambda-Runtime-Invoked-Function-Arn: {}",
                 deadline.time_since_epoch().count(), arn);
  if (!ticket.qualifier.empty()) out.append(":").append(ticket.qualifier);
  out.append("\r\n");
  append_header(out, "Lambda-Runtime-Trace-Id", ticket.trace_id);
  if (!ticket.client_context.empty())
    append_header(out, "Lambda-Runtime-Client-Context", base64_decode(ticket.client_context).value_or(""));
  fmt::format_to(std::back_inserter(out), "Content-Length: {}\r\n\r\n", ticket.payload.size());
  return out;
}

}  // namespace hearth::runtime
