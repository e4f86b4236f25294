#include "search/quantization/aciq.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numbers>

#include "search/base/status.h"
#include "search/quantization/clip.h"

namespace bitplan::quantization {
namespace {

constexpr int kMaxChannelBits = 8;

double RoundingNoise(double clip, int bits) { return clip * clip / 3 * std::pow(4.0, -bits); }

// Golden section; both errors fall, then rise on (0, 16].
double MinimumOf(double (*error)(double, int), int bits) {
  constexpr double kGolden = 0.6180339887498949;
  double low = 0;
  double high = 16;  // beyond the optimum of 8 bits
  for (int i = 0; i < 60; ++i) {
    const double left = high - kGolden * (high - low);
    const double right = low + kGolden * (high - low);
    (error(left, bits) < error(right, bits) ? high : low) = error(left, bits) < error(right, bits) ? right : left;
  }
  return (low + high) / 2;
}

// A channel of no bits is not stored and has no level.
int64_t NumLevels(int bits) { return bits == 0 ? 0 : int64_t{1} << bits; }
int64_t LevelsOfNextBit(int bits) { return NumLevels(bits + 1) - NumLevels(bits); }

// Noise that a channel's next bit removes for each level it adds.
double GainOfNextBit(double clip, int bits) {
  const double removed = RoundingNoise(clip, bits) - RoundingNoise(clip, bits + 1);
  return removed / static_cast<double>(LevelsOfNextBit(bits));
}

}  // namespace

double LaplaceClippingError(double clip, int bits) { return 2 * std::exp(-clip) + RoundingNoise(clip, bits); }

double GaussClippingError(double clip, int bits) {
  const double tail = (clip * clip + 1) * std::erfc(clip / std::numbers::sqrt2);
  return tail - std::sqrt(2 / std::numbers::pi) * clip * std::exp(-clip * clip / 2) + RoundingNoise(clip, bits);
}

double LaplaceClip(int bits) { return MinimumOf(&LaplaceClippingError, bits); }
double GaussClip(int bits) { return MinimumOf(&GaussClippingError, bits); }

Range AciqRange(const Distribution& numbers, const RangeTarget& target) {
  const double total = numbers.count();
  if (total == 0) return numbers.range;
  const double mean = numbers.mean();
  double absolute = 0;
  double squares = 0;
  for (size_t i = 0; i < numbers.values.size(); ++i) {
    const double centred = numbers.values[i] - mean;
    absolute += numbers.counts[i] * std::abs(centred);
    squares += numbers.counts[i] * centred * centred;
  }
  const double spread = absolute / total;
  const double deviation = std::sqrt(squares / total);
  const bool is_laplace = spread < deviation * std::sqrt(std::numbers::pi / (2 * std::numbers::e));
  const double clip = is_laplace ? spread * LaplaceClip(target.bits) : deviation * GaussClip(target.bits);
  if (clip == 0) return numbers.range;  // one number, many times
  return target.symmetric ? ClipAt(numbers, std::abs(mean) + clip) : ClipTo(numbers, mean - clip, mean + clip);
}

absl::StatusOr<std::vector<int>> AciqBitAllocation(std::span<const double> clips, int mean_bits) {
  if (clips.empty()) return InvalidArgument("clips: is empty, want one a channel");
  if (mean_bits < 1 || mean_bits > kMaxChannelBits) {
    return InvalidArgument("mean_bits: got {}, want 1..{}", mean_bits, kMaxChannelBits);
  }
  double total = 0;
  for (size_t i = 0; i < clips.size(); ++i) {
    if (!(clips[i] >= 0) || !std::isfinite(clips[i])) {
      return InvalidArgument("clips[{}]: got {}, want a finite number of at least 0", i, clips[i]);
    }
    total += std::cbrt(clips[i] * clips[i]);
  }
  int64_t left = std::ssize(clips) << mean_bits;
  std::vector<int> bits;
  for (const double clip : clips) {
    const double share = total == 0 ? 0 : std::cbrt(clip * clip) / total * std::ldexp(1.0 * clips.size(), mean_bits);
    bits.push_back(share < 1 ? 0 : std::min(static_cast<int>(std::floor(std::log2(share))), kMaxChannelBits));
    left -= NumLevels(bits.back());
  }
  while (true) {
    int best = -1;
    for (int i = 0; i < static_cast<int>(clips.size()); ++i) {
      const bool fits = bits[i] < kMaxChannelBits && clips[i] > 0 && LevelsOfNextBit(bits[i]) <= left;
      if (fits && (best < 0 || GainOfNextBit(clips[i], bits[i]) > GainOfNextBit(clips[best], bits[best]))) best = i;
    }
    if (best < 0) return bits;
    left -= LevelsOfNextBit(bits[best]);
    ++bits[best];
  }
}

}  // namespace bitplan::quantization
