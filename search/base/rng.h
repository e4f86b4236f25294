#ifndef BITPLAN_SEARCH_BASE_RNG_H_
#define BITPLAN_SEARCH_BASE_RNG_H_

#include <cstdint>
#include <span>

namespace bitplan {

// Counter-based random numbers: the k-th value of Rng(seed, stream) is a fixed function of (seed, stream, k), so
// neither the order of probes nor the number of threads can change a draw. Probe k draws from stream k.
//
// Source:  SplitMix64 finaliser (Steele, Lea, Flood 2014) applied twice over a Weyl sequence keyed by (seed, stream).
// Threads: one Rng belongs to one thread; make another with the same arguments for the same numbers.
class Rng {
 public:
  Rng(uint64_t seed, uint64_t stream);

  // Uniform on [0, 2^64).
  uint64_t NextBits();
  // Uniform on [0, 1) with 53 random bits.
  double NextUniform();
  // Uniform on {0, .., bound - 1}; bound >= 1. Unbiased (rejection).
  uint64_t NextBelow(uint64_t bound);
  // Standard normal (Box and Muller 1958; one value a call, its twin is dropped).
  double NextGaussian();
  // Independent entries, +1 or -1 with probability one half each; 64 entries a draw.
  void FillRademacher(std::span<float> out);
  // Independent standard normal entries.
  void FillGaussian(std::span<float> out);

 private:
  uint64_t key_;
  uint64_t counter_ = 0;
};

}  // namespace bitplan

#endif  // BITPLAN_SEARCH_BASE_RNG_H_
