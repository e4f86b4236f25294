#include "search/quantization/fake_quantize.h"

#include <cmath>

#include "search/base/status.h"
#include "search/quantization/affine.h"

namespace bitplan::quantization {

absl::Status CheckActivationBits(int bits) {
  if (bits == kFloatBits || (bits >= kBinaryBits && bits <= kMaxActivationBits)) return absl::OkStatus();
  return InvalidArgument("activation_bits: got {}, want {}..{}, or {} for not quantized", bits, kBinaryBits,
                         kMaxActivationBits, kFloatBits);
}

QuantizationGrid ActivationGrid(Range range, int bits) { return AffineGrid(range, bits); }

void FakeQuantize(const QuantizationGrid& grid, std::span<float> values) {
  for (float& value : values) {
    if (!std::isnan(value)) value = Decode(grid, Encode(grid, value));
  }
}

}  // namespace bitplan::quantization
