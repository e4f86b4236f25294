#include "search/base/resource.h"

#include <string>

#include "search/base/check.h"
#include "search/base/status.h"

namespace bitplan {
namespace {

struct ResourceRow {
  Resource resource;
  std::string_view name;
  std::string_view key;
  std::string_view unit;
};

constexpr auto kRows = std::to_array<ResourceRow>({
    {Resource::kSize, "size", "size_bits", "bits"},
    {Resource::kBops, "bops", "bops", "operations"},
    {Resource::kLatency, "latency", "latency_ns", "ns"},
    {Resource::kMemory, "memory", "memory_bytes", "bytes"},
    {Resource::kEnergy, "energy", "energy_pj", "pJ"},
    {Resource::kTraffic, "traffic", "traffic_bytes", "bytes"},
});
static_assert(kRows.size() == kResources.size());

const ResourceRow& RowOf(Resource resource) {
  for (const ResourceRow& row : kRows) {
    if (row.resource == resource) return row;
  }
  BITPLAN_CHECK(false && "a resource without a row");
  return kRows[0];
}

absl::StatusOr<Resource> Find(std::string_view text, std::string_view ResourceRow::*column) {
  std::string known;
  for (const ResourceRow& row : kRows) {
    if (row.*column == text) return row.resource;
    known += fmt::format("{}{}", known.empty() ? "" : ", ", row.*column);
  }
  return InvalidArgument("resource: got '{}', want one of {}", text, known);
}

}  // namespace

std::string_view ToString(Resource resource) { return RowOf(resource).name; }
std::string_view ResourceKey(Resource resource) { return RowOf(resource).key; }
std::string_view BaseUnit(Resource resource) { return RowOf(resource).unit; }
absl::StatusOr<Resource> ParseResource(std::string_view name) { return Find(name, &ResourceRow::name); }
absl::StatusOr<Resource> ParseResourceKey(std::string_view key) { return Find(key, &ResourceRow::key); }

std::string_view ToString(CostSource source) {
  switch (source) {
    case CostSource::kModel:
      return "model";
    case CostSource::kGiven:
      return "given";
    case CostSource::kMeasured:
      return "measured";
    case CostSource::kInterpolated:
      return "interpolated";
    case CostSource::kRoofline:
      return "roofline";
    case CostSource::kEnergyModel:
      return "energy_model";
  }
  return "unknown";
}

absl::StatusOr<CostSource> ParseCostSource(std::string_view name) {
  std::string known;
  for (const CostSource source : kCostSources) {
    if (ToString(source) == name) return source;
    known += fmt::format("{}{}", known.empty() ? "" : ", ", ToString(source));
  }
  return InvalidArgument("cost source: got '{}', want one of {}", name, known);
}

std::optional<int64_t> CheckedAdd(int64_t a, int64_t b) {
  int64_t sum = 0;
  if (__builtin_add_overflow(a, b, &sum)) return std::nullopt;
  return sum;
}

std::optional<int64_t> CheckedMultiply(int64_t a, int64_t b) {
  int64_t product = 0;
  if (__builtin_mul_overflow(a, b, &product)) return std::nullopt;
  return product;
}

}  // namespace bitplan
