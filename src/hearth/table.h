// Table: columns in line, without borders, for people.
//
// The last column is not padded. A column is right-aligned when all of its cells are numbers or "-", one at least a
// number. Widths count code points.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"

namespace hearth::cli {

class Table {
 public:
  explicit Table(std::vector<std::string> headings) : headings_(std::move(headings)) {}

  // REQUIRES: as many cells as headings. An empty cell shows as "-".
  void add(std::vector<std::string> cells);
  bool empty() const { return rows_.empty(); }
  // Lines with their ends; the headings' line also when there is no row.
  std::string text() const;

 private:
  std::vector<std::string> headings_;
  std::vector<std::vector<std::string>> rows_;
};

// "name   value" lines; an empty value shows as "-".
std::string text_of_pairs(const std::vector<std::pair<std::string, std::string>>& pairs);

// Any JSON for people: members with plain values as pairs, lists of objects as tables, objects of objects as tables
// whose first column is the member's name, anything else as JSON.
std::string text_of_json(const json::value& value);

// Named groups of counters ({GROUP:{counter:number}}), one column a group, without the rows that are zero in all of
// them. A counter that a group lacks shows as "-".
std::string text_of_counters(const json::object& groups);

// A plain value as text without quotes; "" for null; JSON for lists and objects.
std::string cell(const json::value& value);
// The same for a member of an object, by a path such as "pool.warm"; "" when it is missing.
std::string cell(const json::value& value, std::string_view path);

// 1.5 → "1.500", for milliseconds: to the microsecond.
std::string milliseconds(double value);
// 1536 → "1.5 KiB".
std::string bytes(int64_t count);
// 93784 → "1 d 2 h 3 min"; the two or three largest units.
std::string duration(int64_t seconds);

}  // namespace hearth::cli
