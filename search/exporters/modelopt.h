#ifndef BITPLAN_SEARCH_EXPORTERS_MODELOPT_H_
#define BITPLAN_SEARCH_EXPORTERS_MODELOPT_H_

#include "search/exporters/exporter_table.h"

namespace bitplan::exporters {

// A Python file whose QUANT_CFG is what modelopt.torch.quantization.quantize takes: one weight quantizer and, where
// activations are quantized, one input quantizer a layer; everything else is disabled. Python and not JSON because the
// axes of blocks are keys and integers.
absl::StatusOr<Exported> WriteModelOpt(const ExportRequest& request, const RunContext& context);

}  // namespace bitplan::exporters

#endif  // BITPLAN_SEARCH_EXPORTERS_MODELOPT_H_
