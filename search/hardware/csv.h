#ifndef BITPLAN_SEARCH_HARDWARE_CSV_H_
#define BITPLAN_SEARCH_HARDWARE_CSV_H_

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace bitplan::hardware {

// Rows of an RFC 4180 text: fields between commas, lines end with LF or CRLF, quoted fields may hold commas, line ends
// and doubled quotes. Empty lines are left out. kInvalidArgument with the row: a quote that is not closed or stands in
// the middle of a field.
absl::StatusOr<std::vector<std::vector<std::string>>> ParseCsv(std::string_view text);

}  // namespace bitplan::hardware

#endif  // BITPLAN_SEARCH_HARDWARE_CSV_H_
