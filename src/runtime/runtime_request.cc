#include "runtime/runtime_request.h"

#include <boost/asio/buffer.hpp>
#include <boost/beast/core/string.hpp>
#include <charconv>
#include <utility>

#include "base/http_parse.h"

namespace hearth::runtime {
namespace http = boost::beast::http;
namespace {

constexpr std::string_view kRuntime = "/2018-06-01/runtime/";
constexpr std::string_view kInvocation = "invocation/";
constexpr std::string_view kExtension = "/2020-01-01/extension/";
constexpr size_t kMaxRequestId = 64;

Endpoint invocation_endpoint(bool post, std::string_view rest, std::string& request_id) {
  const auto slash = rest.find('/');
  if (!post || slash == std::string_view::npos || slash == 0 || slash > kMaxRequestId) return Endpoint::unknown;
  const auto action = rest.substr(slash + 1);
  if (action != "response" && action != "error") return Endpoint::unknown;
  request_id = rest.substr(0, slash);
  return action == "response" ? Endpoint::response : Endpoint::error;
}

Endpoint runtime_endpoint(bool get, bool post, std::string_view rest, std::string& request_id) {
  if (rest.starts_with(kInvocation)) {
    rest.remove_prefix(kInvocation.size());
    if (get && rest == "next") return Endpoint::next;
    return invocation_endpoint(post, rest, request_id);
  }
  if (post && rest == "init/error") return Endpoint::init_error;
  if (get && rest == "restore/next") return Endpoint::restore_next;
  if (post && rest == "restore/error") return Endpoint::restore_error;
  return Endpoint::unknown;
}

// What is no number or over the limit counts as not said: the function may write this header too.
std::chrono::microseconds import_of(std::string_view text) {
  int64_t micros = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), micros);
  const bool whole = error == std::errc() && end == text.data() + text.size();
  const std::chrono::microseconds import(micros);
  const bool sane = whole && import >= import.zero() && import <= RuntimeRequestParser::kMaxImport;
  return sane ? import : import.zero();
}

}  // namespace

Endpoint endpoint_of(std::string_view method, std::string_view target, std::string& request_id) {
  target = target.substr(0, target.find('?'));
  if (target.starts_with(kRuntime))
    return runtime_endpoint(method == "GET", method == "POST", target.substr(kRuntime.size()), request_id);
  if (target.starts_with(kExtension)) return Endpoint::extension;
  if (method == "PUT" && target == "/2020-08-15/logs") return Endpoint::logs;
  if (method == "PUT" && target == "/2022-07-01/telemetry") return Endpoint::telemetry;
  return Endpoint::unknown;
}

// ---- one message

RuntimeRequestParser::Parser::Parser(const WantsBodyFn& wants_body) : wants_body_(wants_body) {
  eager(true);
  header_limit(max_header);
  body_limit(boost::none);  // keep() counts
}

void RuntimeRequestParser::Parser::on_request_impl(http::verb, View method, View target, int, Code&) {
  request.endpoint = endpoint_of({method.data(), method.size()}, {target.data(), target.size()}, request.request_id);
  if (request.endpoint != Endpoint::error && request.endpoint != Endpoint::init_error) return;
  max_header = kMaxErrorHeader;
  header_limit(max_header);
}

void RuntimeRequestParser::Parser::on_field_impl(http::field name, View text, View value, Code& error) {
  using boost::beast::iequals;
  if (name == http::field::expect) {
    request.expects_continue = iequals(value, "100-continue");
  } else if (name != http::field::unknown) {
    return;
  } else if (iequals(text, "Lambda-Runtime-Function-Response-Mode")) {
    request.streaming = iequals(value, "streaming");
  } else if (iequals(text, "Lambda-Runtime-Function-Error-Type")) {
    request.error_type.assign(value.data(), std::min(value.size(), kMaxErrorType));
  } else if (iequals(text, "Hearth-Import-Us")) {
    request.import = import_of({value.data(), value.size()});
  } else if (iequals(text, "Lambda-Runtime-Function-Error-Body")) {
    if (value.size() > kMaxErrorBody) error = http::error::header_limit;
    request.error_body.assign(value.data(), value.size());
  }
}

void RuntimeRequestParser::Parser::on_header_impl(Code&) {
  header_done = true;
  request.keep_alive = keep_alive();
  request.wanted = wants_body_(request);
}

void RuntimeRequestParser::Parser::on_body_init_impl(const boost::optional<uint64_t>& length, Code&) {
  // A length is only a claim: what is reserved for it is bounded, the rest grows with what really comes.
  if (request.wanted && length) request.body.reserve(std::min<uint64_t>(*length, 64 * 1024));
}

size_t RuntimeRequestParser::Parser::on_body_impl(View bytes, Code& error) {
  keep(bytes, error);
  return bytes.size();
}

size_t RuntimeRequestParser::Parser::on_chunk_body_impl(uint64_t, View bytes, Code& error) {
  keep(bytes, error);
  return bytes.size();
}

void RuntimeRequestParser::Parser::keep(View bytes, Code& error) {
  if (request.wanted && !request.too_large && request.body.size() + bytes.size() <= kMaxBody) {
    request.body.append(bytes.data(), bytes.size());
    return;
  }
  if (request.wanted && !request.too_large) {
    request.too_large = true;
    request.body = std::string();
  }
  discarded_ += bytes.size();
  if (discarded_ > kMaxDiscarded) error = http::error::body_limit;
}

// ---- a stream of messages

RuntimeRequestParser::RuntimeRequestParser(WantsBodyFn wants_body) : wants_body_(std::move(wants_body)) {
  parser_.emplace(wants_body_);
}

Result<size_t> RuntimeRequestParser::put(std::string_view bytes) {
  const bool in_chunks = parser_->header_done && parser_->chunked();
  if (in_chunks && hearth::http::may_be_part_of_last_chunk(bytes)) return 0;
  boost::beast::error_code error;
  const size_t used = parser_->put(boost::asio::const_buffer(bytes.data(), bytes.size()), error);
  if (error && error != http::error::need_more) return fail(Kind::invalid, "not a request: " + error.message());
  return used;
}

bool RuntimeRequestParser::take_continue() {
  return parser_->header_done && !parser_->is_done() && std::exchange(parser_->request.expects_continue, false);
}

RuntimeRequest RuntimeRequestParser::take() {
  auto request = std::move(parser_->request);
  parser_.emplace(wants_body_);
  return request;
}

}  // namespace hearth::runtime
