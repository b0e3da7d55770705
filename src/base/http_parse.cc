#include "base/http_parse.h"

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/error.hpp>

namespace hearth::http {
namespace beast = boost::beast;
namespace bhttp = boost::beast::http;

RequestParser::RequestParser(Head& head) : head_(head) {
  auto headers = std::move(head.headers);  // keeps its memory
  headers.clear();
  head_ = Head{};
  head_.headers = std::move(headers);
  header_limit(2 * Options::kHeaderBytes);  // the caller's buffer is the limit
  body_limit(boost::none);                  // so is its own count
}

Parsed RequestParser::take_head(const char* begin, const char* end) {
  begin_ = begin;
  end_ = end;
  while (!head_done_) {
    Error error;
    consumed_ += put(boost::asio::const_buffer(begin + consumed_, static_cast<size_t>(end - begin) - consumed_), error);
    if (error == bhttp::error::need_more) return Parsed::more;
    if (error == bhttp::error::header_limit) return Parsed::too_many_headers;
    if (error) return Parsed::bad;
    head_done_ = is_header_done();
  }
  head_.keep_alive = keep_alive();
  if (auto length = content_length()) head_.content_length = *length;
  return Parsed::done;
}

Parsed RequestParser::take_chunks(std::string_view bytes, size_t limit, std::string& body, size_t& consumed) {
  body_ = &body;
  body_limit_bytes_ = limit;
  consumed = 0;
  while (!is_done()) {
    if (consumed == bytes.size()) return Parsed::more;
    if (may_be_part_of_last_chunk(bytes.substr(consumed))) return Parsed::more;
    Error error;
    consumed += put(boost::asio::const_buffer(bytes.data() + consumed, bytes.size() - consumed), error);
    if (error == bhttp::error::need_more) return Parsed::more;
    if (error == bhttp::error::body_limit) return Parsed::too_large;
    if (error) return Parsed::bad;
  }
  return Parsed::done;
}

void RequestParser::on_request_impl(bhttp::verb, View method, View target, int version, Error& error) {
  if (version != 10 && version != 11) {
    error = bhttp::error::bad_version;
    return;
  }
  head_.method = {method.data(), method.size()};
  head_.target = {target.data(), target.size()};
}

void RequestParser::on_field_impl(bhttp::field, View name, View value, Error& error) {
  if (head_done_) return;  // a trailer: nobody asks for one
  if (head_.headers.size() == Options::kHeaders) {
    error = bhttp::error::header_limit;
    return;
  }
  bool in_place = value.empty() || (value.data() >= begin_ && value.data() + value.size() <= end_);
  if (!in_place) {
    error = bhttp::error::bad_obs_fold;
    return;
  }
  head_.headers.push_back({{name.data(), name.size()}, {value.data(), value.size()}});
}

std::size_t RequestParser::on_chunk_body_impl(std::uint64_t, View bytes, Error& error) {
  if (bytes.size() > body_limit_bytes_ - std::min(body_limit_bytes_, body_->size())) {
    error = bhttp::error::body_limit;
    return 0;
  }
  body_->append(bytes.data(), bytes.size());
  return bytes.size();
}

}  // namespace hearth::http
