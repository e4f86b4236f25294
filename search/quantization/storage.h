#ifndef BITPLAN_SEARCH_QUANTIZATION_STORAGE_H_
#define BITPLAN_SEARCH_QUANTIZATION_STORAGE_H_

#include <cstdint>
#include <optional>
#include <span>

#include "search/layer/layer.h"

namespace bitplan::quantization {

// Bits that a layer takes under an option, a function of the layer's shape and the option alone:
//
//   codes        weight_bits a weight; with sub-vectors one code of vector_size * weight_bits bits a vector
//   scales       one a group, of scale_bits or of the format's own width (8 for power_of_two, mxfp4, nvfp4); nvfp4 one
//                float for the tensor besides
//   zero points  one code a group, affine only
//   codebooks    32 bits a float: every entry counts, whether or not the weights use it
//
// Groups: 1 per_tensor, the channels per_channel, ceil(channels / group_size) per_channel_group, and per_group
// ceil(weights of a channel / group_size) in each channel. A layer of unknown shape counts as one channel. The scheme
// "given", others that are not in the table, and codebooks at widths that the scheme does not have count codes only.
// nullopt: more than int64 holds.
std::optional<int64_t> StorageBits(const Layer& layer, const Option& option, int scale_bits = 32);

// How a device's format packs what StorageBits counts.
struct StorageFormat {
  int scale_bits = 32;
  std::optional<int> zero_point_bits;  // none: weight_bits
  std::span<const int> code_widths;    // ascending; a code takes the least that holds it, or its own bits
  int64_t row_alignment_bytes = 0;     // the codes of an output channel take a multiple of this; 0: no padding
};

// StorageBits in such a format. Sub-vectors and their codebook are not padded.
std::optional<int64_t> StorageBits(const Layer& layer, const Option& option, const StorageFormat& format);

// Bits of the codes in canonical Huffman coding, table included: the sum of code lengths over all codes, and for the
// table 8 bits for the length of each code from the smallest to the largest in use (0: not in use) and 2 * 32 bits for
// these two. A single code in use takes no bit a weight. 0 without codes. Reported, not priced.
// Source: Huffman (1952); Han, Mao, Dally (Deep Compression, 2016). O(n + k log k) for k values in use.
int64_t HuffmanBits(std::span<const int32_t> codes);

}  // namespace bitplan::quantization

#endif  // BITPLAN_SEARCH_QUANTIZATION_STORAGE_H_
