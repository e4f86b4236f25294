#ifndef BITPLAN_SEARCH_EXPORTERS_ONNX_QDQ_H_
#define BITPLAN_SEARCH_EXPORTERS_ONNX_QDQ_H_

#include "absl/status/statusor.h"
#include "search/base/run_context.h"
#include "search/exporters/exporter_table.h"

namespace bitplan::exporters {

// The network that the plan is of, quantized as evaluation::EvaluatePlan simulates it: each layer's weight as the
// codes, scales and zero points of quantization::Quantize with the plan's seed, each activation tensor
// (ActivationPoint) on its grid over the static min-max range of all calibration data. See docs/formats/onnx_qdq.md.
//
// What the runtime computes differs from the simulation by the rounding of float arithmetic alone: additions in another
// order, and where that moves a value across a rounding threshold of an activation, one step of its grid.
//
// Losses:  widths that the format stores wider (no code changes), schemes that become float weights, groups of channels
//          that become channels, activations that stay float (no calibration data, two levels without a zero), tensors
//          that the file does not have.
// Errors:  kInvalidArgument (a plan of another network, malformed bytes, no calibration data where codebooks take
//          importance), those of ParseModel, ParseNpz, Objective::Create, CalibrateActivations and WriteQdq.
// Same request, same bytes, for any number of threads.
absl::StatusOr<Exported> WriteOnnxQdq(const ExportRequest& request, const RunContext& context);

}  // namespace bitplan::exporters

#endif  // BITPLAN_SEARCH_EXPORTERS_ONNX_QDQ_H_
