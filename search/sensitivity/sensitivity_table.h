#ifndef BITPLAN_SEARCH_SENSITIVITY_SENSITIVITY_TABLE_H_
#define BITPLAN_SEARCH_SENSITIVITY_SENSITIVITY_TABLE_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "search/curvature/hutchinson.h"
#include "search/curvature/power_iteration.h"
#include "search/sensitivity/plan_responses.h"

namespace bitplan {

// Curvature of one layer's diagonal block H_ll: what was measured of it. Divide by Layer::num_weights for averages.
struct LayerCurvature {
  std::optional<TraceEstimate> trace;
  std::optional<EigenvalueEstimate> top_eigenvalue;

  bool operator==(const LayerCurvature&) const = default;
};

// Predicted loss increase of every option of every layer, and what the prediction rests on. Rows follow the LayerTable,
// columns the OptionTable.
struct SensitivityTable {
  std::string method;  // a name of the method table
  std::string loss;    // a name of the loss table; empty if not known

  std::vector<std::vector<double>> score;  // [layer][option]; units of loss; finite, may be negative
  // [layer][option], same units; what the number means is the method's (see method_table.h); 0 where not known.
  std::vector<std::vector<double>> standard_error;
  std::vector<std::vector<double>> perturbation_sq;  // [layer][option], ||Q(W) - W||^2; empty if not known

  std::vector<LayerCurvature> curvature;                     // one a layer; empty if not known
  std::optional<EigenvalueEstimate> network_top_eigenvalue;  // of the Hessian over all layer weights
  std::optional<double> base_loss;                           // of the float network on the calibration data
  int64_t num_samples = 0;                                   // calibration samples used; 0: not known
  uint64_t seed = 0;
  // Absent: a plan's prediction is the sum of its scores. Present: PlanPredictor's, and the scores are what it predicts
  // for each option alone.
  std::optional<PlanResponses> responses;
  std::vector<std::string> notes;  // one sentence each on what users should know of the scores; empty: nothing

  bool operator==(const SensitivityTable&) const = default;
};

}  // namespace bitplan

#endif  // BITPLAN_SEARCH_SENSITIVITY_SENSITIVITY_TABLE_H_
