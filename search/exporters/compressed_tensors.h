#ifndef BITPLAN_SEARCH_EXPORTERS_COMPRESSED_TENSORS_H_
#define BITPLAN_SEARCH_EXPORTERS_COMPRESSED_TENSORS_H_

#include "search/exporters/exporter_table.h"

namespace bitplan::exporters {

// The quantization_config of compressed-tensors: one config group for all layers that are written alike, their names as
// targets; unquantized layers under "ignore". llm-compressor's modifiers take config_groups and ignore as they are.
absl::StatusOr<Exported> WriteCompressedTensors(const ExportRequest& request, const RunContext& context);

}  // namespace bitplan::exporters

#endif  // BITPLAN_SEARCH_EXPORTERS_COMPRESSED_TENSORS_H_
