#include "search/allocation/robustness.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "search/allocation/instance.h"
#include "search/allocation/run_limits.h"
#include "search/allocation/solve.h"
#include "search/base/parallel.h"
#include "search/base/rng.h"
#include "search/base/status.h"

namespace bitplan::allocation {
namespace {

using Table = std::vector<std::vector<double>>;

struct Resample {
  std::vector<int> choice;
  double regret = 0;
  bool is_proven = false;
  std::vector<double> gain;  // of each tied group, at the prices
};

struct Mean {
  double mean = 0;
  double standard_error = 0;
};

Mean MeanOf(const std::vector<Resample>& resamples, const std::function<double(const Resample&)>& value) {
  const auto count = static_cast<double>(resamples.size());
  double sum = 0;
  for (const Resample& resample : resamples) sum += value(resample);
  const double mean = sum / count;
  double squares = 0;
  for (const Resample& resample : resamples) squares += (value(resample) - mean) * (value(resample) - mean);
  return {.mean = mean, .standard_error = std::sqrt(squares / (count - 1) / count)};
}

absl::Status CheckErrors(const Problem& problem, const Table& standard_error) {
  if (standard_error.size() != problem.layers.size()) {
    return InvalidArgument("standard_error: got {} layers, want {}", standard_error.size(), problem.layers.size());
  }
  for (size_t i = 0; i < standard_error.size(); ++i) {
    if (standard_error[i].size() != problem.layers[i].options.size()) {
      return InvalidArgument("standard_error[{}]: got {} options, want {}", i, standard_error[i].size(),
                             problem.layers[i].options.size());
    }
    for (size_t k = 0; k < standard_error[i].size(); ++k) {
      if (std::isfinite(standard_error[i][k]) && standard_error[i][k] >= 0) continue;
      return InvalidArgument("standard_error[{}][{}]: got {}, want a finite number >= 0", i, k, standard_error[i][k]);
    }
  }
  return absl::OkStatus();
}

absl::Status Check(const Problem& problem, const Solution& solution, const Table& standard_error,
                   const RobustnessOptions& options) {
  constexpr int kMostResamples = 100'000;
  if (options.num_resamples < 2 || options.num_resamples > kMostResamples) {
    return InvalidArgument("num_resamples: got {}, want 2..{}", options.num_resamples, kMostResamples);
  }
  if (solution.choice.size() != problem.layers.size()) {
    return InvalidArgument("solution: got a choice for {} layers, want one for all {}", solution.choice.size(),
                           problem.layers.size());
  }
  for (size_t i = 0; i < solution.choice.size(); ++i) {
    if (solution.choice[i] >= 0 && solution.choice[i] < std::ssize(problem.layers[i].options)) continue;
    return InvalidArgument("solution: choice[{}] is {}, want 0..{}", i, solution.choice[i],
                           problem.layers[i].options.size() - 1);
  }
  if (solution.budgets.size() != problem.budgets.size()) {
    return InvalidArgument("solution: got {} budgets, want {}", solution.budgets.size(), problem.budgets.size());
  }
  return options.resampler ? absl::OkStatus() : CheckErrors(problem, standard_error);
}

class Assessment {
 public:
  Assessment(const Problem& problem, const Solution& solution, const Table& standard_error,
             const RobustnessOptions& options)
      : problem_(problem),
        solution_(solution),
        standard_error_(standard_error),
        options_(options),
        groups_(TieGroups(problem)),
        resamples_(options.num_resamples) {
    for (const ProblemLayer& layer : problem.layers) {
      auto& objectives = objectives_.emplace_back();
      for (const ProblemOption& option : layer.options) objectives.push_back(option.objective);
    }
  }

  absl::StatusOr<Robustness> Run(const RunContext& context) {
    const auto work = [&](int r) { return RunOne(r, context); };
    BITPLAN_RETURN_IF_ERROR(ParallelShards(context, options_.num_resamples, work));
    return Summary();
  }

