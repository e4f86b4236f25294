#include "search/exporters/plan_model.h"

#include <utility>

#include "search/base/status.h"
#include "search/onnx/parse_model.h"

namespace bitplan::exporters {

absl::StatusOr<Graph> ReadPlanModel(const ExportRequest& request) {
  BITPLAN_ASSIGN_OR_RETURN(Graph graph, onnx::ParseModel(request.onnx));
  const std::vector<Layer>& layers = graph.layers.layers;
  const std::vector<PlanLayer>& planned = request.plan.layers;
  if (layers.size() != planned.size()) {
    return InvalidArgument("model: got {} layers, the plan is of {}", layers.size(), planned.size());
  }
  for (size_t i = 0; i < layers.size(); ++i) {
    if (layers[i].name != planned[i].layer.name || layers[i].num_weights != planned[i].layer.num_weights) {
      return InvalidArgument("model: layers[{}] is '{}' of {} weights, the plan has '{}' of {}", i, layers[i].name,
                             layers[i].num_weights, planned[i].layer.name, planned[i].layer.num_weights);
    }
  }
  return graph;
}

}  // namespace bitplan::exporters
