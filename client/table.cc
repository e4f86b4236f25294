#include "client/table.h"

#include <algorithm>

namespace bitplan::client {
namespace {

constexpr std::string_view kGap = "  ";

bool IsTail(char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }

// Byte offset of the character number `index`.
size_t OffsetOf(std::string_view text, size_t index) {
  size_t offset = 0;
  for (size_t seen = 0; offset < text.size(); ++offset) {
    if (!IsTail(text[offset]) && seen++ == index) return offset;
  }
  return text.size();
}

std::string Pad(std::string_view text, size_t width, bool right) {
  const std::string blanks(width - std::min(width, DisplayWidth(text)), ' ');
  return right ? blanks + std::string(text) : std::string(text) + blanks;
}

}  // namespace

size_t DisplayWidth(std::string_view text) {
  return static_cast<size_t>(std::ranges::count_if(text, [](char c) { return !IsTail(c); }));
}

std::string CutMiddle(std::string_view text, size_t width) {
  const size_t length = DisplayWidth(text);
  if (length <= width) return std::string(text);
  const size_t head = (width - 2) / 2;
  const size_t tail = width - 2 - head;
  return std::string(text.substr(0, OffsetOf(text, head))) + ".." +
         std::string(text.substr(OffsetOf(text, length - tail)));
}

std::string Table::Render() const {
  std::vector<size_t> widths(columns_.size());
  const auto cell = [&](const std::vector<std::string>& row, size_t column) {
    const std::string text = column < row.size() ? row[column] : "";
    return columns_[column].max_width > 0 ? CutMiddle(text, columns_[column].max_width) : text;
  };
  for (size_t column = 0; column < columns_.size(); ++column) {
    widths[column] = DisplayWidth(columns_[column].title);
    for (const auto* rows : {&rows_, &footers_}) {
      for (const auto& row : *rows) widths[column] = std::max(widths[column], DisplayWidth(cell(row, column)));
    }
  }
  std::string out;
  const auto add_line = [&](const auto& text_of) {
    std::string line;
    for (size_t column = 0; column < columns_.size(); ++column) {
      if (column > 0) line += kGap;
      line += Pad(text_of(column), widths[column], columns_[column].right);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    out += line + "\n";
  };
  const auto add_rule = [&] { add_line([&](size_t column) { return std::string(widths[column], '-'); }); };

  add_line([&](size_t column) { return columns_[column].title; });
  add_rule();
  for (const auto& row : rows_) add_line([&](size_t column) { return cell(row, column); });
  if (!footers_.empty()) add_rule();
  for (const auto& row : footers_) add_line([&](size_t column) { return cell(row, column); });
  return out;
}

}  // namespace bitplan::client
