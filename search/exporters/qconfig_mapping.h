#ifndef BITPLAN_SEARCH_EXPORTERS_QCONFIG_MAPPING_H_
#define BITPLAN_SEARCH_EXPORTERS_QCONFIG_MAPPING_H_

#include "search/exporters/exporter_table.h"

namespace bitplan::exporters {

// A Python file whose qconfig_mapping is a torch.ao.quantization.QConfigMapping for prepare_fx: a QConfig of observers
// for each quantized module, none for all others. Python because its observers are classes.
//
// Narrow codes are 8-bit integers of a smaller range (quant_min, quant_max), which prepare_fx simulates; backends run
// 8 bits.
absl::StatusOr<Exported> WriteQConfigMapping(const ExportRequest& request, const RunContext& context);

}  // namespace bitplan::exporters

#endif  // BITPLAN_SEARCH_EXPORTERS_QCONFIG_MAPPING_H_