 private:
  absl::Status RunOne(int r, const RunContext& context) {
    const Table drawn = Draw(r);
    Problem problem = problem_;
    for (size_t i = 0; i < drawn.size(); ++i) {
      if (drawn[i].size() != objectives_[i].size()) return InvalidArgument("resampler: other options in layer {}", i);
      for (size_t k = 0; k < drawn[i].size(); ++k) problem.layers[i].options[k].objective = drawn[i][k];
    }
    BITPLAN_ASSIGN_OR_RETURN(const Solution best, Solve(problem, options_.solver, WithoutProgress(context)));
    BITPLAN_RETURN_IF_ERROR(context.CheckStop());
    Resample& resample = resamples_[r];
    resample.is_proven = best.termination == Termination::kOptimal;
    // A solver that was stopped early may have found less than there is already.
    double own = 0;
    for (size_t i = 0; i < drawn.size(); ++i) own += drawn[i][solution_.choice[i]];
    const bool is_better = !best.choice.empty() && best.objective < own;
    const bool is_equal = !best.choice.empty() && best.objective == own && resample.is_proven;
    resample.choice = is_better ? best.choice : solution_.choice;
    if (is_equal) resample.choice = solution_.choice;  // a tie is no reason to leave
    resample.regret = is_better ? own - best.objective : 0;
    for (const std::vector<int>& group : groups_) resample.gain.push_back(Gain(group, drawn));
    return absl::OkStatus();
  }

  Table Draw(int r) const {
    Table drawn = objectives_;
    if (options_.resampler) {
      options_.resampler(r, drawn);
      return drawn;
    }
    Rng rng(options_.seed, static_cast<uint64_t>(r));
    for (size_t i = 0; i < drawn.size(); ++i) {
      const double shared = rng.NextGaussian();
      for (size_t k = 0; k < drawn[i].size(); ++k) {
        const double z = options_.errors == OptionErrors::kShared ? shared : rng.NextGaussian();
        drawn[i][k] += z * standard_error_[i][k];
      }
    }
    return drawn;
  }

  // max_k g(choice) - g(k).
  double Gain(const std::vector<int>& group, const Table& objectives) const {
    const int taken = solution_.choice[group.front()];
    double most = 0;
    for (int k = 0; k < std::ssize(objectives[group.front()]); ++k) {
      double gain = 0;
      for (const int i : group) {
        gain += objectives[i][taken] - objectives[i][k];
        for (size_t b = 0; b < problem_.budgets.size(); ++b) {
          const int resource = problem_.budgets[b].resource;
          const auto& of = problem_.layers[i].options;
          gain += solution_.budgets[b].multiplier.value_or(0) *
                  static_cast<double>(of[taken].cost[resource] - of[k].cost[resource]);
        }
      }
      most = std::max(most, gain);
    }
    return most;
  }

  Robustness Summary() const {
    Robustness answer{.num_resamples = options_.num_resamples};
    answer.layers.resize(problem_.layers.size());
    const auto count = static_cast<double>(resamples_.size());
    int same = 0;
    for (size_t g = 0; g < groups_.size(); ++g) {
      const double before = Gain(groups_[g], objectives_);
      const Mean gain = MeanOf(resamples_, [&](const Resample& one) { return one.gain[g]; });
      for (const int i : groups_[g]) {
        const Mean kept =
            MeanOf(resamples_, [&](const Resample& one) { return one.choice[i] == solution_.choice[i] ? 1.0 : 0.0; });
        answer.layers[i] = {.keep_probability = kept.mean,
                            .keep_standard_error = std::sqrt(kept.mean * (1 - kept.mean) / count),
                            .value_of_information = std::max(0.0, gain.mean - before),
                            .value_standard_error = gain.standard_error};
      }
    }
    const Mean regret = MeanOf(resamples_, [](const Resample& one) { return one.regret; });
    answer.mean_regret = regret.mean;
    answer.regret_standard_error = regret.standard_error;
    for (const Resample& one : resamples_) {
      answer.regrets.push_back(one.regret);
      answer.num_unproven += one.is_proven ? 0 : 1;
      same += one.choice == solution_.choice ? 1 : 0;
    }
    answer.same_plan_probability = same / count;
    std::ranges::sort(answer.regrets);
    return answer;
  }

  const Problem& problem_;
  const Solution& solution_;
  const Table& standard_error_;
  const RobustnessOptions& options_;
  std::vector<std::vector<int>> groups_;
  Table objectives_;
  std::vector<Resample> resamples_;
};

}  // namespace

absl::StatusOr<Robustness> AssessRobustness(const Problem& problem, const Solution& solution,
                                            const std::vector<std::vector<double>>& standard_error,
                                            const RobustnessOptions& options, const RunContext& context) {
  BITPLAN_RETURN_IF_ERROR(Validate(problem));
  BITPLAN_RETURN_IF_ERROR(Check(problem, solution, standard_error, options));
  return Assessment(problem, solution, standard_error, options).Run(context);
}

}  // namespace bitplan::allocation
