#include "search/hardware/estimate.h"

#include <algorithm>
#include <bit>
#include <limits>

#include "search/base/status.h"
#include "search/quantization/storage.h"

namespace bitplan::hardware {
namespace {

__extension__ typedef unsigned __int128 Uint128;  // NOLINT(modernize-use-using): __extension__ wants a typedef

constexpr int64_t kByteBits = 8;
constexpr int64_t kNsPerSecond = 1'000'000'000;
constexpr int64_t kFjPerPj = 1000;

absl::Status Overflow(const Layer& layer, const Option& option, std::string_view what) {
  return InvalidArgument("layer '{}' {}: {} does not fit in 63 bits ({} weights, {} MACs)", layer.name, Label(option),
                         what, layer.num_weights, layer.macs);
}

std::optional<int64_t> Fit(Uint128 value) {
  if (value > static_cast<Uint128>(std::numeric_limits<int64_t>::max())) return std::nullopt;
  return static_cast<int64_t>(value);
}

std::optional<int64_t> WeightBytes(const Layer& layer, const Option& option, const HardwareProfile& profile,
                                   int64_t batch_size) {
  const std::optional<int64_t> bits = StoredWeightBits(layer, option, profile);
  if (!bits || layer.kind != LayerKind::kEmbedding || layer.output_elements == 0) {
    return bits ? ScaleUp(*bits, 1, kByteBits) : bits;
  }
  const std::optional<int64_t> looked_up = CheckedMultiply(layer.output_elements, batch_size);
  const std::optional<int64_t> read = looked_up ? ScaleUp(*looked_up, option.weight_bits, kByteBits) : std::nullopt;
  return ScaleUp(read ? std::min(*bits, *read * kByteBits) : *bits, 1, kByteBits);
}

std::optional<int64_t> ActivationBytes(const Layer& layer, const Option& option, const HardwareProfile& profile,
                                       int64_t batch_size) {
  const std::optional<int64_t> sample = CheckedAdd(layer.input_elements, layer.output_elements);
  const std::optional<int64_t> run = sample ? CheckedMultiply(*sample, batch_size) : std::nullopt;
  return run ? ScaleUp(*run, StoredActivationBits(option.activation_bits, profile), kByteBits) : std::nullopt;
}

Widths WidthsOf(const Option& option) { return {option.weight_bits, option.activation_bits}; }

absl::StatusOr<int64_t> Latency(const RooflineModel& model, const HardwareProfile& profile, const Layer& layer,
                                const Option& option) {
  BITPLAN_ASSIGN_OR_RETURN(const int64_t traffic, TrafficBytes(layer, option, profile, model.batch_size));
  const std::optional<int64_t> rate = MacsPerSecond(model, layer.kind, WidthsOf(option));
  const std::optional<int64_t> macs = CheckedMultiply(layer.macs, model.batch_size);
  const std::optional<int64_t> compute = macs && rate ? ScaleUp(*macs, kNsPerSecond, *rate) : std::nullopt;
  const std::optional<int64_t> memory =
      model.bytes_per_second ? ScaleUp(traffic, kNsPerSecond, *model.bytes_per_second) : 0;
  const std::optional<int64_t> sum =
      compute && memory ? CheckedAdd(model.launch_overhead_ns, std::max(*compute, *memory)) : std::nullopt;
  if (!sum) return Overflow(layer, option, ResourceKey(Resource::kLatency));
  return *sum;
}

absl::StatusOr<int64_t> Energy(const EnergyModel& model, const HardwareProfile& profile, const Layer& layer,
                               const Option& option) {
  BITPLAN_ASSIGN_OR_RETURN(const int64_t traffic, TrafficBytes(layer, option, profile, model.batch_size));
  const std::optional<int64_t> macs = CheckedMultiply(layer.macs, model.batch_size);
  const int64_t a_mac = FemtojoulesPerMac(model, WidthsOf(option)).value_or(0);
  const Uint128 moved = static_cast<Uint128>(traffic) * static_cast<Uint128>(model.femtojoules_per_byte);
  const Uint128 femtojoules = static_cast<Uint128>(macs.value_or(0)) * static_cast<Uint128>(a_mac) + moved;
  const std::optional<int64_t> picojoules = Fit((femtojoules + (kFjPerPj - 1)) / kFjPerPj);
  if (!macs || !picojoules) return Overflow(layer, option, ResourceKey(Resource::kEnergy));
  return *picojoules;
}

}  // namespace

std::optional<int64_t> ScaleUp(int64_t a, int64_t b, int64_t c) {
  const Uint128 product = static_cast<Uint128>(a) * static_cast<Uint128>(b);
  const auto divisor = static_cast<Uint128>(c);
  return Fit(product / divisor + (product % divisor == 0 ? 0 : 1));
}

int StoredActivationBits(int bits, const HardwareProfile& profile) {
  if (!profile.memory) return bits;
  return std::max(static_cast<int>(std::bit_ceil(static_cast<unsigned>(bits))), profile.memory->min_activation_bits);
}

std::optional<int64_t> StoredWeightBits(const Layer& layer, const Option& option, const HardwareProfile& profile) {
  if (!profile.size) return quantization::StorageBits(layer, option);
  const SizeModel& size = *profile.size;
  return quantization::StorageBits(layer, option,
                                   quantization::StorageFormat{.scale_bits = size.scale_bits,
                                                               .zero_point_bits = size.zero_point_bits,
                                                               .code_widths = size.code_widths,
                                                               .row_alignment_bytes = size.row_alignment_bytes});
}

absl::StatusOr<int64_t> TrafficBytes(const Layer& layer, const Option& option, const HardwareProfile& profile,
                                     int64_t batch_size) {
  const std::optional<int64_t> weights = WeightBytes(layer, option, profile, batch_size);
  const std::optional<int64_t> activations = ActivationBytes(layer, option, profile, batch_size);
  const std::optional<int64_t> sum = weights && activations ? CheckedAdd(*weights, *activations) : std::nullopt;
  if (!sum) return Overflow(layer, option, "memory traffic");
  return *sum;
}

std::optional<int64_t> MacsPerSecond(const RooflineModel& model, LayerKind kind, Widths widths) {
  std::optional<int64_t> found;
  for (const ComputeRate& rate : model.rates) {
    if (rate.widths != widths) continue;
    if (rate.kind == kind) return rate.macs_per_second;
    if (!rate.kind) found = rate.macs_per_second;
  }
  if (found || !model.bit_macs_per_second) return found;
  return std::max<int64_t>(1, *model.bit_macs_per_second / (int64_t{widths.weight_bits} * widths.activation_bits));
}

std::optional<int64_t> FemtojoulesPerMac(const EnergyModel& model, Widths widths) {
  const auto found = std::ranges::find(model.macs, widths, &MacEnergy::widths);
  if (found != model.macs.end()) return found->femtojoules;
  if (!model.femtojoules_per_bit_mac) return std::nullopt;
  return CheckedMultiply(*model.femtojoules_per_bit_mac, int64_t{widths.weight_bits} * widths.activation_bits);
}

bool HasEstimate(const HardwareProfile& profile, Resource resource, LayerKind kind, Widths widths) {
  if (resource == Resource::kLatency) return profile.roofline && MacsPerSecond(*profile.roofline, kind, widths);
  if (resource == Resource::kEnergy) return profile.energy && FemtojoulesPerMac(*profile.energy, widths);
  return false;
}

absl::StatusOr<int64_t> Estimate(const HardwareProfile& profile, Resource resource, const Layer& layer,
                                 const Option& option) {
  if (resource == Resource::kEnergy) return Energy(*profile.energy, profile, layer, option);
  return Latency(*profile.roofline, profile, layer, option);
}

}  // namespace bitplan::hardware
