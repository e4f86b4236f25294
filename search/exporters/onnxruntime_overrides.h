#ifndef BITPLAN_SEARCH_EXPORTERS_ONNXRUNTIME_OVERRIDES_H_
#define BITPLAN_SEARCH_EXPORTERS_ONNXRUNTIME_OVERRIDES_H_

#include "search/exporters/exporter_table.h"

namespace bitplan::exporters {

// What onnxruntime.quantization.quantize_static takes besides a model and its data: extra_options with
// TensorQuantOverrides, by the names of the model's tensors, and nodes_to_exclude. Quantization types are names for
// QuantType.from_string. Needs the model for the names of its tensors.
absl::StatusOr<Exported> WriteOnnxRuntimeOverrides(const ExportRequest& request, const RunContext& context);

}  // namespace bitplan::exporters

#endif  // BITPLAN_SEARCH_EXPORTERS_ONNXRUNTIME_OVERRIDES_H_
