#ifndef BITPLAN_SEARCH_QUANTIZATION_PRODUCT_QUANTIZATION_H_
#define BITPLAN_SEARCH_QUANTIZATION_PRODUCT_QUANTIZATION_H_

#include "search/quantization/quantizer_table.h"

namespace bitplan::quantization {

// Product (vector) quantization: 8 / bits consecutive weights of an output channel share a code of 8 bits, the index of
// one of 256 vectors that are fitted to the whole layer. 1 bit a weight: vectors of 8; 2 bits: of 4. The last vector of
// a channel is cut to what is left; its missing entries count nowhere.
//
// Fitted by k-means++ from Rng(seed, stream) and Lloyd's iteration, at most 20 steps, on at most 65,536 vectors taken
// at equal distances; a vector that nobody takes stays where it was. Layers of at most 256 different vectors are kept.
// Source: Gong et al. (2014); Arthur and Vassilvitskii (2007) for the start; Stock et al. (2020) for layers of
// networks. Cost: 256 passes over the weights for the start and for every step.
inline constexpr int kProductIndexBits = 8;
int ProductVectorSize(int bits);
VectorCodebook ProductVectors(const WeightRows& rows, int bits, const PerturbInputs& inputs);

}  // namespace bitplan::quantization

#endif  // BITPLAN_SEARCH_QUANTIZATION_PRODUCT_QUANTIZATION_H_
