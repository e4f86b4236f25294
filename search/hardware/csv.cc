#include "search/hardware/csv.h"

#include <algorithm>
#include <utility>

#include "search/base/status.h"

namespace bitplan::hardware {
namespace {

// Takes the text apart from its front.
struct CsvReader {
  std::string_view rest;
  size_t row = 1;

  // What stands behind the field stays in `rest`.
  absl::StatusOr<std::string> TakeField() {
    if (!rest.starts_with('"')) {
      const size_t end = std::min(rest.find_first_of(",\n"), rest.size());
      std::string field(rest.substr(0, end));
      rest.remove_prefix(end);
      if (!field.empty() && field.back() == '\r') field.pop_back();
      if (field.find('"') == std::string::npos) return field;
      return InvalidArgument("row {}: got a quote in the middle of '{}'", row, field);
    }
    return TakeQuoted();
  }

  absl::StatusOr<std::string> TakeQuoted() {
    std::string field;
    rest.remove_prefix(1);
    while (true) {
      const size_t quote = rest.find('"');
      if (quote == std::string_view::npos) return InvalidArgument("row {}: a quote is not closed", row);
      field += rest.substr(0, quote);
      rest.remove_prefix(quote + 1);
      if (!rest.starts_with('"')) break;
      field += '"';
      rest.remove_prefix(1);
    }
    if (rest.starts_with('\r')) rest.remove_prefix(1);
    if (rest.empty() || rest.front() == ',' || rest.front() == '\n') return field;
    return InvalidArgument("row {}: got '{}' behind a closed quote, want a comma or the end of the line", row,
                           rest.front());
  }
};

}  // namespace

absl::StatusOr<std::vector<std::vector<std::string>>> ParseCsv(std::string_view text) {
  std::vector<std::vector<std::string>> rows;
  CsvReader reader{.rest = text};
  while (!reader.rest.empty()) {
    std::vector<std::string> fields;
    bool more = true;
    while (more) {
      BITPLAN_ASSIGN_OR_RETURN(fields.emplace_back(), reader.TakeField());
      more = reader.rest.starts_with(',');
      if (!reader.rest.empty()) reader.rest.remove_prefix(1);
    }
    if (fields.size() > 1 || !fields.front().empty()) rows.push_back(std::move(fields));
    ++reader.row;
  }
  return rows;
}

}  // namespace bitplan::hardware
