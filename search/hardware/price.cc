#include "search/hardware/price.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cstdlib>
#include <set>
#include <utility>

#include "search/base/status.h"
#include "search/hardware/estimate.h"
#include "search/hardware/support.h"

namespace bitplan::hardware {
namespace {

// How many measured layers a message names before it counts the rest.
constexpr size_t kNamedLayers = 4;

std::optional<int64_t> Bops(const Layer& layer, const Option& option) {
  return CheckedMultiply(layer.macs, int64_t{option.weight_bits} * option.activation_bits);
}

bool Matches(const MeasuredLayer& measured, const Layer& layer) {
  if (measured.macs != layer.macs) return false;
  if (!measured.layer.empty()) return measured.layer == layer.name && measured.num_weights == layer.num_weights;
  return measured.kind == layer.kind && measured.weight_shape == layer.weight_shape;
}

// The entry of the layer's name before one of its signature; null if there is none.
const MeasuredLayer* FindMeasured(const MeasuredTable& table, const Layer& layer) {
  const MeasuredLayer* found = nullptr;
  for (const MeasuredLayer& measured : table.layers) {
    if (Matches(measured, layer) && (found == nullptr || found->layer.empty())) found = &measured;
  }
  return found;
}

absl::Status Overflow(const Layer& layer, const Option& option, Resource resource) {
  return InvalidArgument("layer '{}' {}: {} does not fit in 63 bits ({} weights, {} MACs)", layer.name, Label(option),
                         ResourceKey(resource), layer.num_weights, layer.macs);
}

// An option with what is known of it.
struct PricedOption {
  Costs costs;
  CostSources sources;

