#ifndef BITPLAN_SEARCH_EXPORTERS_COREMLTOOLS_H_
#define BITPLAN_SEARCH_EXPORTERS_COREMLTOOLS_H_

#include "search/exporters/exporter_table.h"

namespace bitplan::exporters {

// coremltools.optimize.coreml.OptimizationConfig as its from_yaml reads it (JSON is YAML): op_name_configs by the name
// of each weight in a model converted from PyTorch, which is the parameter's with every character but letters and
// digits as "_"; null for weights that stay as they are. One file has one kind of configurations: OpPalettizerConfig if
// all layers of the plan have codebooks, else OpLinearQuantizerConfig.
// kInvalidArgument: two layers whose names become one.
absl::StatusOr<Exported> WriteCoreMl(const ExportRequest& request, const RunContext& context);

}  // namespace bitplan::exporters

#endif  // BITPLAN_SEARCH_EXPORTERS_COREMLTOOLS_H_
