#ifndef BITPLAN_SEARCH_PLAN_EXPORTER_TABLE_H_
#define BITPLAN_SEARCH_PLAN_EXPORTER_TABLE_H_

#include <span>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "search/plan/plan.h"

namespace bitplan::plan {

// A way to write a plan; the only list of formats. Capability lists, help texts and tests read it.
struct ExporterEntry {
  std::string_view name;        // "json"
  std::string_view media_type;  // "application/json"
  std::string_view extension;   // "json", without the dot
  std::string_view summary;     // one line for help texts
  std::string (*write)(const Plan& plan);
};

std::span<const ExporterEntry> Exporters();

// kNotFound, listing the known names.
absl::StatusOr<ExporterEntry> FindExporter(std::string_view name);

}  // namespace bitplan::plan

#endif  // BITPLAN_SEARCH_PLAN_EXPORTER_TABLE_H_
