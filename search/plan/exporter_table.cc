#include "search/plan/exporter_table.h"

#include <array>

#include "search/base/status.h"
#include "search/plan/export_csv.h"
#include "search/plan/plan_json.h"

namespace bitplan::plan {
namespace {

constexpr auto kExporters = std::to_array<ExporterEntry>({
    {.name = "json",
     .media_type = "application/json",
     .extension = "json",
     .summary = "the whole plan, read back by bitplan (docs/formats/plan.md)",
     .write = &ToJson},
    {.name = "csv",
     .media_type = "text/csv",
     .extension = "csv",
     .summary = "one row a layer: bits, scheme, granularity, sensitivity, costs",
     .write = &ToCsv},
});

}  // namespace

std::span<const ExporterEntry> Exporters() { return kExporters; }

absl::StatusOr<ExporterEntry> FindExporter(std::string_view name) {
  std::string known;
  for (const ExporterEntry& exporter : kExporters) {
    if (exporter.name == name) return exporter;
    known += fmt::format("{}{}", known.empty() ? "" : ", ", exporter.name);
  }
  return NotFound("format: got '{}', want one of {}", name, known);
}

}  // namespace bitplan::plan
