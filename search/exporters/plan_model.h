#ifndef BITPLAN_SEARCH_EXPORTERS_PLAN_MODEL_H_
#define BITPLAN_SEARCH_EXPORTERS_PLAN_MODEL_H_

#include "absl/status/statusor.h"
#include "search/exporters/exporter_table.h"
#include "search/graph/graph.h"

namespace bitplan::exporters {

// The model of a request, whose layer i is the plan's layer i. Errors: those of onnx::ParseModel; kInvalidArgument for
// a model of other layers (count, name or number of weights).
absl::StatusOr<Graph> ReadPlanModel(const ExportRequest& request);

}  // namespace bitplan::exporters

#endif  // BITPLAN_SEARCH_EXPORTERS_PLAN_MODEL_H_
