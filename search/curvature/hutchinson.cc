#include "search/curvature/hutchinson.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <optional>

#include "search/base/rng.h"
#include "search/base/status.h"
#include "search/curvature/checkpoint.h"

namespace bitplan {

absl::Status Validate(const ProbeOptions& options) {
  if (!(options.relative_error > 0) || !std::isfinite(options.relative_error)) {
    return InvalidArgument("traces: relative_error: got {}, want above 0", options.relative_error);
  }
  if (!(options.small_block_fraction >= 0) || !std::isfinite(options.small_block_fraction)) {
    return InvalidArgument("traces: small_block_fraction: got {}, want at least 0", options.small_block_fraction);
  }
  if (options.min_probes < 2) {
    return InvalidArgument("traces: min_probes: got {}, want at least 2 (one probe has no standard error)",
                           options.min_probes);
  }
  if (options.max_probes < options.min_probes) {
    return InvalidArgument("traces: max_probes: got {}, want at least min_probes, {}", options.max_probes,
                           options.min_probes);
  }
  if (options.probes_per_check < 1) {
    return InvalidArgument("traces: probes_per_check: got {}, want at least 1", options.probes_per_check);
  }
  return absl::OkStatus();
}

namespace curvature {
namespace {

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

// Mean and sum of squared deviations of one block's samples, by Welford's recurrence (1962).
struct Moments {
  double mean = 0;
  double squared_deviations = 0;
};

// All that probing has to remember: the next probe is num_probes.
struct Sums {
  int64_t num_probes = 0;
  std::vector<Moments> moments;  // one a block
};

void Add(Moments& moments, double sample, int64_t num_samples) {
  const double deviation = sample - moments.mean;
  moments.mean += deviation / static_cast<double>(num_samples);
  moments.squared_deviations += deviation * (sample - moments.mean);
}

double StandardError(const Moments& moments, int64_t num_samples) {
  const double m = static_cast<double>(num_samples);
  return std::sqrt(moments.squared_deviations / (m - 1) / m);
}

void Save(const RunContext& context, std::string_view key, const Sums& sums) {
  std::vector<double> numbers = {static_cast<double>(sums.num_probes)};
  for (const auto& [mean, squared_deviations] : sums.moments) {
    numbers.push_back(mean);
    numbers.push_back(squared_deviations);
  }
  SaveNumbers(context, key, numbers);
}

std::optional<Sums> Load(const RunContext& context, std::string_view key, size_t num_blocks) {
  const std::optional<std::vector<double>> numbers = LoadNumbers(context, key, 1 + 2 * num_blocks);
  if (!numbers) return std::nullopt;
  Sums sums{.num_probes = static_cast<int64_t>(numbers->front()), .moments = {}};
  for (size_t l = 0; l < num_blocks; ++l) sums.moments.push_back({(*numbers)[1 + 2 * l], (*numbers)[2 + 2 * l]});
  return sums;
}

std::string CheckpointKey(const ProbeOptions& options) {
  if (options.checkpoint_key.empty()) return {};
  return fmt::format("{}/hutchinson/{}/{}/{}/{}/{}/{}", options.checkpoint_key, options.seed, options.relative_error,
                     options.small_block_fraction, options.min_probes, options.max_probes, options.probes_per_check);
}

bool IsSavePoint(int64_t num_probes, const ProbeOptions& options) {
  return num_probes == options.max_probes || (num_probes - options.min_probes) % options.probes_per_check == 0;
}

// Whether the error target is looked at after this many probes: at min_probes and every probes_per_check from there.
bool IsCheckPoint(int64_t num_probes, const ProbeOptions& options) {
  return num_probes >= options.min_probes && IsSavePoint(num_probes, options);
}

std::vector<TraceEstimate> Judge(const Sums& sums, const ProbeOptions& options) {
  double largest = 0;
  for (const Moments& moments : sums.moments) largest = std::max(largest, std::abs(moments.mean));
  std::vector<TraceEstimate> estimates;
  for (const Moments& moments : sums.moments) {
    const double error = StandardError(moments, sums.num_probes);
    const double scale = std::max(std::abs(moments.mean), options.small_block_fraction * largest);
    estimates.push_back({.trace = moments.mean,
                         .standard_error = error,
                         .num_probes = sums.num_probes,
                         .converged = error <= options.relative_error * scale});
  }
  return estimates;
}

// Worst standard error in units of what it is measured against; infinite if a trace is zero but its error is not.
double WorstRelativeError(const std::vector<TraceEstimate>& estimates, const ProbeOptions& options) {
  double largest = 0;
  for (const TraceEstimate& e : estimates) largest = std::max(largest, std::abs(e.trace));
  double worst = 0;
  for (const TraceEstimate& e : estimates) {
    const double scale = std::max(std::abs(e.trace), options.small_block_fraction * largest);
    if (e.standard_error > 0) worst = std::max(worst, e.standard_error / scale);
  }
  return worst;
}

void ReportProgress(const Sums& sums, const ProbeOptions& options, const RunContext& context) {
  const double share = static_cast<double>(sums.num_probes) / static_cast<double>(options.max_probes);
  if (sums.num_probes < 2) {
    context.Report({.stage = "traces", .fraction = share, .probes = sums.num_probes});
    return;
  }
  const double worst = WorstRelativeError(Judge(sums, options), options);
  const double to_target = worst > 0 ? std::pow(options.relative_error / worst, 2) : 1;
  const double needed = static_cast<double>(options.min_probes);
  const double fraction = std::min(to_target, static_cast<double>(sums.num_probes) / needed);
  context.Report({.stage = "traces",
                  .fraction = std::clamp(fraction, share, 1.0),
                  .probes = sums.num_probes,
                  .relative_error = worst});
}

double BlockProduct(std::span<const float> v, std::span<const double> Av, const WeightSlice& block) {
  double sum = 0;
  for (int64_t i = block.offset; i < block.offset + block.size; ++i) sum += v[i] * Av[i];
  return sum;
}

// Draws the probes of one operator, one after the other.
struct Prober {
  const LinearOperator& A;
  std::span<const WeightSlice> blocks;
  uint64_t seed;
  std::vector<float> v;
  std::vector<double> Av;

