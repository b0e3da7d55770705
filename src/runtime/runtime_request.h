// RuntimeRequestParser: requests of the Lambda Runtime API out of foreign bytes.
//
// Boost.Beast's parser does HTTP/1.1; this keeps only what the Runtime API needs and allocates for nothing else. What
// comes is a function's own doing and may be anything: a header over kMaxHeader (kMaxErrorHeader where an error is
// reported), a malformed message or more than kMaxDiscarded bytes of an unwanted body is an error, after which the
// connection is of no use.
// A body is kept only when `wants_body` said so at the end of its header, and at most kMaxBody bytes of it; the rest is
// read and thrown away, so that the sender gets to read its 413.
//
// Source: AWS Lambda developer guide, "Runtime API"; fuzz target: fuzz/runtime_api.cc.
#pragma once

#include <boost/beast/http/basic_parser.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace hearth::runtime {

enum class Endpoint {
  next,
  response,
  error,
  init_error,
  restore_next,
  restore_error,
  extension,  // anything below /2020-01-01/extension/
  logs,
  telemetry,
  unknown,
};

struct RuntimeRequest {
  Endpoint endpoint = Endpoint::unknown;
  std::string request_id;               // of response and error
  std::string error_type;               // Lambda-Runtime-Function-Error-Type, from header or trailer
  std::string error_body;               // trailer Lambda-Runtime-Function-Error-Body, base64
  std::chrono::microseconds import{0};  // Hearth-Import-Us of `next`, at most kMaxImport: our own shims say it
  bool streaming = false;
  bool expects_continue = false;
  bool keep_alive = true;
  bool wanted = false;     // as `wants_body` said
  bool too_large = false;  // the body was over kMaxBody
  std::string body;
};

class RuntimeRequestParser {
 public:
  static constexpr uint32_t kMaxHeader = 16 * 1024;
  // AWS's own client says the cause of an error in a header, as long as that is under 1 MiB.
  static constexpr uint32_t kMaxErrorHeader = 1024 * 1024 + kMaxHeader;
  static constexpr size_t kMaxBody = 6 * 1024 * 1024 + 100;  // AWS: 6,291,556 bytes
  static constexpr uint64_t kMaxDiscarded = 64 * 1024 * 1024;
  static constexpr std::chrono::microseconds kMaxImport = std::chrono::hours(1);
  static constexpr size_t kMaxErrorType = 256;
  static constexpr size_t kMaxErrorBody = 256 * 1024;

  // Asked once a request, when its header is complete.
  using WantsBodyFn = std::function<bool(const RuntimeRequest&)>;

  explicit RuntimeRequestParser(WantsBodyFn wants_body);

  // Reads from `bytes` up to the end of one request; how many bytes were used. 0 = it needs more than `bytes` holds.
  Result<size_t> put(std::string_view bytes);
  bool done() const { return parser_->is_done(); }
  // How many bytes of the present request's header put() may leave unused at most.
  uint32_t max_header() const { return parser_->max_header; }
  // True once, when the sender waits for "100 Continue".
  bool take_continue();
  // The request that is done; the parser is then ready for the next one.
  RuntimeRequest take();

 private:
  class Parser final : public boost::beast::http::basic_parser<true> {
   public:
    explicit Parser(const WantsBodyFn& wants_body);
    RuntimeRequest request;
    bool header_done = false;
    uint32_t max_header = kMaxHeader;

   private:
    using Code = boost::beast::error_code;
    using View = boost::beast::string_view;
    void on_request_impl(boost::beast::http::verb method, View, View target, int, Code&) override;
    void on_response_impl(int, View, int, Code&) override {}
    void on_field_impl(boost::beast::http::field name, View text, View value, Code&) override;
    void on_header_impl(Code&) override;
    void on_body_init_impl(const boost::optional<uint64_t>& length, Code&) override;
    size_t on_body_impl(View bytes, Code&) override;
    void on_chunk_header_impl(uint64_t, View, Code&) override {}
    size_t on_chunk_body_impl(uint64_t, View bytes, Code&) override;
    void on_finish_impl(Code&) override {}
    void keep(View bytes, Code&);

    const WantsBodyFn& wants_body_;
    uint64_t discarded_ = 0;
  };

  WantsBodyFn wants_body_;
  std::optional<Parser> parser_;
};

// Which endpoint `method` `target` is; sets `request_id` for those that carry one.
Endpoint endpoint_of(std::string_view method, std::string_view target, std::string& request_id);

}  // namespace hearth::runtime
