#include "hearth/http_client.h"

#include <curl/curl.h>
#include <fmt/format.h>

#include <algorithm>
#include <memory>

namespace hearth::cli {
namespace {

using Curl = std::unique_ptr<CURL, decltype(&curl_easy_cleanup)>;
using HeaderList = std::unique_ptr<curl_slist, decltype(&curl_slist_free_all)>;

bool is_unreserved(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
         c == '.' || c == '~';
}

std::string escape(const std::string& text) {
  std::string escaped;
  for (char c : text) {
    if (is_unreserved(c))
      escaped += c;
    else
      escaped += fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return escaped;
}

size_t take_body(char* data, size_t, size_t size, void* user) {
  auto& reply = *static_cast<HttpReply*>(user);
  if (reply.body.size() + size > HttpClient::kMaxReply) return 0;
  reply.body.append(data, size);
  return size;
}

size_t take_header(char* data, size_t, size_t size, void* user) {
  auto& reply = *static_cast<HttpReply*>(user);
  std::string_view line(data, size);
  if (line.starts_with("HTTP/")) reply.headers.clear();  // a status line: 100 Continue may come before the answer's
  size_t colon = line.find(':');
  if (colon == line.npos) return size;
  std::string name(line.substr(0, colon));
  std::ranges::transform(name, name.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  std::string_view value = line.substr(colon + 1);
  while (!value.empty() && value.front() == ' ') value.remove_prefix(1);
  while (!value.empty() && (value.back() == '\r' || value.back() == '\n' || value.back() == ' '))
    value.remove_suffix(1);
  reply.headers[name] = value;
  return size;
}

HeaderList header_list(const HttpRequest& request, const std::string& address) {
  HeaderList list(nullptr, &curl_slist_free_all);
  auto add = [&](const std::string& line) { list.reset(curl_slist_append(list.release(), line.c_str())); };
  // Given, since libcurl 7.88 would sign a host of its own making.
  add("Host: " + address);
  for (const auto& [name, value] : request.headers) add(name + ": " + value);
  return list;
}

Failure failure_of(CURLcode code, const std::string& address, const HttpRequest& request) {
  switch (code) {
    case CURLE_COULDNT_CONNECT:
    case CURLE_COULDNT_RESOLVE_HOST:
      return fail(Kind::unavailable, fmt::format("no answer from {} — is hearthd running? (./dev up)", address));
    case CURLE_OPERATION_TIMEDOUT:
      return fail(Kind::timeout, fmt::format("no answer from {} within {} s", address, request.timeout.count()));
    case CURLE_WRITE_ERROR:
      return fail(Kind::exhausted, fmt::format("the answer is over {} bytes", HttpClient::kMaxReply));
    default:
      return fail(Kind::unavailable, fmt::format("{}: {}", address, curl_easy_strerror(code)));
  }
}

}  // namespace

std::string HttpReply::header(const std::string& name) const {
  auto entry = headers.find(name);
  return entry == headers.end() ? "" : entry->second;
}

std::string encode_query(const std::map<std::string, std::string>& query) {
  std::string text;
  for (const auto& [name, value] : query) {
    text += (text.empty() ? "" : "&") + escape(name) + "=" + escape(value);
  }
  return text;
}

Result<HttpReply> HttpClient::send(const Credentials& credentials, const HttpRequest& request) const {
  bool plain = std::ranges::all_of(request.path, [](char c) { return is_unreserved(c) || c == '/'; });
  if (!plain) return fail(Kind::invalid, fmt::format("\"{}\" holds characters that no name has", request.path));
  Curl curl(curl_easy_init(), &curl_easy_cleanup);
  if (!curl) return fail(Kind::internal, "libcurl does not start");
  std::string url = "http://" + address_ + request.path;
  if (!request.query.empty()) url += "?" + encode_query(request.query);
  HeaderList headers = header_list(request, address_);
  std::string provider = fmt::format("aws:amz:{}:{}", credentials.region, request.service);
  HttpReply reply;
  CURL* handle = curl.get();
  curl_easy_setopt(handle, CURLOPT_URL, url.c_str());
  curl_easy_setopt(handle, CURLOPT_NOPROXY, "*");
  curl_easy_setopt(handle, CURLOPT_CUSTOMREQUEST, request.method.c_str());
  if (!request.body.empty()) {
    curl_easy_setopt(handle, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
    curl_easy_setopt(handle, CURLOPT_POSTFIELDS, request.body.data());
  }
  curl_easy_setopt(handle, CURLOPT_HTTPHEADER, headers.get());
  curl_easy_setopt(handle, CURLOPT_AWS_SIGV4, provider.c_str());
  curl_easy_setopt(handle, CURLOPT_USERNAME, credentials.access_key_id.c_str());
  curl_easy_setopt(handle, CURLOPT_PASSWORD, credentials.secret_access_key.c_str());
  curl_easy_setopt(handle, CURLOPT_CONNECTTIMEOUT, 5L);
  // A header "Expect:" that forbids asking would be signed though it is not sent.
  curl_easy_setopt(handle, CURLOPT_EXPECT_100_TIMEOUT_MS, 1L);
  curl_easy_setopt(handle, CURLOPT_TIMEOUT, static_cast<long>(request.timeout.count()));
  curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, &take_body);
  curl_easy_setopt(handle, CURLOPT_WRITEDATA, &reply);
  curl_easy_setopt(handle, CURLOPT_HEADERFUNCTION, &take_header);
  curl_easy_setopt(handle, CURLOPT_HEADERDATA, &reply);
  if (CURLcode code = curl_easy_perform(handle); code != CURLE_OK) return failure_of(code, address_, request);
  long status = 0;
  curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &status);
  reply.status = static_cast<int>(status);
  return reply;
}

namespace {

Kind kind_of(int status) {
  switch (status) {
    case 400:
    case 413:
      return Kind::invalid;
    case 401:
    case 403:
      return Kind::denied;
    case 404:
      return Kind::not_found;
    case 409:
    case 412:
      return Kind::conflict;
    case 429:
      return Kind::exhausted;
    case 503:
      return Kind::unavailable;
    case 504:
      return Kind::timeout;
    default:
      return Kind::internal;
  }
}

// The member that holds a text, of "message" and "Message" (AWS has both).
std::string message_in(const json::value& body) {
  if (!body.is_object()) return "";
  for (const char* name : {"message", "Message"}) {
    const json::value* text = body.get_object().if_contains(name);
    if (text != nullptr && text->is_string()) return std::string(text->get_string());
  }
  return "";
}

}  // namespace

Result<json::value> read_reply(const HttpReply& reply) {
  auto body = reply.body.empty() ? Result<json::value>(json::object{}) : parse_json(reply.body, HttpClient::kMaxReply);
  if (reply.status < 400) {
    if (!body) return fail(Kind::internal, "hearthd's answer is " + body.error().message);
    return body;
  }
  std::string message = body ? message_in(*body) : "";
  if (message.empty()) message = fmt::format("hearthd answered with status {}", reply.status);
  message.resize(std::min(message.find('\n'), message.size()));  // AWS's words on a wrong signature go on for a page
  return fail(kind_of(reply.status), std::move(message));
}

}  // namespace hearth::cli
