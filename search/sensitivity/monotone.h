#ifndef BITPLAN_SEARCH_SENSITIVITY_MONOTONE_H_
#define BITPLAN_SEARCH_SENSITIVITY_MONOTONE_H_

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "search/layer/layer.h"
#include "search/sensitivity/sensitivity_table.h"

namespace bitplan {

// A table whose scores do not grow with bits, and what it took.
struct MonotoneRepair {
  SensitivityTable table;
  int num_changed = 0;        // scores
  int num_layers = 0;         // layers with a changed score
  double largest_change = 0;  // of a score, by magnitude; units of loss

  bool operator==(const MonotoneRepair&) const = default;
};

namespace sensitivity {

// More bits are never worse: among options of a layer that differ in weight bits only (same activation bits, scheme,
// granularity, group size, range, rounding), the scores s_1, .., s_k by ascending bits become the r_1 >= .. >= r_k that
// minimise
//
//   sum_i w_i (r_i - s_i)^2,     w_i = 1 / standard_error_i^2 where all k errors are known and above 0, else 1.
//
// Source:  isotonic regression by pooling adjacent violators (Barlow, Bartholomew, Bremner, Brunk 1972).
// Keeps:   scores in order already, bit for bit; standard errors, which stay those of the scores before: pooled scores
//          come from the same samples, so less than the smallest of their errors cannot be claimed.
// Cost:    O(options log options) a layer.
// Errors:  kInvalidArgument: a table of a method that predicts whole plans (responses), where a plan's loss is not a
//          sum of scores and repaired ones would change nothing; a table of another size than the options.
absl::StatusOr<MonotoneRepair> RepairMonotonicity(const OptionTable& options, SensitivityTable table);

// The error above for methods by name, before anything is measured. kNotFound for a name not in the method table.
absl::Status CheckRepairable(std::string_view method);

// One sentence on what was changed; empty: nothing.
std::string Describe(const MonotoneRepair& repair);

}  // namespace sensitivity
}  // namespace bitplan

#endif  // BITPLAN_SEARCH_SENSITIVITY_MONOTONE_H_
