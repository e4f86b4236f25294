#include "search/pipeline/repair.h"

#include <string>
#include <utility>

#include "search/base/status.h"
#include "search/sensitivity/monotone.h"

namespace bitplan::pipeline {

absl::StatusOr<std::optional<Measurement>> Repair(const Measurement& measured, const SearchRequest& request) {
  if (!request.repair_monotonicity) return std::nullopt;
  BITPLAN_ASSIGN_OR_RETURN(MonotoneRepair repair,
                           sensitivity::RepairMonotonicity(measured.options, measured.sensitivity));
  std::string note = sensitivity::Describe(repair);
  if (note.empty()) return std::nullopt;
  std::optional<Measurement> repaired = measured;
  repaired->sensitivity = std::move(repair.table);
  repaired->sensitivity.notes.push_back(std::move(note));  // which become the plan's warnings
  return repaired;
}

}  // namespace bitplan::pipeline
