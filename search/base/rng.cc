#include "search/base/rng.h"

#include <cmath>
#include <cstddef>
#include <numbers>

namespace bitplan {
namespace {

constexpr uint64_t kWeyl = 0x9E3779B97F4A7C15ULL;  // 2^64 over the golden ratio

uint64_t Mix(uint64_t z) {
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
  return z ^ (z >> 31);
}

}  // namespace

Rng::Rng(uint64_t seed, uint64_t stream) : key_(Mix(Mix(seed + kWeyl) ^ (stream * kWeyl + 1))) {}

uint64_t Rng::NextBits() { return Mix(key_ ^ Mix(++counter_ * kWeyl)); }

double Rng::NextUniform() { return static_cast<double>(NextBits() >> 11) * 0x1.0p-53; }

uint64_t Rng::NextBelow(uint64_t bound) {
  const uint64_t rejected = (0 - bound) % bound;  // 2^64 mod bound: values below it would be counted once too often
  for (;;) {
    const uint64_t bits = NextBits();
    if (bits >= rejected) return bits % bound;
  }
}

double Rng::NextGaussian() {
  const double radius = std::sqrt(-2.0 * std::log(1.0 - NextUniform()));
  return radius * std::cos(2.0 * std::numbers::pi * NextUniform());
}

void Rng::FillRademacher(std::span<float> out) {
  uint64_t bits = 0;
  for (size_t i = 0; i < out.size(); ++i) {
    if (i % 64 == 0) bits = NextBits();
    out[i] = (bits & 1) != 0 ? 1.0F : -1.0F;
    bits >>= 1;
  }
}

void Rng::FillGaussian(std::span<float> out) {
  for (float& value : out) value = static_cast<float>(NextGaussian());
}

}  // namespace bitplan
