#include <algorithm>
#include <cmath>
#include <set>
#include <utility>

#include "search/base/status.h"
#include "search/hardware/import_profile.h"

namespace bitplan::hardware {
namespace {

constexpr double kMostNs = 9007199254740992.0;  // 2^53

absl::Status CheckShape(std::span<const int64_t> shape, const LayerTable& layers) {
  if (shape.size() != 3)
    return InvalidArgument("got {} axes, want layers, weight bits and activation bits", shape.size());
  if (!std::cmp_equal(shape[0], layers.layers.size())) {
    return InvalidArgument("got {} layers, want the network's {}", shape[0], layers.layers.size());
  }
  if (shape[1] >= 1 && shape[2] >= 1 && std::max(shape[1], shape[2]) <= kMaxOptionBits) return absl::OkStatus();
  return InvalidArgument("got {} x {} widths, want 1..{} each", shape[1], shape[2], kMaxOptionBits);
}

// 0: not filled.
absl::StatusOr<int64_t> ToNs(float entry, int64_t unit_ns) {
  const double ns = static_cast<double>(entry) * static_cast<double>(unit_ns);
  if (!std::isfinite(ns) || ns < 0 || ns > kMostNs) return InvalidArgument("got {}, want a latency or 0", entry);
  return entry == 0 ? 0 : std::max<int64_t>(1, std::llround(ns));
}

absl::StatusOr<MeasuredLayer> ReadLayer(const Layer& layer, std::span<const int64_t> shape,
                                        std::span<const float> entries, int64_t unit_ns) {
  MeasuredLayer measured{.layer = layer.name, .num_weights = layer.num_weights, .macs = layer.macs};
  for (int64_t w = 0; w < shape[1]; ++w) {
    for (int64_t a = 0; a < shape[2]; ++a) {
      const auto ns = ToNs(entries[w * shape[2] + a], unit_ns);
      if (!ns.ok()) return WithContext(ns.status(), fmt::format("[{}, {}, {}]", layer.name, w, a));
      if (*ns > 0) measured.amounts[{static_cast<int>(w + 1), static_cast<int>(a + 1)}] = *ns;
    }
  }
  if (measured.amounts.empty()) return InvalidArgument("layer '{}': got no latency but zeros", layer.name);
  return measured;
}

}  // namespace

absl::StatusOr<HardwareProfile> ImportHaqTable(std::span<const int64_t> shape, std::span<const float> entries,
                                               const LayerTable& layers, const HaqTableUnits& units,
                                               const ImportedProfile& about) {
  BITPLAN_RETURN_IF_ERROR(CheckShape(shape, layers));
  if (units.unit_ns < 1 || units.batch_size < 1) {
    return InvalidArgument("got units of {} ns and {} samples, want at least 1 each", units.unit_ns, units.batch_size);
  }
  const auto per_layer = static_cast<size_t>(shape[1] * shape[2]);
  if (entries.size() != per_layer * layers.layers.size()) {
    return InvalidArgument("got {} entries, want {}", entries.size(), per_layer * layers.layers.size());
  }
  MeasuredTable table{.resource = Resource::kLatency, .batch_size = units.batch_size};
  std::set<Widths> widths;
  for (size_t l = 0; l < layers.layers.size(); ++l) {
    BITPLAN_ASSIGN_OR_RETURN(MeasuredLayer layer, ReadLayer(layers.layers[l], shape,
                                                            entries.subspan(l * per_layer, per_layer), units.unit_ns));
    for (const auto& [pair, unused] : layer.amounts) widths.insert(pair);
    table.layers.push_back(std::move(layer));
  }
  HardwareProfile profile{.name = about.name,
                          .description = about.description,
                          .provenance = about.provenance,
                          .supported = std::vector<Widths>(widths.begin(), widths.end()),
                          .size = SizeModel{},
                          .bops = BopsModel{}};
  profile.measured.push_back(std::move(table));
  return profile;
}

}  // namespace bitplan::hardware
