// http::RequestParser: one HTTP/1.1 request out of bytes, on Boost.Beast's parser, without copies of the head.
//
// Head views point into the bytes that take_head() was given, so those must neither move nor change while the head is
// in use; when the caller's buffer has to grow, it begins again with a new parser. Refuses folded header lines (their
// value would not be in the buffer), over Options::kHeaders fields, and what Beast refuses (bad tokens, contradicting
// lengths, Content-Length beside Transfer-Encoding …).
#pragma once

#include <boost/beast/http/basic_parser.hpp>
#include <string>
#include <string_view>

#include "base/http_server.h"

namespace hearth::http {

// Whether a parser of Beast 1.81 must wait for more of a chunked body: it asserts that it sees a last chunk for the
// second time only with what must follow it ("0\r\n\r\n").
inline bool may_be_part_of_last_chunk(std::string_view bytes) { return bytes.size() < 5 && bytes.starts_with('0'); }

enum class Parsed { more, done, bad, too_many_headers, too_large };

class RequestParser final : public boost::beast::http::basic_parser<true> {
 public:
  explicit RequestParser(Head& head);

  // Goes on with a head whose bytes so far are [begin, end); the same `begin` each time. Sets head_size() when done.
  Parsed take_head(const char* begin, const char* end);
  size_t head_size() const { return consumed_; }

  bool has_chunked_body() const { return chunked(); }

  // Decodes as much of a chunked body as there is onto `body`; `consumed` bytes were used. REQUIRES: head done.
  Parsed take_chunks(std::string_view bytes, size_t limit, std::string& body, size_t& consumed);

 private:
  using Error = boost::beast::error_code;
  using View = boost::beast::string_view;

  void on_request_impl(boost::beast::http::verb, View method, View target, int version, Error&) override;
  void on_response_impl(int, View, int, Error&) override {}
  void on_field_impl(boost::beast::http::field, View name, View value, Error&) override;
  void on_header_impl(Error&) override {}
  void on_body_init_impl(boost::optional<std::uint64_t> const&, Error&) override {}
  std::size_t on_body_impl(View, Error&) override { return 0; }  // bodies with a length are read without the parser
  void on_chunk_header_impl(std::uint64_t, View, Error&) override {}
  std::size_t on_chunk_body_impl(std::uint64_t remain, View bytes, Error&) override;
  void on_finish_impl(Error&) override {}

  Head& head_;
  const char* begin_ = nullptr;
  const char* end_ = nullptr;
  size_t consumed_ = 0;
  bool head_done_ = false;
  std::string* body_ = nullptr;
  size_t body_limit_bytes_ = 0;
};

}  // namespace hearth::http