  void Set(Resource resource, int64_t amount, CostSource source) {
    costs[resource] = amount;
    sources[resource] = source;
  }
};

int64_t Distance(Widths a, Widths b) {
  return std::abs(a.weight_bits - b.weight_bits) + std::abs(a.activation_bits - b.activation_bits);
}

// The measured widths nearest to `widths` that the estimate speaks of too, the wider of two; null: there are none.
const std::pair<const Widths, int64_t>* NearestMeasured(const MeasuredLayer& measured, Widths widths, Resource resource,
                                                        const Layer& layer, const HardwareProfile& profile) {
  const std::pair<const Widths, int64_t>* nearest = nullptr;
  for (const auto& entry : measured.amounts) {  // ascending, so that the wider of two comes later
    if (!HasEstimate(profile, resource, layer.kind, entry.first)) continue;
    if (nearest == nullptr || Distance(entry.first, widths) <= Distance(nearest->first, widths)) nearest = &entry;
  }
  return nearest;
}

// measured * estimate(option) / estimate(option at the measured widths).
absl::StatusOr<int64_t> Interpolate(const std::pair<const Widths, int64_t>& measured, Resource resource,
                                    const Layer& layer, const Option& option, const HardwareProfile& profile) {
  Option at_measured = option;
  at_measured.weight_bits = measured.first.weight_bits;
  at_measured.activation_bits = measured.first.activation_bits;
  BITPLAN_ASSIGN_OR_RETURN(const int64_t wanted, Estimate(profile, resource, layer, option));
  BITPLAN_ASSIGN_OR_RETURN(const int64_t known, Estimate(profile, resource, layer, at_measured));
  const std::optional<int64_t> amount = ScaleUp(measured.second, wanted, std::max<int64_t>(known, 1));
  if (!amount) return Overflow(layer, option, resource);
  return std::max<int64_t>(*amount, 1);
}

// The measured amount, or what it and the estimate say.
absl::Status PriceMeasured(const MeasuredTable& table, const MeasuredLayer& measured, const Layer& layer,
                           const Option& option, const HardwareProfile& profile, PricedOption& priced) {
  const Widths widths{option.weight_bits, option.activation_bits};
  if (const auto found = measured.amounts.find(widths); found != measured.amounts.end()) {
    priced.Set(table.resource, found->second, CostSource::kMeasured);
    return absl::OkStatus();
  }
  if (table.interpolation == Interpolation::kNone || !HasEstimate(profile, table.resource, layer.kind, widths)) {
    return absl::OkStatus();
  }
  const auto* nearest = NearestMeasured(measured, widths, table.resource, layer, profile);
  if (nearest == nullptr) return absl::OkStatus();
  BITPLAN_ASSIGN_OR_RETURN(const int64_t amount, Interpolate(*nearest, table.resource, layer, option, profile));
  priced.Set(table.resource, amount, CostSource::kInterpolated);
  return absl::OkStatus();
}

absl::Status PriceModels(const Layer& layer, const Option& option, const HardwareProfile& profile,
                         PricedOption& priced) {
  if (profile.size) {
    const std::optional<int64_t> bits = StoredWeightBits(layer, option, profile);
    if (!bits) return Overflow(layer, option, Resource::kSize);
    priced.Set(Resource::kSize, *bits, CostSource::kModel);
  }
  if (profile.bops) {
    const std::optional<int64_t> bops = Bops(layer, option);
    if (!bops) return Overflow(layer, option, Resource::kBops);
    priced.Set(Resource::kBops, *bops, CostSource::kModel);
  }
  if (profile.traffic && (layer.input_elements > 0 || layer.output_elements > 0)) {
    BITPLAN_ASSIGN_OR_RETURN(const int64_t bytes, TrafficBytes(layer, option, profile, /*batch_size=*/1));
    priced.Set(Resource::kTraffic, bytes, CostSource::kModel);
  }
  return absl::OkStatus();
}

// What is still without a price.
absl::Status PriceEstimates(const Layer& layer, const Option& option, const HardwareProfile& profile,
                            PricedOption& priced) {
  const Widths widths{option.weight_bits, option.activation_bits};
  for (const Resource resource : {Resource::kLatency, Resource::kEnergy}) {
    if (priced.costs.contains(resource) || !HasEstimate(profile, resource, layer.kind, widths)) continue;
    BITPLAN_ASSIGN_OR_RETURN(const int64_t amount, Estimate(profile, resource, layer, option));
    priced.Set(resource, amount, resource == Resource::kLatency ? CostSource::kRoofline : CostSource::kEnergyModel);
  }
  return absl::OkStatus();
}

// measured[t] is the layer's entry in profile.measured[t], or null.
absl::StatusOr<PricedOption> PriceOption(const Layer& layer, const Option& option, const HardwareProfile& profile,
                                         const std::vector<const MeasuredLayer*>& measured) {
  PricedOption priced;
  if (!WhyUnsupported(layer, option, profile).empty()) return priced;
  BITPLAN_RETURN_IF_ERROR(PriceModels(layer, option, profile, priced));
  for (size_t t = 0; t < measured.size(); ++t) {
    if (measured[t] == nullptr) continue;
    BITPLAN_RETURN_IF_ERROR(PriceMeasured(profile.measured[t], *measured[t], layer, option, profile, priced));
  }
  BITPLAN_RETURN_IF_ERROR(PriceEstimates(layer, option, profile, priced));
  return priced;
}

absl::Status PriceLayer(const Layer& layer, const std::vector<Option>& options, const HardwareProfile& profile,
                        CostTable& table) {
  std::vector<const MeasuredLayer*> measured;
  measured.reserve(profile.measured.size());
  for (const MeasuredTable& known : profile.measured) measured.push_back(FindMeasured(known, layer));
  std::vector<Costs>& costs = table.costs.emplace_back();
  std::vector<CostSources>& sources = table.sources.emplace_back();
  std::vector<std::string>& unsupported = table.unsupported.emplace_back();
  for (const Option& option : options) {
    unsupported.push_back(WhyUnsupported(layer, option, profile));
    BITPLAN_ASSIGN_OR_RETURN(PricedOption priced, PriceOption(layer, option, profile, measured));
    costs.push_back(std::move(priced.costs));
    sources.push_back(std::move(priced.sources));
  }
  return absl::OkStatus();
}

// Resources that some option has a cost of.
std::set<Resource> ResourcesIn(const std::vector<std::vector<Costs>>& costs) {
  std::set<Resource> resources;
  for (const std::vector<Costs>& layer : costs) {
    for (const Costs& option : layer) {
      for (const auto& [resource, unused] : option) resources.insert(resource);
    }
  }
  return resources;
}

std::string DescribeWidths(const HardwareProfile& profile) {
  if (!profile.supported) return "any width";
  std::vector<std::string> widths;
  for (const Widths& pair : *profile.supported) widths.push_back(ToString(pair));
  return fmt::format("widths {}", fmt::join(widths, ", "));
}

std::string DescribeTable(const MeasuredTable& table) {
  std::vector<std::string> names;
  for (const MeasuredLayer& layer : table.layers) {
    if (names.size() == kNamedLayers) break;
    names.push_back(layer.layer.empty()
                        ? fmt::format("{} [{}]", bitplan::ToString(layer.kind.value_or(LayerKind::kOther)),
                                      fmt::join(layer.weight_shape, ", "))
                        : fmt::format("'{}'", layer.layer));
  }
  return fmt::format("{} of {} layers{} ({}{})", bitplan::ToString(table.resource), table.layers.size(),
                     table.network.empty() ? "" : fmt::format(" of {}", table.network), fmt::join(names, ", "),
                     names.size() < table.layers.size() ? ", ..." : "");
}

std::string DescribeCoverage(const HardwareProfile& profile) {
  std::vector<std::string> parts{DescribeWidths(profile)};
  if (profile.size) parts.emplace_back("size");
  if (profile.bops) parts.emplace_back("bops");
  if (profile.traffic) parts.emplace_back("traffic");
  for (const MeasuredTable& table : profile.measured) parts.push_back(DescribeTable(table));
  if (profile.roofline) parts.emplace_back("latency by roofline");
  if (profile.energy) parts.emplace_back("energy by model");
  return fmt::format("{}", fmt::join(parts, "; "));
}

}  // namespace

absl::StatusOr<CostTable> Price(const LayerTable& layers, const OptionTable& options, const HardwareProfile& profile) {
  CostTable table{.limits = profile.limits.value_or(DeviceLimits{}),
                  .profile = profile.name,
                  .coverage = DescribeCoverage(profile)};
  for (size_t i = 0; i < layers.layers.size(); ++i) {
    BITPLAN_RETURN_IF_ERROR(PriceLayer(layers.layers[i], options.options[i], profile, table));
  }
  for (const Resource resource : ResourcesIn(table.costs)) {
    table.resources.push_back({resource, fmt::format("profile '{}'", profile.name)});
  }
  return table;
}

CostTable WithGivenCosts(CostTable table, const std::vector<std::vector<Costs>>& given) {
  const std::set<Resource> given_resources = ResourcesIn(given);
  std::erase_if(table.resources, [&](const PricedResource& r) { return given_resources.contains(r.resource); });
  for (const Resource resource : given_resources) table.resources.push_back({resource, "given"});
  std::ranges::sort(table.resources, {}, &PricedResource::resource);
  for (size_t i = 0; i < given.size(); ++i) {
    for (size_t k = 0; k < given[i].size(); ++k) {
      for (const auto& [resource, amount] : given[i][k]) {
        table.costs[i][k][resource] = amount;
        table.sources[i][k][resource] = CostSource::kGiven;
      }
    }
  }
  return table;
}

std::optional<int64_t> CheckedSum(std::span<const int64_t> amounts) {
  std::optional<int64_t> sum = 0;
  for (const int64_t amount : amounts) {
    if (sum) sum = CheckedAdd(*sum, amount);
  }
  return sum;
}

}  // namespace bitplan::hardware
