#include "api/ec2/sts_service.h"

#include <fmt/format.h>

#include "api/ec2/params.h"
#include "api/ec2/xml.h"

namespace hearth::api {
namespace {

constexpr std::string_view kNamespace = "https://sts.amazonaws.com/doc/2011-06-15/";

// An element with its namespace around `inner`, which is XML already.
Reply reply_of(int status, std::string_view element, const std::string& inner) {
  Reply reply;
  reply.status = status;
  reply.content_type = "text/xml";
  reply.body = fmt::format("<{} xmlns=\"{}\">{}</{}>", element, kNamespace, inner, element);
  return reply;
}

}  // namespace

boost::asio::awaitable<Reply> StsService::handle(Call call) {
  auto params = ec2::Param::parse(call.query, call.method == "POST" ? call.body : "");
  if (!params) co_return refuse(400, params.error().code, params.error().message, call.request_id);
  std::string action = (*params)["Action"].text();
  if (action != "GetCallerIdentity")
    co_return refuse(400, "InvalidAction", fmt::format("Could not find operation {} for version 2011-06-15", action),
                     call.request_id);
  ec2::Xml xml;
  xml.open("GetCallerIdentityResult");
  xml.element("Arn", fmt::format("arn:aws:iam::{}:root", call.account.str()));
  xml.element("UserId", call.account.str());
  xml.element("Account", call.account.str());
  xml.close();
  xml.open("ResponseMetadata");
  xml.element("RequestId", call.request_id);
  xml.close();
  co_return reply_of(200, "GetCallerIdentityResponse", xml.take());
}

Reply StsService::refuse(int status, std::string_view code, std::string_view message,
                         std::string_view request_id) const {
  if (code == "InvalidSignatureException") code = "SignatureDoesNotMatch";
  if (code == "UnrecognizedClientException") code = "InvalidClientTokenId";
  if (code.ends_with("Exception")) code.remove_suffix(std::string_view("Exception").size());
  ec2::Xml xml;
  xml.open("Error");
  xml.element("Type", status < 500 ? "Sender" : "Receiver");
  xml.element("Code", code);
  xml.element("Message", message);
  xml.close();
  xml.element("RequestId", request_id);
  return reply_of(status, "ErrorResponse", xml.take());
}

}  // namespace hearth::api
