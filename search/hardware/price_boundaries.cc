#include "search/hardware/price_boundaries.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "search/base/status.h"
#include "search/hardware/estimate.h"

namespace bitplan::hardware {
namespace {

constexpr int64_t kBitsPerByte = 8;
constexpr int64_t kNsPerSecond = 1'000'000'000;
constexpr int64_t kFemtojoulesPerPicojoule = 1000;

// Samples in the run that the profile's amounts of a resource are of.
int64_t BatchSize(const HardwareProfile& profile, Resource resource) {
  for (const MeasuredTable& table : profile.measured) {
    if (table.resource == resource) return table.batch_size;
  }
  if (resource == Resource::kLatency && profile.roofline) return profile.roofline->batch_size;
  if (resource == Resource::kEnergy && profile.energy) return profile.energy->batch_size;
  return 1;
}

std::optional<int64_t> MovedBytes(int64_t elements, int from_bits, int to_bits, int64_t batch_size,
                                  const HardwareProfile& profile) {
  const std::optional<int64_t> run = CheckedMultiply(elements, batch_size);
  if (!run) return std::nullopt;
  const auto read = ScaleUp(*run, StoredActivationBits(from_bits, profile), kBitsPerByte);
  const auto written = ScaleUp(*run, StoredActivationBits(to_bits, profile), kBitsPerByte);
  return read && written ? CheckedAdd(*read, *written) : std::nullopt;
}

std::optional<int64_t> Amount(const BoundaryModel& model, Resource resource, int64_t moved) {
  if (resource == Resource::kEnergy) return ScaleUp(moved, model.femtojoules_per_byte, kFemtojoulesPerPicojoule);
  if (model.bytes_per_second == 0) return model.overhead_ns;
  const std::optional<int64_t> time = ScaleUp(moved, kNsPerSecond, model.bytes_per_second);
  return time ? CheckedAdd(model.overhead_ns, *time) : std::nullopt;
}

std::set<int> WidthsOf(const std::vector<Option>& options) {
  std::set<int> widths;
  for (const Option& option : options) widths.insert(option.activation_bits);
  return widths;
}

class BoundaryPricer {
 public:
  BoundaryPricer(const HardwareProfile& profile, const std::set<Resource>& resources) : profile_(profile) {
    const BoundaryModel& model = *profile.boundary;
    const bool has_latency = model.overhead_ns > 0 || model.bytes_per_second > 0;
    if (has_latency && resources.contains(Resource::kLatency)) resources_.insert(Resource::kLatency);
    if (model.femtojoules_per_byte > 0 && resources.contains(Resource::kEnergy)) resources_.insert(Resource::kEnergy);
  }

  // `from`, `to`: widths of the layers' options.
  absl::Status Price(int64_t elements, const std::set<int>& from, const std::set<int>& to, BoundaryCost& boundary) {
    for (const int a : from) {
      for (const int b : to) {
        if (a == b) continue;
        for (const Resource resource : resources_) {
          const int64_t batch_size = BatchSize(profile_, resource);
          const std::optional<int64_t> moved = MovedBytes(elements, a, b, batch_size, profile_);
          const std::optional<int64_t> amount = moved ? Amount(*profile_.boundary, resource, *moved) : std::nullopt;
          if (!amount) {
            return InvalidArgument("boundary '{}' to '{}': {} of {} elements does not fit in 63 bits", boundary.from,
                                   boundary.to, ResourceKey(resource), elements);
          }
          if (*amount > 0) boundary.costs[{a, b}][resource] = *amount;
        }
      }
    }
    return absl::OkStatus();
  }

 private:
  const HardwareProfile& profile_;
  std::set<Resource> resources_;
};

}  // namespace

absl::StatusOr<std::vector<BoundaryCost>> PriceBoundaries(const DataFlow& flow, const LayerTable& layers,
                                                          const OptionTable& options, const HardwareProfile& profile,
                                                          const std::set<Resource>& resources) {
  std::vector<BoundaryCost> priced;
  if (!profile.boundary) return priced;
  BoundaryPricer pricer(profile, resources);
  for (const PrecisionBoundary& boundary : flow.boundaries) {
    BoundaryCost cost{.from = layers.layers[boundary.from].name, .to = layers.layers[boundary.to].name};
    BITPLAN_RETURN_IF_ERROR(pricer.Price(boundary.elements, WidthsOf(options.options[boundary.from]),
                                         WidthsOf(options.options[boundary.to]), cost));
    if (!cost.costs.empty()) priced.push_back(std::move(cost));
  }
  return priced;
}

}  // namespace bitplan::hardware
