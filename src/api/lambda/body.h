// What a request's body holds: JSON without its zip, and the zip itself.
//
// Code comes as base64 inside the JSON (tens of megabytes), so it is taken out once, here; what remains is small.
#pragma once

#include <string>
#include <string_view>

#include "api/lambda/refusal.h"
#include "base/json.h"

namespace hearth::api::lambda {

struct Body {
  json::object members;
  bool has_zip = false;  // Code.ZipFile or ZipFile was there
  std::string zip;
};

// An empty text is an empty object.
Outcome<Body> read_body(std::string text);

// That `text` is one JSON value, without making it. InvalidRequestContentException otherwise.
Outcome<> check_json(std::string_view text);

}  // namespace hearth::api::lambda
