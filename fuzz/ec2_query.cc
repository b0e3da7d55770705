// EC2 query requests: form parameters, filters with wildcards, and what an error says of them in XML.
#include <cstdint>
#include <cstdlib>

#include "api/ec2/select.h"

namespace {

using namespace hearth::api::ec2;

struct Row {
  std::string id;
  hearth::vpc::Tags tags;
};

const Kindred<Row> kRows{.id = [](const Row& row) { return row.id; },
                         .tags = [](const Row& row) -> const hearth::vpc::Tags& { return row.tags; },
                         .fields = {{"row-id", [](const Row& row) { return Values{row.id}; }}},
                         .ids_parameter = "RowId",
                         .prefix = "row-",
                         .missing_code = "InvalidRow.NotFound",
                         .malformed_code = "InvalidRow.Malformed",
                         .noun = "row"};

// Escaped text never ends the element that it stands in.
void check_escaped(const std::string& text) {
  std::string out;
  Xml::escape(text, out);
  if (out.find_first_of("<>\"") != std::string::npos) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view form(reinterpret_cast<const char*>(data), size);
  auto params = Param::parse({}, form);
  if (!params) {
    check_escaped(params.error().message);
    return 0;
  }
  std::vector<Row> rows{{"row-1", {{"Name", "a"}}}, {"row-2", {{"Name", "b*"}}}, {"row-3", {}}};
  auto selection = select(*params, rows, kRows);
  if (!selection) check_escaped(selection.error().message);
  if (selection && selection->rows.size() > rows.size()) std::abort();
  auto split = form.find('\n');
  if (split != std::string_view::npos) matches(form.substr(0, split), form.substr(split + 1));
  return 0;
}
