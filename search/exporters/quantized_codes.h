#ifndef BITPLAN_SEARCH_EXPORTERS_QUANTIZED_CODES_H_
#define BITPLAN_SEARCH_EXPORTERS_QUANTIZED_CODES_H_

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "search/onnx/qdq_writer.h"
#include "search/quantization/quantizer.h"

namespace bitplan::exporters {

// Levels as whole multiples of a unit: levels[i] = unit * codes[i], codes at most 127 in magnitude.
struct LevelCodes {
  double unit = 1;
  std::vector<int32_t> codes;
};
// The unit is the least magnitude besides zero, or half of it; nullopt if neither divides all levels (to 1e-9 of each).
std::optional<LevelCodes> WholeMultiples(std::span<const double> levels);

// The byte that stands for `value` in the OCP 8-bit float format (E4M3FN, E5M2), +0 for zero; nullopt: none does.
std::optional<int32_t> Float8Code(onnx::CodeKind kind, double value);

// What a quantized weight is to the writer: its values always, its codes where they are integers of at most 8 bits
// times a scale (uniform grids; levels that are whole multiples of one unit a group: binary, ternary, FP4, powers of
// two of few bits) or 8-bit floats times a scale (schemes fp8_e4m3, fp8_e5m2). Groups of channels that share a scale
// become channels, each with that scale.
onnx::QdqWeight ToQdqWeight(ValueId id, const QuantizedWeight& quantized, const Shape& shape, std::string_view scheme);

}  // namespace bitplan::exporters

#endif  // BITPLAN_SEARCH_EXPORTERS_QUANTIZED_CODES_H_
