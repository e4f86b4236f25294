#include "search/hardware/price.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <set>
#include <utility>

#include "search/base/status.h"
#include "search/quantization/storage.h"

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

bool IsSupported(const HardwareProfile& profile, Widths widths) {
  return !profile.supported || std::ranges::find(*profile.supported, widths) != profile.supported->end();
}

// measured[t] is the layer's entry in profile.measured[t], or null.
absl::StatusOr<Costs> PriceOption(const Layer& layer, const Option& option, const HardwareProfile& profile,
                                  const std::vector<const MeasuredLayer*>& measured) {
  Costs costs;
  const Widths widths{option.weight_bits, option.activation_bits};
  if (!IsSupported(profile, widths)) return costs;
  if (profile.size) {
    const std::optional<int64_t> bits = quantization::StorageBits(layer, option, profile.size->scale_bits);
    if (!bits) return Overflow(layer, option, Resource::kSize);
    costs[Resource::kSize] = *bits;
  }
  if (profile.bops) {
    const std::optional<int64_t> bops = Bops(layer, option);
    if (!bops) return Overflow(layer, option, Resource::kBops);
    costs[Resource::kBops] = *bops;
  }
  for (size_t t = 0; t < measured.size(); ++t) {
    if (measured[t] == nullptr) continue;
    if (const auto found = measured[t]->amounts.find(widths); found != measured[t]->amounts.end()) {
      costs[profile.measured[t].resource] = found->second;
    }
  }
  return costs;
}

absl::StatusOr<std::vector<Costs>> PriceLayer(const Layer& layer, const std::vector<Option>& options,
                                              const HardwareProfile& profile) {
  std::vector<const MeasuredLayer*> measured;
  measured.reserve(profile.measured.size());
  for (const MeasuredTable& table : profile.measured) measured.push_back(FindMeasured(table, layer));
  std::vector<Costs> costs;
  for (const Option& option : options) {
    BITPLAN_ASSIGN_OR_RETURN(costs.emplace_back(), PriceOption(layer, option, profile, measured));
  }
  return costs;
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
  for (const MeasuredTable& table : profile.measured) parts.push_back(DescribeTable(table));
  return fmt::format("{}", fmt::join(parts, "; "));
}

}  // namespace

absl::StatusOr<CostTable> Price(const LayerTable& layers, const OptionTable& options, const HardwareProfile& profile) {
  CostTable table{.profile = profile.name, .coverage = DescribeCoverage(profile)};
  for (size_t i = 0; i < layers.layers.size(); ++i) {
    BITPLAN_ASSIGN_OR_RETURN(table.costs.emplace_back(), PriceLayer(layers.layers[i], options.options[i], profile));
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
      for (const auto& [resource, amount] : given[i][k]) table.costs[i][k][resource] = amount;
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
