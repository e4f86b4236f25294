#ifndef BITPLAN_SEARCH_OPS_MAT_MUL_KIND_H_
#define BITPLAN_SEARCH_OPS_MAT_MUL_KIND_H_

#include <string_view>

namespace bitplan::ops {

// Attributes of a MatMul that stands for a part of another operator (lowering.h) and has the weight on the left: the
// kind of its layer, and how many rows of the weight are used and count as multiply-accumulates. ONNX has no such
// attributes.
inline constexpr std::string_view kLayerKindAttribute = "bitplan_layer_kind";
inline constexpr std::string_view kLayerRowsAttribute = "bitplan_layer_rows";

}  // namespace bitplan::ops

#endif  // BITPLAN_SEARCH_OPS_MAT_MUL_KIND_H_
