#ifndef BITPLAN_CLIENT_TABLE_H_
#define BITPLAN_CLIENT_TABLE_H_

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace bitplan::client {

struct Column {
  std::string title;
  bool right = false;    // numbers
  size_t max_width = 0;  // longer cells lose their middle; 0: any width
};

// Aligned text for people: a line of titles, a rule, the rows, and after another rule the footer rows. Two blanks
// between columns, no blanks at the end of a line. Width counts UTF-8 characters.
class Table {
 public:
  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}

  // One cell a column; missing ones are empty.
  void AddRow(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }
  void AddFooter(std::vector<std::string> cells) { footers_.push_back(std::move(cells)); }

  std::string Render() const;

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
  std::vector<std::vector<std::string>> footers_;
};

// Number of UTF-8 characters.
size_t DisplayWidth(std::string_view text);

// `text` with its middle replaced by ".." so that it has at most `width` characters; width >= 4. Names differ most
// often at their ends.
std::string CutMiddle(std::string_view text, size_t width);

}  // namespace bitplan::client

#endif  // BITPLAN_CLIENT_TABLE_H_
