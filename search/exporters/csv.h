#ifndef BITPLAN_SEARCH_EXPORTERS_CSV_H_
#define BITPLAN_SEARCH_EXPORTERS_CSV_H_

#include <string>
#include <string_view>

#include "search/plan/plan.h"

namespace bitplan::exporters {

// One row a layer: name, kind, num_weights, macs, the choice (weight_bits, activation_bits, scheme, granularity),
// sensitivity, standard_error and one column for each resource any option has a cost of. Without a choice those cells
// are empty. Lines end in CRLF, cells are quoted where RFC 4180 asks for it.
std::string ToCsv(const Plan& plan);

// A text cell. Quoted if it holds a comma, a quote or a line break; a text that a spreadsheet would take for a formula
// (first character = + - @, tab or carriage return) gets an apostrophe in front.
std::string CsvCell(std::string_view text);

}  // namespace bitplan::exporters

#endif  // BITPLAN_SEARCH_EXPORTERS_CSV_H_
