#include "search/curvature/probe_groups.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <optional>

#include "search/base/rng.h"
#include "search/base/status.h"
#include "search/curvature/checkpoint.h"

namespace bitplan::curvature {
namespace {

std::string KeyOf(const ProbeGroup& group, int64_t num_probes) {
  return group.checkpoint_key.empty() ? std::string() : fmt::format("{}/{}", group.checkpoint_key, num_probes);
}

void Save(const ProbeGroup& group, const RunContext& context) {
  std::vector<double> numbers;
  AppendNumbers(group.moments, numbers);
  SaveNumbers(context, KeyOf(group, group.num_probes), numbers);
}

// Takes up the sums after `num_probes` probes, if they were saved.
bool Load(ProbeGroup& group, int64_t num_probes, const RunContext& context) {
  const std::optional<std::vector<double>> numbers =
      LoadNumbers(context, KeyOf(group, num_probes), 2 * group.blocks.size());
  if (!numbers) return false;
  group.num_probes = num_probes;
  ReadNumbers(*numbers, group.moments);
  return true;
}

// The first number of probes beyond this one after which sums are saved.
int64_t NextSavePoint(int64_t num_probes, const ProbeOptions& options) {
  const int64_t step = options.probes_per_check;
  const int64_t to_grid = ((options.min_probes - num_probes) % step + step) % step;
  return std::min(num_probes + (to_grid == 0 ? step : to_grid), options.max_probes);
}

bool IsDone(const ProbeGroup& group, const std::vector<TraceEstimate>& estimates, const ProbeOptions& options) {
  return group.num_probes == options.max_probes || std::ranges::all_of(estimates, &TraceEstimate::converged);
}

double LargestTrace(std::span<const ProbeGroup> groups) {
  double largest = 0;
  for (const ProbeGroup& group : groups) {
    for (const Moments& moments : group.moments) largest = std::max(largest, std::abs(moments.mean));
  }
  return largest;
}

// Worst standard error of the group in units of its target; infinite if a target is zero but its error is not.
double WorstError(const ProbeGroup& group, double largest, const ProbeOptions& options) {
  double worst = 0;
  for (const Moments& moments : group.moments) {
    const double error = StandardErrorOfMean(moments, group.num_probes);
    if (error > 0) worst = std::max(worst, error / TargetError(moments.mean, largest, options));
  }
  return worst;
}

// The done share of a group's probes, as far as its errors tell.
double FractionDone(const ProbeGroup& group, double worst, const ProbeOptions& options) {
  const double probes = static_cast<double>(group.num_probes);
  const double share = probes / static_cast<double>(options.max_probes);
  if (group.num_probes < 2) return share;
  const double to_target = worst > 0 ? std::pow(worst, -2) : 1;
  return std::clamp(std::min(to_target, probes / static_cast<double>(options.min_probes)), share, 1.0);
}

void ReportProgress(std::span<const ProbeGroup> groups, const ProbeOptions& options, const RunContext& context) {
  const double largest = LargestTrace(groups);
  Progress report{.stage = "traces"};
  double worst_of_all = 0;
  for (const ProbeGroup& group : groups) {
    const double worst = group.num_probes < 2 ? 0 : WorstError(group, largest, options);
    worst_of_all = std::max(worst_of_all, worst);
    report.fraction += FractionDone(group, worst, options) / static_cast<double>(groups.size());
    report.probes += group.num_probes;
  }
  report.relative_error = worst_of_all * options.relative_error;
  context.Report(report);
}

double BlockProduct(std::span<const float> v, std::span<const double> Av, const WeightSlice& block) {
  double sum = 0;
  for (int64_t i = block.offset; i < block.offset + block.size; ++i) sum += v[i] * Av[i];
  return sum;
}

absl::Status AddProbe(ProbeGroup& group, std::span<const double> Av, std::span<const float> v) {
  ++group.num_probes;
  for (size_t l = 0; l < group.blocks.size(); ++l) {
    const double sample = BlockProduct(v, Av, group.blocks[l]);
    if (!std::isfinite(sample)) {
      return InvalidArgument("traces: probe {} of block {} is not finite", group.num_probes - 1, l);
    }
    AddSample(group.moments[l], sample, group.num_probes);
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckBlocks(std::span<const WeightSlice> blocks, int64_t dimension) {
  if (blocks.empty()) return InvalidArgument("traces: no blocks");
  for (size_t l = 0; l < blocks.size(); ++l) {
    const auto [offset, size] = blocks[l];
    if (offset < 0 || size < 1 || offset > dimension || size > dimension - offset) {
      return InvalidArgument("traces: blocks[{}]: got offset {} and size {}, want at least one entry within 0..{}", l,
                             offset, size, dimension - 1);
    }
  }
  return absl::OkStatus();
}

absl::Status ProbeToNextCheck(ProbeGroup& group, std::span<const ProbeGroup> groups, const ProbeOptions& options,
                              const RunContext& context) {
  std::vector<float> v(group.A->dimension());
  std::vector<double> Av(group.A->dimension());
  do {
    const int64_t save_point = NextSavePoint(group.num_probes, options);
    if (Load(group, save_point, context)) continue;
    while (group.num_probes < save_point) {
      BITPLAN_RETURN_IF_ERROR(context.CheckStop());
      Rng(options.seed, group.first_stream + group.num_probes).FillRademacher(v);
      BITPLAN_RETURN_IF_ERROR(group.A->Apply(v, Av, context));
      BITPLAN_RETURN_IF_ERROR(AddProbe(group, Av, v));
      if (group.num_probes == save_point) Save(group, context);
      ReportProgress(groups, options, context);
    }
  } while (group.num_probes < options.min_probes);
  return absl::OkStatus();
}

double TargetError(double trace, double largest, const ProbeOptions& options) {
  const double scale = std::max(std::abs(trace), options.small_block_fraction * largest);
  return std::max(options.relative_error * scale, options.absolute_error);
}

std::vector<std::vector<TraceEstimate>> Judge(std::span<const ProbeGroup> groups, const ProbeOptions& options) {
  const double largest = LargestTrace(groups);
  std::vector<std::vector<TraceEstimate>> estimates;
  for (const ProbeGroup& group : groups) {
    std::vector<TraceEstimate>& of_group = estimates.emplace_back();
    for (const Moments& moments : group.moments) {
      const double error = StandardErrorOfMean(moments, group.num_probes);
      of_group.push_back({.trace = moments.mean,
                          .standard_error = error,
                          .num_probes = group.num_probes,
                          .converged = error <= TargetError(moments.mean, largest, options)});
    }
  }
  return estimates;
}

absl::StatusOr<std::vector<std::vector<TraceEstimate>>> ProbeToTarget(std::span<ProbeGroup> groups,
                                                                      const ProbeOptions& options,
                                                                      const RunContext& context) {
  for (ProbeGroup& group : groups) {
    if (group.num_probes < options.min_probes) {
      BITPLAN_RETURN_IF_ERROR(ProbeToNextCheck(group, groups, options, context));
    }
  }
  for (;;) {
    std::vector<std::vector<TraceEstimate>> estimates = Judge(groups, options);
    bool is_done = true;
    for (size_t g = 0; g < groups.size(); ++g) {
      if (IsDone(groups[g], estimates[g], options)) continue;
      is_done = false;
      BITPLAN_RETURN_IF_ERROR(ProbeToNextCheck(groups[g], groups, options, context));
    }
    if (is_done) return estimates;
  }
}

}  // namespace bitplan::curvature
