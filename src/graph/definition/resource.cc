#include "graph/definition/resource.h"

#include <vector>

namespace hearth::definition {
namespace {

std::vector<std::string_view> split(std::string_view arn) {
  std::vector<std::string_view> parts;
  for (size_t at = 0;;) {
    size_t colon = arn.find(':', at);
    parts.push_back(arn.substr(at, colon - at));
    if (colon == std::string_view::npos) return parts;
    at = colon + 1;
  }
}

Integration integration_of(std::string_view action) {
  if (action.ends_with(".waitForTaskToken")) return Integration::task_token;
  if (action.ends_with(".sync:2")) return Integration::sync2;
  if (action.ends_with(".sync")) return Integration::sync;
  return Integration::request;
}

Failure refused(std::string_view arn) { return fail(Kind::invalid, "Invalid Resource resource: " + std::string(arn)); }

}  // namespace

Result<Resource> parse_resource(std::string_view arn) {
  std::vector<std::string_view> parts = split(arn);
  if (parts.size() < 7 || parts[0] != "arn" || parts[1].empty()) return refused(arn);
  Resource made{.arn = std::string(arn)};
  if (parts[2] == "lambda" && parts[5] == "function" && parts.size() <= 8 && !parts[6].empty()) return made;
  if (parts[2] != "states") return refused(arn);
  if (parts[5] == "activity" && parts.size() == 7 && !parts[6].empty()) {
    made.kind = Resource::Kind::activity;
    return made;
  }
  if (!parts[3].empty() && parts[3] != "*") return refused(arn);
  made.kind = Resource::Kind::service;
  size_t names = parts[5] == "aws-sdk" ? 7 : 6;  // where the action begins
  if (parts.size() <= names) return refused(arn);
  made.service = names == 7 ? "aws-sdk:" + std::string(parts[6]) : std::string(parts[5]);
  size_t from = static_cast<size_t>(parts[names].data() - arn.data());
  made.action = std::string(arn.substr(from));
  made.integration = integration_of(made.action);
  bool extra_colon = made.action.contains(':') && made.integration != Integration::sync2;
  if (made.service.empty() || made.action.empty() || made.action.starts_with('.') || extra_colon) return refused(arn);
  return made;
}

}  // namespace hearth::definition
