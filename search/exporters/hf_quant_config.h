#ifndef BITPLAN_SEARCH_EXPORTERS_HF_QUANT_CONFIG_H_
#define BITPLAN_SEARCH_EXPORTERS_HF_QUANT_CONFIG_H_

#include "search/exporters/exporter_table.h"

namespace bitplan::exporters {

// The hf_quant_config.json that ModelOpt puts beside a checkpoint and TensorRT-LLM and vLLM read: MIXED_PRECISION with
// an algorithm for each quantized layer, the rest under exclude_modules.
absl::StatusOr<Exported> WriteHfQuantConfig(const ExportRequest& request, const RunContext& context);

}  // namespace bitplan::exporters

#endif  // BITPLAN_SEARCH_EXPORTERS_HF_QUANT_CONFIG_H_
