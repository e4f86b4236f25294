#ifndef BITPLAN_SEARCH_PIPELINE_REPAIR_H_
#define BITPLAN_SEARCH_PIPELINE_REPAIR_H_

#include <optional>

#include "absl/status/statusor.h"
#include "search/pipeline/measurement.h"
#include "search/pipeline/run_search.h"

namespace bitplan::pipeline {

// The measurement with scores that do not grow with weight bits and a note on what that changed, where the request
// wants it (sensitivity::RepairMonotonicity); nullopt: as it is. Errors: those of RepairMonotonicity.
absl::StatusOr<std::optional<Measurement>> Repair(const Measurement& measured, const SearchRequest& request);

}  // namespace bitplan::pipeline

#endif  // BITPLAN_SEARCH_PIPELINE_REPAIR_H_
