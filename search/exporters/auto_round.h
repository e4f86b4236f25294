#ifndef BITPLAN_SEARCH_EXPORTERS_AUTO_ROUND_H_
#define BITPLAN_SEARCH_EXPORTERS_AUTO_ROUND_H_

#include "search/exporters/exporter_table.h"

namespace bitplan::exporters {

// AutoRound's layer_config: for the name of each layer the fields of its QuantizationScheme; 16 bits for layers that
// stay unquantized. group_size -1 is one scale a channel.
absl::StatusOr<Exported> WriteAutoRound(const ExportRequest& request, const RunContext& context);

}  // namespace bitplan::exporters

#endif  // BITPLAN_SEARCH_EXPORTERS_AUTO_ROUND_H_
