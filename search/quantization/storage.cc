#include "search/quantization/storage.h"

#include <algorithm>
#include <functional>
#include <map>
#include <queue>
#include <vector>

#include "search/base/resource.h"
#include "search/quantization/quantizer_table.h"

namespace bitplan::quantization {
namespace {

constexpr int kFloatBits = 32;
constexpr int kLengthBits = 8;  // of a code length in a Huffman table

int64_t CeilDivide(int64_t a, int64_t b) { return a / b + (a % b == 0 ? 0 : 1); }

int64_t NumGroups(const Layer& layer, const Option& option) {
  const int64_t channels = layer.num_output_channels();
  switch (option.granularity) {
    case Granularity::kPerTensor:
      return 1;
    case Granularity::kPerChannel:
      return channels;
    case Granularity::kPerGroup:
      return channels * CeilDivide(layer.num_weights / channels, option.group_size);
    case Granularity::kPerChannelGroup:
      return CeilDivide(channels, option.group_size);
  }
  return 1;
}

// Bits of one group's scale, zero point and codebook.
int64_t BitsOfGroup(const QuantizerEntry& quantizer, int weight_bits, const StorageFormat& format) {
  if (quantizer.parameters != nullptr) return quantizer.parameters(weight_bits) * kFloatBits;
  const int own = quantizer.scale_bits == 0 ? format.scale_bits : quantizer.scale_bits;
  return own + (quantizer.has_zero_point ? format.zero_point_bits.value_or(weight_bits) : 0);
}

int64_t CodeBits(int weight_bits, const StorageFormat& format) {
  const auto width = std::ranges::lower_bound(format.code_widths, weight_bits);
  return width == format.code_widths.end() ? weight_bits : *width;
}

std::optional<int64_t> CodesBits(const Layer& layer, int weight_bits, const StorageFormat& format) {
  constexpr int64_t kByteBits = 8;
  const int64_t bits = CodeBits(weight_bits, format);
  if (format.row_alignment_bytes == 0) return CheckedMultiply(layer.num_weights, bits);
  const int64_t rows = layer.num_output_channels();
  const std::optional<int64_t> row = CheckedMultiply(CeilDivide(layer.num_weights, rows), bits);
  const int64_t unit = format.row_alignment_bytes * kByteBits;
  const std::optional<int64_t> padded = row ? CheckedMultiply(CeilDivide(*row, unit), unit) : std::nullopt;
  return padded ? CheckedMultiply(*padded, rows) : std::nullopt;
}

std::optional<int64_t> VectorBits(const QuantizerEntry& quantizer, const Layer& layer, int bits) {
  const int size = quantizer.vector_size(bits);
  const int64_t channels = layer.num_output_channels();
  const int64_t vectors = channels * CeilDivide(layer.num_weights / channels, size);
  const std::optional<int64_t> codes = CheckedMultiply(vectors, int64_t{size} * bits);
  return codes ? CheckedAdd(*codes, (int64_t{size} << (size * bits)) * kFloatBits) : std::nullopt;
}

}  // namespace

std::optional<int64_t> StorageBits(const Layer& layer, const Option& option, int scale_bits) {
  return StorageBits(layer, option, StorageFormat{.scale_bits = scale_bits, .zero_point_bits = {}, .code_widths = {}});
}

std::optional<int64_t> StorageBits(const Layer& layer, const Option& option, const StorageFormat& format) {
  const absl::StatusOr<QuantizerEntry> quantizer = FindQuantizer(option.scheme);
  if (quantizer.ok() && quantizer->vectors != nullptr && quantizer->Has(option.weight_bits))
    return VectorBits(*quantizer, layer, option.weight_bits);
  const std::optional<int64_t> codes = CodesBits(layer, option.weight_bits, format);
  const bool has_codebook = quantizer.ok() && (quantizer->parameters != nullptr || quantizer->vectors != nullptr);
  if (!codes || !quantizer.ok() || (has_codebook && !quantizer->Has(option.weight_bits))) return codes;
  const std::optional<int64_t> groups =
      CheckedMultiply(NumGroups(layer, option), BitsOfGroup(*quantizer, option.weight_bits, format));
  const std::optional<int64_t> sum = groups ? CheckedAdd(*codes, *groups) : std::nullopt;
  return sum ? CheckedAdd(*sum, int64_t{quantizer->tensor_parameters} * kFloatBits) : std::nullopt;
}

int64_t HuffmanBits(std::span<const int32_t> codes) {
  if (codes.empty()) return 0;
  std::map<int32_t, int64_t> counts;
  for (const int32_t code : codes) ++counts[code];
  std::priority_queue<int64_t, std::vector<int64_t>, std::greater<>> nodes;
  for (const auto& [code, count] : counts) nodes.push(count);
  int64_t bits = 0;  // joining two nodes lengthens every code below them by one
  while (nodes.size() > 1) {
    int64_t joined = nodes.top();
    nodes.pop();
    joined += nodes.top();
    nodes.pop();
    bits += joined;
    nodes.push(joined);
  }
  const int64_t span = int64_t{counts.rbegin()->first} - counts.begin()->first + 1;
  return bits + span * kLengthBits + 2 * kFloatBits;
}

}  // namespace bitplan::quantization
