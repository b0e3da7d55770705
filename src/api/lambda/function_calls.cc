#include "api/lambda/function_calls.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/base64.h"

namespace hearth::api::lambda {
namespace {

Arn arn_form(const Request& request) { return request.ref.qualifier.empty() ? Arn::plain : Arn::qualified; }

bool flag(const json::object& body, std::string_view name) {
  const json::value* value = body.if_contains(view(name));
  return value != nullptr && value->is_bool() && value->as_bool();
}

size_t page_size(const Call& call) {
  size_t wanted = FunctionCalls::kPage;
  if (auto text = call.query_value("MaxItems")) std::from_chars(text->data(), text->data() + text->size(), wanted);
  return std::min(wanted, FunctionCalls::kPage);
}

}  // namespace

FunctionCalls::FunctionCalls(const Parts& parts, const Model& model)
    : parts_(parts), rules_{model, parts.runtime_available, parts.resolve_vpc} {}

Outcome<const runtime::Function*> FunctionCalls::shown(const Request& request) const {
  const runtime::Function* function = parts_.functions.shown(request.key());
  bool latest = request.ref.qualifier.empty() || request.ref.qualifier == "$LATEST";
  if (function == nullptr || !latest) return request.not_found();
  return function;
}

Outcome<> FunctionCalls::check_code(const json::object& code, bool has_zip) const {
  for (std::string_view name : {"S3Bucket", "S3Key", "S3ObjectVersion", "ImageUri", "SourceKMSKeyArn"}) {
    if (!text_member(code, name).empty()) {
      return invalid_parameter(fmt::format("Hearth does not offer code from {}; send it in ZipFile.", name));
    }
  }
  if (!has_zip) return invalid_parameter("Please provide a source for function code.");
  return {};
}

Outcome<> FunctionCalls::check_storage(const Request& request, int64_t replaced) const {
  int64_t others = parts_.functions.code_bytes(request.call.account) - replaced;
  if (others + static_cast<int64_t>(request.body.zip.size()) <= kMaxCodeBytes) return {};
  return refuse("CodeStorageExceededException", "Code storage limit exceeded.");
}

// The function that CreateFunction asks for, without its code.
Outcome<runtime::Function> FunctionCalls::wanted(const Request& request) const {
  const json::object& body = request.body.members;
  auto settings = read_settings(body, request.call.account, rules_);
  if (!settings) return std::unexpected(settings.error());
  bool whole = settings->runtime && settings->handler && !settings->handler->empty();
  if (!whole) {
    return invalid_parameter(
        "Runtime and Handler are mandatory parameters for functions created with deployment packages.");
  }
  if (auto code = check_code(body.at("Code").as_object(), request.body.has_zip); !code) {
    return std::unexpected(code.error());
  }
  runtime::Function function;
  function.key = request.key();
  function.region = request.call.region;
  settings->apply_to(function);
  if (const json::value* tags = body.if_contains("Tags")) {
    auto read = read_tags(tags->as_object());
    if (!read) return std::unexpected(read.error());
    function.tags = std::move(*read);
  }
  return function;
}

boost::asio::awaitable<Outcome<runtime::PackageInfo>> FunctionCalls::unpack(std::string zip) {
  auto package = co_await parts_.packages.add(std::move(zip));
  if (!package) co_return std::unexpected(refusal_of(package.error()));
  co_return *package;
}

Answer FunctionCalls::create(Request request) {
  auto ref =
      parse_function_ref(text_member(request.body.members, "FunctionName"), request.call.account, request.call.region);
  if (!ref) co_return std::unexpected(ref.error());
  request.ref.name = ref->name;
  auto function = wanted(request);
  if (!function) co_return std::unexpected(function.error());
  auto taken = refuse("ResourceConflictException", "Function already exist: " + ref->name);
  if (parts_.functions.shown(function->key) != nullptr) co_return taken;
  if (auto room = check_storage(request, 0); !room) co_return std::unexpected(room.error());
  auto package = co_await unpack(std::move(request.body.zip));
  if (!package) co_return std::unexpected(package.error());
  function->package = package->digest;
  function->code_sha256 = package->code_sha256;
  function->code_size = package->code_size;
  auto created = co_await parts_.functions.create(std::move(*function));
  if (created) co_return json_reply(201, describe(*created, Shown::whole, Arn::plain));
  if (created.error().kind == Kind::conflict) co_return taken;
  // Otherwise it is the store that has no room.
  bool too_many = parts_.functions.count(request.call.account) >= runtime::Functions::kMaxFunctions;
  if (created.error().kind == Kind::exhausted && too_many) {
    co_return refuse("CodeStorageExceededException", created.error().message);
  }
  co_return std::unexpected(refusal_of(created.error()));
}

std::string FunctionCalls::code_link(const Request& request, const runtime::Function& function) const {
  std::string host(request.call.header("host").value_or("localhost"));
  return "http://" + host + parts_.links.path_to(function.package, parts_.clock.wall());
}

Answer FunctionCalls::get(Request request) {
  auto function = shown(request);
  if (!function) co_return std::unexpected(function.error());
  json::object answer;
  answer["Configuration"] = describe(**function, Shown::whole, arn_form(request));
  answer["Code"] = json::object{{"RepositoryType", "S3"}, {"Location", code_link(request, **function)}};
  if (!(*function)->tags.empty()) {
    json::object tags;
    for (const auto& [key, value] : (*function)->tags) tags[view(key)] = value;
    answer["Tags"] = std::move(tags);
  }
  if (auto reserved = (*function)->reserved_concurrency) {
    answer["Concurrency"] = json::object{{"ReservedConcurrentExecutions", *reserved}};
  }
  co_return json_reply(200, answer);
}

Answer FunctionCalls::get_configuration(Request request) {
  auto function = shown(request);
  if (!function) co_return std::unexpected(function.error());
  co_return json_reply(200, describe(**function, Shown::whole, arn_form(request)));
}

// None has a signing configuration; Terraform asks on every read.
Answer FunctionCalls::get_code_signing_config(Request request) {
  auto function = shown(request);
  if (!function) co_return std::unexpected(function.error());
  co_return json_reply(200, json::object{{"FunctionName", (*function)->key.name}});
}

Answer FunctionCalls::list(Request request) {
  std::string after;
  if (auto marker = request.call.query_value("Marker"); marker && !marker->empty()) {
    auto decoded = base64_decode(*marker);
    if (!decoded) co_return invalid_parameter("Invalid Marker");
    after = std::move(*decoded);
  }
  auto master = request.call.query_value("MasterRegion").value_or("ALL");
  json::object answer;
  json::array functions;
  size_t limit = page_size(request.call);
  std::vector<const runtime::Function*> found;
  if (master == "ALL" || master == request.call.region) {
    found = parts_.functions.list(request.call.account, after, limit + 1);
  }
  auto arn = request.call.query_value("FunctionVersion") ? Arn::qualified : Arn::plain;
  for (size_t i = 0; i < std::min(found.size(), limit); ++i) {
    functions.emplace_back(describe(*found[i], Shown::in_list, arn));
  }
  if (found.size() > limit) answer["NextMarker"] = base64_encode(found[limit - 1]->key.name);
  answer["Functions"] = std::move(functions);
  co_return json_reply(200, answer);
}

Answer FunctionCalls::list_versions(Request request) {
  auto function = shown(request);
  if (!function) co_return std::unexpected(function.error());
  json::array versions;
  versions.emplace_back(describe(**function, Shown::in_list, Arn::qualified));
  co_return json_reply(200, json::object{{"Versions", std::move(versions)}});
}

Refusal FunctionCalls::why_not(const Request& request, const Error& error) const {
  if (error.kind == Kind::denied) {
    return {"PreconditionFailedException",
            "The Revision Id provided does not match the latest Revision Id. Call the GetFunction/GetAlias API to "
            "retrieve the latest Revision Id"};
  }
  if (error.kind == Kind::not_found) return request.not_found().error();
  const runtime::Function* function = parts_.functions.shown(request.key());
  if (error.kind != Kind::conflict || function == nullptr) return refusal_of(error);
  std::string arn = function->arn();
  if (function->state == "Pending") return {"ResourceConflictException", runtime::unusable_in("Pending")};
  return {"ResourceConflictException",
          "The operation cannot be performed at this time. An update is in progress for resource: " + arn};
}

Answer FunctionCalls::update_code(Request request) {
  auto function = shown(request);
  if (!function) co_return std::unexpected(function.error());
  const json::object& body = request.body.members;
  if (auto code = check_code(body, request.body.has_zip); !code) co_return std::unexpected(code.error());
  if (auto room = check_storage(request, (*function)->code_size); !room) co_return std::unexpected(room.error());
  auto settings = read_settings(body, request.call.account, rules_);
  if (!settings) co_return std::unexpected(settings.error());
  auto package = co_await unpack(std::move(request.body.zip));
  if (!package) co_return std::unexpected(package.error());
  auto change = [package = *package, settings = *settings](runtime::Function& to) -> Result<> {
    settings.apply_to(to);
    to.package = package.digest;
    to.code_sha256 = package.code_sha256;
    to.code_size = package.code_size;
    return {};
  };
  std::string revision = text_member(body, "RevisionId");
  if (flag(body, "DryRun")) {
    auto now = shown(request);  // it may be gone since
    if (!now) co_return std::unexpected(now.error());
    runtime::Function copy = **now;
    if (!revision.empty() && revision != copy.revision_id) {
      co_return std::unexpected(why_not(request, Error{Kind::denied, "precondition"}));
    }
    if (auto changed = change(copy); !changed) co_return std::unexpected(refusal_of(changed.error()));
    co_return json_reply(200, describe(copy, Shown::whole, Arn::plain));
  }
  auto updated = co_await parts_.functions.update(request.key(), std::move(revision), std::move(change));
  if (!updated) co_return std::unexpected(why_not(request, updated.error()));
  co_return json_reply(200, describe(*updated, Shown::whole, Arn::plain));
}

Answer FunctionCalls::update_configuration(Request request) {
  auto function = shown(request);
  if (!function) co_return std::unexpected(function.error());
  const json::object& body = request.body.members;
  auto settings = read_settings(body, request.call.account, rules_);
  if (!settings) co_return std::unexpected(settings.error());
  auto change = [settings = std::move(*settings)](runtime::Function& to) -> Result<> {
    settings.apply_to(to);
    return {};
  };
  auto updated = co_await parts_.functions.update(request.key(), text_member(body, "RevisionId"), std::move(change));
  if (!updated) co_return std::unexpected(why_not(request, updated.error()));
  co_return json_reply(200, describe(*updated, Shown::whole, Arn::plain));
}

Answer FunctionCalls::remove(Request request) {
  if (request.ref.qualifier == "$LATEST") {
    co_return invalid_parameter("$LATEST version cannot be deleted without deleting the function.");
  }
  auto function = shown(request);
  if (!function) co_return std::unexpected(function.error());
  auto removed = co_await parts_.functions.remove(request.key());
  if (!removed) co_return std::unexpected(why_not(request, removed.error()));
  Reply reply;
  reply.status = 204;
  reply.content_type.clear();
  co_return reply;
}

}  // namespace hearth::api::lambda
