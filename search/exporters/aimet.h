#ifndef BITPLAN_SEARCH_EXPORTERS_AIMET_H_
#define BITPLAN_SEARCH_EXPORTERS_AIMET_H_

#include "search/exporters/exporter_table.h"

namespace bitplan::exporters {

// AIMET encodings 1.0.0 of a model's weights, with the scales and offsets that the plan's quantizers give them:
//
//   w ~ scale (q + offset),   q in 0 .. 2^bw - 1,   offset = -2^(bw-1) for symmetric codes, -zero_point for affine ones
//
// so that range rules are said exactly. Activations have no encodings: their ranges are not in a plan. Needs the model.
// Errors: those of ReadPlanModel and quantization::Quantize; kCancelled.
absl::StatusOr<Exported> WriteAimet(const ExportRequest& request, const RunContext& context);

}  // namespace bitplan::exporters

#endif  // BITPLAN_SEARCH_EXPORTERS_AIMET_H_
