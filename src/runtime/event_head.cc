#include "runtime/event_head.h"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <iterator>

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
    append_header(out, "Lambda-Runtime-Client-Context", decode_base64(ticket.client_context));
  fmt::format_to(std::back_inserter(out), "Content-Length: {}\r\n\r\n", ticket.payload.size());
  return out;
}

std::string decode_base64(std::string_view text) {
  if (text.size() % 4 != 0) return {};
  std::string out(text.size() / 4 * 3, '\0');
  const int size = EVP_DecodeBlock(reinterpret_cast<unsigned char*>(out.data()),
                                   reinterpret_cast<const unsigned char*>(text.data()), static_cast<int>(text.size()));
  if (size < 0) return {};
  const size_t padding = text.ends_with("==") ? 2 : text.ends_with("=") ? 1 : 0;
  out.resize(static_cast<size_t>(size) - padding);
  return out;
}

}  // namespace hearth::runtime
