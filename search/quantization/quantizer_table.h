#ifndef BITPLAN_SEARCH_QUANTIZATION_QUANTIZER_TABLE_H_
#define BITPLAN_SEARCH_QUANTIZATION_QUANTIZER_TABLE_H_

#include <cstdint>
#include <initializer_list>
#include <span>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "search/quantization/quantizer.h"

namespace bitplan {

// The weights of one group and what is known besides.
struct WeightGroup {
  std::span<const float> values;      // at least one, finite
  std::span<const float> importance;  // one a value, or empty: all 1
  Range range;                        // clip range
  float tensor_largest = 0;           // largest magnitude of the whole tensor
};

// A codebook of sub-vectors: vectors[v * vector_size ..] is vector v.
struct VectorCodebook {
  int vector_size = 1;
  std::vector<float> vectors;
};

// The weights of all channels, one channel behind the other.
struct WeightRows {
  std::span<const float> values;
  int64_t row_length = 0;  // weights of a channel
};

// Which granularities a scheme has, as a set of bits.
constexpr unsigned GranularitySet(std::initializer_list<Granularity> granularities) {
  unsigned set = 0;
  for (const Granularity granularity : granularities) set |= 1U << static_cast<unsigned>(granularity);
  return set;
}
inline constexpr unsigned kAnyGranularity = GranularitySet(
    {Granularity::kPerTensor, Granularity::kPerChannel, Granularity::kPerGroup, Granularity::kPerChannelGroup});
// Of schemes that store a codebook a group: groups of a few weights would cost more than their codes.
inline constexpr unsigned kWholeChannels =
    GranularitySet({Granularity::kPerTensor, Granularity::kPerChannel, Granularity::kPerChannelGroup});

// One row of the table of quantizers. Exactly one of grid, unit_levels, codebook, vectors is there: what codes stand
// for (see QuantizedWeight).
struct QuantizerEntry {
  std::string_view name;     // spelling in files, on the wire and in Option::scheme
  std::string_view summary;  // one line for help texts
  std::string_view source;
  int min_bits = 2;  // widths of a stored weight
  int max_bits = 8;
  unsigned granularities = kAnyGranularity;
  int block_size = 0;             // per_group of this size only; the last block of a channel may be short. 0: none
  bool takes_range = true;        // has range rules other than minmax, and stochastic rounding
  bool takes_importance = false;  // needs the importance of each weight
  bool keeps_zero = true;         // a weight of zero stays zero
  bool is_projection = false;     // under minmax, quantizing the result again gives the same bits
  // Storage besides codes, for each group: floats of 32 bits, counted as `parameters(bits)`; or, if absent, a scale of
  // scale_bits (0: a float, of the width that the hardware profile says). has_zero_point: another code a group.
  // tensor_parameters: floats for the whole tensor.
  int64_t (*parameters)(int bits) = nullptr;
  int scale_bits = 0;
  bool has_zero_point = false;
  int tensor_parameters = 0;

  // Uniform codes.
  QuantizationGrid (*grid)(Range range, int bits) = nullptr;
  // Fixed levels times a scale. Levels are ascending and symmetric around zero; without `scale` that is the largest
  // magnitude of the range over the last level.
  std::vector<double> (*unit_levels)(int bits) = nullptr;
  float (*scale)(const WeightGroup& group) = nullptr;
  bool power_of_two_scale = false;
  // Levels fitted to the weights: ascending, different, at most 2^bits.
  std::vector<float> (*codebook)(const WeightGroup& group, int bits) = nullptr;
  // Sub-vectors fitted to the weights; vector_size weights share a code of vector_size * bits bits.
  VectorCodebook (*vectors)(const WeightRows& rows, int bits, const PerturbInputs& inputs) = nullptr;
  int (*vector_size)(int bits) = nullptr;

  bool Has(Granularity granularity) const { return (granularities >> static_cast<unsigned>(granularity)) % 2 == 1; }
  bool Has(int bits) const { return min_bits <= bits && bits <= max_bits; }
};

namespace quantization {

// The only list of quantizers; help texts, capability lists and the conformance tests read it.
std::span<const QuantizerEntry> Quantizers();

// kNotFound, listing the known names.
absl::StatusOr<QuantizerEntry> FindQuantizer(std::string_view name);

}  // namespace quantization
}  // namespace bitplan

#endif  // BITPLAN_SEARCH_QUANTIZATION_QUANTIZER_TABLE_H_
