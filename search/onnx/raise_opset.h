#ifndef BITPLAN_SEARCH_ONNX_RAISE_OPSET_H_
#define BITPLAN_SEARCH_ONNX_RAISE_OPSET_H_

#include <cstdint>
#include <map>
#include <string>

#include "absl/status/status.h"

namespace bitplan::onnx_wire {
class ModelProto;
}  // namespace bitplan::onnx_wire

namespace bitplan::onnx {

// Newest opset that RaiseOpset writes: the first with 4-bit types and blocked scales.
inline constexpr int64_t kMaxRaisedOpset = 21;

// Rewrites `model` for opset `target` of the default domain, so that every node means what it meant before, and sets
// opset_import and the least ir_version that goes with it. Nothing happens if the model has that opset or a newer one.
//
// Operators whose definition changed on the way are converted: attributes that became inputs (axes of Squeeze,
// Unsqueeze and reductions; split; pads; starts, ends; min and max of Clip), the ratio of Dropout, the axis of Softmax
// where it is the last one. Types that were added and defaults that kept their meaning need nothing.
//
// `ranks`: number of axes of values by name, as far as known; Softmax needs it.
// Errors: kUnimplemented, the model untouched: an operator that changed in a way that is not converted (Resize of opset
// 10, Upsample, GroupNormalization, Softmax over several axes) or is not known, a graph inside a node, a target above
// kMaxRaisedOpset.
absl::Status RaiseOpset(onnx_wire::ModelProto& model, int64_t target, const std::map<std::string, int>& ranks);

// The opset of the default domain; 0 if the model names none.
int64_t OpsetOf(const onnx_wire::ModelProto& model);

}  // namespace bitplan::onnx

#endif  // BITPLAN_SEARCH_ONNX_RAISE_OPSET_H_
