// Any text as a path, read from a document that follows it or from a fixed one, and written where it is a reference.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "graph/expression/json_text.h"
#include "graph/expression/path.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace hearth::expression;
  static const Value kDocument =
      *parse_json_value(R"({"a":[1,2.0,{"b":"x","c":[true,null]}],"d":{"b":"y","n":-1},"s":"text","e":[]})");
  std::string_view text(reinterpret_cast<const char*>(data), size);
  size_t cut = text.find('\0');
  auto path = Path::compile(text.substr(0, cut));
  if (!path) return 0;
  Value document = kDocument;
  if (cut != std::string_view::npos) {
    if (auto parsed = parse_json_value(text.substr(cut + 1))) document = *std::move(parsed);
  }
  PathScope scope{document, kDocument, [](std::string_view name) { return name == "v" ? &kDocument : nullptr; }};
  auto value = path->read(scope, PastEnd::is_null);
  if (value && !path->is_definite() && !value->is_array()) __builtin_trap();
  if (auto reference = ReferencePath::compile(path->text())) {
    auto written = reference->write(document, Value::boolean(true));
    if (written) {
      auto read = path->read({*written, kDocument, nullptr});
      if (!read || !read->is_true()) __builtin_trap();  // what was written is there
    }
  }
  return 0;
}