  absl::Status Probe(Sums& sums, const RunContext& context) {
    Rng(seed, sums.num_probes).FillRademacher(v);
    BITPLAN_RETURN_IF_ERROR(A.Apply(v, Av, context));
    ++sums.num_probes;
    for (size_t l = 0; l < blocks.size(); ++l) {
      const double sample = BlockProduct(v, Av, blocks[l]);
      if (!std::isfinite(sample)) {
        return InvalidArgument("traces: probe {} of block {} is not finite", sums.num_probes - 1, l);
      }
      Add(sums.moments[l], sample, sums.num_probes);
    }
    return absl::OkStatus();
  }
};

}  // namespace

absl::StatusOr<std::vector<TraceEstimate>> HutchinsonBlockTraces(const LinearOperator& A,
                                                                 std::span<const WeightSlice> blocks,
                                                                 const ProbeOptions& options,
                                                                 const RunContext& context) {
  BITPLAN_RETURN_IF_ERROR(Validate(options));
  BITPLAN_RETURN_IF_ERROR(CheckBlocks(blocks, A.dimension()));
  const std::string key = CheckpointKey(options);
  Sums sums =
      Load(context, key, blocks.size()).value_or(Sums{.num_probes = 0, .moments = std::vector<Moments>(blocks.size())});
  Prober prober{.A = A,
                .blocks = blocks,
                .seed = options.seed,
                .v = std::vector<float>(A.dimension()),
                .Av = std::vector<double>(A.dimension())};
  for (;;) {
    if (IsCheckPoint(sums.num_probes, options)) {
      std::vector<TraceEstimate> estimates = Judge(sums, options);
      if (sums.num_probes == options.max_probes || std::ranges::all_of(estimates, &TraceEstimate::converged)) {
        return estimates;
      }
    }
    BITPLAN_RETURN_IF_ERROR(context.CheckStop());
    BITPLAN_RETURN_IF_ERROR(prober.Probe(sums, context));
    if (IsSavePoint(sums.num_probes, options)) Save(context, key, sums);
    ReportProgress(sums, options, context);
  }
}

absl::StatusOr<TraceEstimate> HutchinsonTrace(const LinearOperator& A, const ProbeOptions& options,
                                              const RunContext& context) {
  const WeightSlice all{.offset = 0, .size = A.dimension()};
  BITPLAN_ASSIGN_OR_RETURN(const std::vector<TraceEstimate> estimates,
                           HutchinsonBlockTraces(A, {&all, 1}, options, context));
  return estimates.front();
}

}  // namespace curvature
}  // namespace bitplan
