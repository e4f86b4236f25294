#include "search/quantization/quantizer_table.h"

#include <array>
#include <string>

#include "search/base/status.h"
#include "search/quantization/affine.h"
#include "search/quantization/binary.h"
#include "search/quantization/codebooks.h"
#include "search/quantization/float_formats.h"
#include "search/quantization/multi_bit_binary.h"
#include "search/quantization/powers_of_two.h"
#include "search/quantization/product_quantization.h"
#include "search/quantization/symmetric.h"
#include "search/quantization/symmetric_full.h"

namespace bitplan::quantization {
namespace {

constexpr int kBlockScaleBits = 8;  // E8M0 and E4M3; an exponent of two as well

int64_t EntryAWidth(int bits) { return int64_t{1} << bits; }
int64_t FloatABit(int bits) { return bits; }
int64_t OneFloat(int /*bits*/) { return 1; }

constexpr auto kQuantizers = std::to_array<QuantizerEntry>({
    {.name = "symmetric",
     .summary = "signed codes around zero, restricted range (2 bits is ternary)",
     .source = "Gholami et al. (2021)",
     .grid = &SymmetricGrid},
    {.name = "symmetric_full",
     .summary = "signed codes around zero, full range -2^(b-1)..2^(b-1)-1",
     .source = "Gholami et al. (2021)",
     .is_projection = true,
     .grid = &SymmetricFullGrid},
    {.name = "affine",
     .summary = "unsigned codes with an integer zero point, zero kept exact",
     .source = "Jacob et al. (2018)",
     .has_zero_point = true,
     .grid = &AffineGrid},
    {.name = "power_of_two",
     .summary = "zero and powers of two (logarithmic)",
     .source = "Miyashita et al. (2016), Zhou et al. (2017)",
     .max_bits = 6,
     .is_projection = true,
     .scale_bits = kBlockScaleBits,
     .unit_levels = &PowerOfTwoLevels,
     .scale = &PowerOfTwoScale,
     .power_of_two_scale = true},
    {.name = "additive_power_of_two",
     .summary = "sums of powers of two (APoT)",
     .source = "Li et al. (2020)",
     .is_projection = true,
     .unit_levels = &AdditivePowerOfTwoLevels},
    {.name = "fp8_e4m3",
     .summary = "8-bit floats, 4 exponent bits, with a scale",
     .source = "OCP FP8 1.0 (2023)",
     .min_bits = 8,
     .max_bits = 8,
     .is_projection = true,
     .unit_levels = &Fp8E4M3Levels},
    {.name = "fp8_e5m2",
     .summary = "8-bit floats, 5 exponent bits, with a scale",
     .source = "OCP FP8 1.0 (2023)",
     .min_bits = 8,
     .max_bits = 8,
     .is_projection = true,
     .unit_levels = &Fp8E5M2Levels},
    {.name = "fp4_e2m1",
     .summary = "4-bit floats with a scale",
     .source = "OCP MX 1.0 (2023)",
     .min_bits = 4,
     .max_bits = 4,
     .is_projection = true,
     .unit_levels = &Fp4E2M1Levels},
    {.name = "mxfp4",
     .summary = "4-bit floats in blocks of 32 with a power of two as scale",
     .source = "OCP MX 1.0 (2023)",
     .min_bits = 4,
     .max_bits = 4,
     .granularities = GranularitySet({Granularity::kPerGroup}),
     .block_size = 32,
     .takes_range = false,
     .is_projection = true,
     .scale_bits = kBlockScaleBits,
     .unit_levels = &Fp4E2M1Levels,
     .scale = &Mxfp4Scale},
    {.name = "nvfp4",
     .summary = "4-bit floats in blocks of 16 with an FP8 scale, and a float for the tensor",
     .source = "NVIDIA (2025)",
     .min_bits = 4,
     .max_bits = 4,
     .granularities = GranularitySet({Granularity::kPerGroup}),
     .block_size = 16,
     .takes_range = false,
     .is_projection = true,
     .scale_bits = kBlockScaleBits,
     .tensor_parameters = 1,
     .unit_levels = &Fp4E2M1Levels,
     .scale = &Nvfp4Scale},
    {.name = "lloyd_max",
     .summary = "codebook of a local optimum (Lloyd-Max)",
     .source = "Lloyd (1982), Max (1960)",
     .granularities = kWholeChannels,
     .takes_range = false,
     .keeps_zero = false,
     .is_projection = true,
     .parameters = &EntryAWidth,
     .codebook = &LloydMaxLevels},
    {.name = "kmeans",
     .summary = "codebook of least squared error",
     .source = "Han et al. (2016)",
     .granularities = kWholeChannels,
     .takes_range = false,
     .keeps_zero = false,
     .is_projection = true,
     .parameters = &EntryAWidth,
     .codebook = &KMeansLevels},
    {.name = "hessian_kmeans",
     .summary = "codebook of least squared error weighted by each weight's curvature",
     .source = "Choi et al. (2017)",
     .granularities = kWholeChannels,
     .takes_range = false,
     .takes_importance = true,
     .keeps_zero = false,
     .is_projection = true,
     .parameters = &EntryAWidth,
     .codebook = &HessianKMeansLevels},
    {.name = "multi_bit_greedy",
     .summary = "sums of binary codes, scales one after the other",
     .source = "Li et al. (HORQ, 2017)",
     .max_bits = 4,
     .takes_range = false,
     .keeps_zero = false,
     .parameters = &FloatABit,
     .codebook = &GreedyBinaryLevels},
    {.name = "multi_bit_alternating",
     .summary = "sums of binary codes, scales and codes in turn",
     .source = "Xu et al. (2018)",
     .max_bits = 4,
     .takes_range = false,
     .keeps_zero = false,
     .parameters = &FloatABit,
     .codebook = &AlternatingBinaryLevels},
    {.name = "product_quantization",
     .summary = "codebook of 256 vectors of consecutive weights",
     .source = "Gong et al. (2014)",
     .min_bits = 1,
     .max_bits = 2,
     .granularities = GranularitySet({Granularity::kPerTensor}),
     .takes_range = false,
     .keeps_zero = false,
     .vectors = &ProductVectors,
     .vector_size = &ProductVectorSize},
    {.name = "binary",
     .summary = "two values of one magnitude (BWN)",
     .source = "Rastegari et al. (2016)",
     .min_bits = 1,
     .max_bits = 1,
     .takes_range = false,
     .keeps_zero = false,
     .is_projection = true,
     .parameters = &OneFloat,
     .codebook = &BinaryLevels},
    {.name = "ternary",
     .summary = "zero and two values of one magnitude (TWN)",
     .source = "Li et al. (2016)",
     .min_bits = 2,
     .max_bits = 2,
     .takes_range = false,
     .is_projection = true,
     .parameters = &OneFloat,
     .codebook = &TernaryLevels},
});

}  // namespace

std::span<const QuantizerEntry> Quantizers() { return kQuantizers; }

absl::StatusOr<QuantizerEntry> FindQuantizer(std::string_view name) {
  std::string known;
  for (const QuantizerEntry& entry : kQuantizers) {
    if (entry.name == name) return entry;
    known += fmt::format("{}{}", known.empty() ? "" : ", ", entry.name);
  }
  return NotFound("scheme: got '{}', want one of {}", name, known);
}

}  // namespace bitplan::quantization
