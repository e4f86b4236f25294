#ifndef BITPLAN_SEARCH_EXPORTERS_TORCHAO_H_
#define BITPLAN_SEARCH_EXPORTERS_TORCHAO_H_

#include "search/exporters/exporter_table.h"

namespace bitplan::exporters {

// torchao's FqnToConfig as torchao.core.config.config_from_dict reads it: a configuration for the name of each module,
// null for those that stay unquantized. To be applied with quantize_(model, config, filter_fn=None).
absl::StatusOr<Exported> WriteTorchAo(const ExportRequest& request, const RunContext& context);

}  // namespace bitplan::exporters

#endif  // BITPLAN_SEARCH_EXPORTERS_TORCHAO_H_
