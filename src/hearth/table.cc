#include "hearth/table.h"

#include <fmt/format.h>

#include <algorithm>

namespace hearth::cli {
namespace {

constexpr std::string_view kGap = "  ";

size_t width_of(std::string_view text) {
  return static_cast<size_t>(
      std::ranges::count_if(text, [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

bool is_number(std::string_view text) {
  if (text == "-") return true;
  if (text.starts_with('-')) text.remove_prefix(1);
  return !text.empty() && text != "." &&
         std::ranges::all_of(text, [](char c) { return (c >= '0' && c <= '9') || c == '.'; }) &&
         std::ranges::count(text, '.') <= 1;
}

void put(std::string& line, const std::string& text, size_t width, bool to_the_right) {
  std::string room(width - std::min(width, width_of(text)), ' ');
  line += to_the_right ? room + text : text + room;
}

bool is_plain(const json::value& value) { return !value.is_array() && !value.is_object(); }

void collect_columns(const json::value& row, std::vector<std::string>& columns) {
  for (const auto& member : row.get_object()) {
    std::string name(member.key());
    if (std::ranges::find(columns, name) == columns.end()) columns.push_back(name);
  }
}

std::string heading(std::string name) {
  for (char& c : name) c = c == '_' ? ' ' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return name;
}

struct Row {
  std::string name;  // "" in a list
  const json::value* value;
};

std::string table_of(const std::vector<Row>& rows, bool named) {
  std::vector<std::string> columns;
  for (const Row& row : rows) collect_columns(*row.value, columns);
  std::vector<std::string> headings;
  if (named) headings.push_back("NAME");
  for (const auto& column : columns) headings.push_back(heading(column));
  Table table(std::move(headings));
  for (const Row& row : rows) {
    std::vector<std::string> cells;
    if (named) cells.push_back(row.name);
    for (const auto& column : columns) {
      const json::value* member = row.value->get_object().if_contains(column);
      cells.push_back(member == nullptr ? "" : cell(*member));
    }
    table.add(std::move(cells));
  }
  return table.text();
}

// The rows of a value that is a table: a list or an object of objects.
std::vector<Row> rows_of(const json::value& value) {
  std::vector<Row> rows;
  if (value.is_array()) {
    for (const auto& item : value.get_array()) rows.push_back({"", &item});
  } else if (value.is_object()) {
    for (const auto& member : value.get_object()) rows.push_back({std::string(member.key()), &member.value()});
  }
  bool all_objects = std::ranges::all_of(rows, [](const Row& row) { return row.value->is_object(); });
  return all_objects ? rows : std::vector<Row>();
}

}  // namespace

void Table::add(std::vector<std::string> cells) {
  for (auto& text : cells) {
    if (text.empty()) text = "-";
  }
  rows_.push_back(std::move(cells));
}

std::string Table::text() const {
  std::vector<size_t> widths;
  std::vector<bool> numeric;
  for (size_t column = 0; column < headings_.size(); ++column) {
    size_t width = width_of(headings_[column]);
    bool numbers = std::ranges::any_of(rows_, [&](const auto& row) { return row[column] != "-"; });
    for (const auto& row : rows_) {
      width = std::max(width, width_of(row[column]));
      numbers = numbers && is_number(row[column]);
    }
    widths.push_back(width);
    numeric.push_back(numbers);
  }
  std::string text;
  auto add_line = [&](const std::vector<std::string>& cells) {
    std::string line;
    for (size_t column = 0; column < cells.size(); ++column) {
      if (column > 0) line += kGap;
      bool last = column + 1 == cells.size() && !numeric[column];
      put(line, cells[column], last ? 0 : widths[column], numeric[column]);
    }
    text += line + "\n";
  };
  add_line(headings_);
  for (const auto& row : rows_) add_line(row);
  return text;
}

std::string text_of_pairs(const std::vector<std::pair<std::string, std::string>>& pairs) {
  size_t width = 0;
  for (const auto& [name, value] : pairs) width = std::max(width, width_of(name));
  std::string text;
  for (const auto& [name, value] : pairs) {
    put(text, name, width, false);
    text += std::string(kGap) + (value.empty() ? "-" : value) + "\n";
  }
  return text;
}

std::string text_of_json(const json::value& value) {
  auto rows = rows_of(value);
  if (!rows.empty()) return table_of(rows, value.is_object());
  if (!value.is_object()) return cell(value) + "\n";
  std::vector<std::pair<std::string, std::string>> pairs;
  std::string parts;
  for (const auto& member : value.get_object()) {
    std::string name(member.key());
    if (is_plain(member.value()))
      pairs.emplace_back(name, cell(member.value()));
    else
      parts += "\n" + name + "\n" + text_of_json(member.value());
  }
  return text_of_pairs(pairs) + (pairs.empty() && !parts.empty() ? parts.substr(1) : parts);
}

std::string text_of_counters(const json::object& groups) {
  std::vector<std::string> headings = {"COUNTER"};
  std::vector<std::string> names;
  for (const auto& group : groups) {
    if (!group.value().is_object()) continue;
    headings.emplace_back(group.key());
    collect_columns(group.value(), names);
  }
  Table table(headings);
  for (const auto& name : names) {
    std::vector<std::string> cells = {name};
    bool counted = false;
    for (const auto& group : groups) {
      if (!group.value().is_object()) continue;
      const json::value* number = group.value().get_object().if_contains(name);
      cells.push_back(number == nullptr ? "" : cell(*number));
      counted = counted || (number != nullptr && cells.back() != "0");
    }
    if (counted) table.add(std::move(cells));
  }
  return table.text() + (table.empty() ? "(all are zero)\n" : "");
}

std::string cell(const json::value& value) {
  if (value.is_null()) return "";
  if (value.is_string()) return std::string(value.get_string());
  if (value.is_bool()) return value.get_bool() ? "yes" : "no";
  if (value.is_double()) return milliseconds(value.get_double());
  return json::serialize(value);
}

std::string cell(const json::value& value, std::string_view path) {
  const json::value* at = &value;
  while (!path.empty()) {
    size_t dot = std::min(path.find('.'), path.size());
    if (!at->is_object()) return "";
    at = at->get_object().if_contains(json::string_view(path.data(), dot));
    if (at == nullptr) return "";
    path.remove_prefix(std::min(dot + 1, path.size()));
  }
  return cell(*at);
}

std::string milliseconds(double value) { return fmt::format("{:.3f}", value); }

std::string bytes(int64_t count) {
  if (count < 1024) return fmt::format("{} B", count);
  double value = static_cast<double>(count);
  const char* const units[] = {"KiB", "MiB", "GiB"};
  size_t unit = 0;
  for (value /= 1024; value >= 1024 && unit < 2; ++unit) value /= 1024;
  return fmt::format("{:.1f} {}", value, units[unit]);
}

std::string duration(int64_t seconds) {
  int64_t days = seconds / 86'400;
  int64_t hours = seconds / 3600 % 24;
  int64_t minutes = seconds / 60 % 60;
  if (days > 0) return fmt::format("{} d {} h {} min", days, hours, minutes);
  if (hours > 0) return fmt::format("{} h {} min", hours, minutes);
  if (minutes > 0) return fmt::format("{} min {} s", minutes, seconds % 60);
  return fmt::format("{} s", seconds);
}

}  // namespace hearth::cli
