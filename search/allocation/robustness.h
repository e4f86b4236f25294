#ifndef BITPLAN_SEARCH_ALLOCATION_ROBUSTNESS_H_
#define BITPLAN_SEARCH_ALLOCATION_ROBUSTNESS_H_

#include <cstdint>
#include <functional>
#include <vector>

#include "absl/status/statusor.h"
#include "search/allocation/problem.h"
#include "search/allocation/solution.h"
#include "search/allocation/solver_options.h"
#include "search/base/run_context.h"

namespace bitplan {

// What the errors of one layer's options have to do with each other; those of different layers are independent.
enum class OptionErrors {
  kShared,       // one estimate behind all of them (a trace, an eigenvalue): one normal number a layer
  kIndependent,  // one normal number an option
};

struct RobustnessOptions {
  int num_resamples = 200;  // 2..100000
  uint64_t seed = 1;
  OptionErrors errors = OptionErrors::kShared;
  // In place of normal errors: fills objectives[layer][option], which come as the problem's, for resample r. Must be a
  // function of r alone and safe to call from several threads; infinite or NaN values are an error.
  std::function<void(int r, std::vector<std::vector<double>>& objectives)> resampler;
  SolverOptions solver = {.node_limit = 200'000};  // of each resample
};

struct LayerRobustness {
  double keep_probability = 0;  // share of resamples whose best choice has the layer's option
  double keep_standard_error = 0;
  // What knowing this layer's sensitivities exactly would be worth, units of loss: the expected fall of
  // s(k) + u'c(k) when option k may be chosen after s is known, u the prices of the budgets (Solution's multipliers).
  // The layers with the largest deserve more probes. Of a tied group: the group's, for each of its layers.
  double value_of_information = 0;
  double value_standard_error = 0;
};

// How a choice fares when sensitivities are off by their errors.
struct Robustness {
  int num_resamples = 0;
  int num_unproven =
      0;  // resamples whose best choice was not proven (node limit); their regret is too small, if anything
  std::vector<LayerRobustness> layers;
  double same_plan_probability = 0;  // share of resamples whose best choice is this one in every layer
  // Regret of a resample: the choice's objective less the best one's, under the resampled objectives; >= 0.
  double mean_regret = 0;
  double regret_standard_error = 0;
  std::vector<double> regrets;  // ascending; one a resample
};

namespace allocation {

// Solves the problem again with resampled objectives:
//
//   s_r[i][k] = objective[i][k] + z standard_error[i][k],   z ~ N(0, 1), see OptionErrors; or the caller's.
//
// Formula:  keep_probability = mean_r [ best_r[i] = choice[i] ], its standard error sqrt(p (1 - p) / R);
//           value_of_information = E[ max_k (g_r(choice) - g_r(k)) ] - max_k (g(choice) - g(k)), g(k) = s[k] + u'c[k],
//           summed over a tied group; >= 0 by Jensen's inequality, up to Monte Carlo.
// Shapes:   `solution`: of `problem`, with a choice; `standard_error` [layer][option], >= 0; empty with a resampler.
// Cost:     R solves, on context.num_threads threads.
// Errors:   kInvalidArgument (shapes, values, R), those of Solve, kCancelled and kDeadlineExceeded.
// Resample r draws from (seed, r): same bits for any number of threads.
absl::StatusOr<Robustness> AssessRobustness(const Problem& problem, const Solution& solution,
                                            const std::vector<std::vector<double>>& standard_error,
                                            const RobustnessOptions& options, const RunContext& context);

}  // namespace allocation
}  // namespace bitplan

#endif  // BITPLAN_SEARCH_ALLOCATION_ROBUSTNESS_H_
