#include "search/curvature/gauss_newton.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>
#include <utility>

#include "search/base/rng.h"
#include "search/base/status.h"
#include "search/curvature/checkpoint.h"
#include "search/curvature/confidence.h"
#include "search/curvature/dot.h"

namespace bitplan {

absl::Status Validate(const GaussNewtonOptions& options) {
  if (!(options.relative_error > 0) || !std::isfinite(options.relative_error)) {
    return InvalidArgument("gauss_newton: relative_error: got {}, want above 0", options.relative_error);
  }
  if (!(options.small_fraction >= 0) || !std::isfinite(options.small_fraction)) {
    return InvalidArgument("gauss_newton: small_fraction: got {}, want at least 0", options.small_fraction);
  }
  if (options.min_draws < 2)
    return InvalidArgument("gauss_newton: min_draws: got {}, want at least 2", options.min_draws);
  if (options.max_draws < options.min_draws) {
    return InvalidArgument("gauss_newton: max_draws: got {}, want at least min_draws, {}", options.max_draws,
                           options.min_draws);
  }
  if (options.draws_per_check < 1) {
    return InvalidArgument("gauss_newton: draws_per_check: got {}, want at least 1", options.draws_per_check);
  }
  if (!(options.uniform_share > 0 && options.uniform_share <= 1)) {
    return InvalidArgument("gauss_newton: uniform_share: got {}, want above 0, at most 1", options.uniform_share);
  }
  return absl::OkStatus();
}

namespace curvature {
namespace {

// Signs and samples come from different generators.
constexpr uint64_t kSampleSeedSalt = 0x5bd1e995a6c7f3d1;
// Gradients that exist at a time where whole gradients are summed.
constexpr int64_t kGradientsAtOnce = 4;

// Squared numbers of one pulled back factor: ||g_l||^2 of every layer, then (g'd)^2 of every change in order.
class Squares final : public PullBackVisitor {
 public:
  Squares(const Objective& objective, const ChangeProducts& changes, const GaussNewtonOptions& options)
      : slices_(objective.slices()),
        changes_(changes),
        form_(options.form),
        diagonal_(options.diagonal),
        num_weights_(diagonal_ ? objective.num_weights() : 0) {}

  size_t num_layers() const { return slices_.size(); }
  size_t row_size() const { return num_layers() + changes_.num_changes(); }
  // Makes room for so many factors.
  void Start(size_t num_factors) {
    rows_.assign(num_factors * row_size(), 0.0);
    gradients_.assign(num_factors * num_weights_, 0.0F);
  }
  // After all visits: the sums over weights and activations are complete.
  void Finish() {
    if (form_ == GaussNewtonOptions::Form::kDiagonal) return;  // squared term by term
    for (size_t k = 0; k * row_size() < rows_.size(); ++k) {
      for (double& product : FormsOf(k)) product *= product;
    }
  }
  std::span<const double> row(size_t k) const { return std::span(rows_).subspan(k * row_size(), row_size()); }
  std::span<const float> gradient(size_t k) const {
    return std::span(gradients_).subspan(k * num_weights_, num_weights_);
  }

  bool wants_gradient(int layer) const override { return diagonal_ || changes_.reads_layer(layer); }
  bool wants_activations() const override { return changes_.reads_activations(); }

  void Visit(int64_t k, int layer, std::span<const float> gradient, double squared_norm) override {
    rows_[k * row_size() + layer] = squared_norm;
    if (diagonal_) std::ranges::copy(gradient, gradients_.begin() + k * num_weights_ + slices_[layer].offset);
    changes_.AddWeights(layer, gradient, FormsOf(k));
  }
  void VisitActivation(int64_t k, int point, std::span<const float> values, std::span<const float> gradient) override {
    changes_.AddActivations(point, values, gradient, FormsOf(k));
  }

 private:
  std::span<double> FormsOf(size_t k) {
    return std::span(rows_).subspan(k * row_size() + num_layers(), changes_.num_changes());
  }

  const std::vector<WeightSlice>& slices_;
  const ChangeProducts& changes_;
  GaussNewtonOptions::Form form_;
  bool diagonal_;
  int64_t num_weights_;  // of a kept gradient
  std::vector<double> rows_;
  std::vector<float> gradients_;
};

ChangeProducts::Product ProductOf(GaussNewtonOptions::Form form) {
  return form == GaussNewtonOptions::Form::kDiagonal ? &DotOfSquares : &Dot;
}

// Picks samples with given probabilities, by inversion.
class SampleChooser {
 public:
  SampleChooser(std::span<const double> traces, double uniform_share) {
    const double total = std::accumulate(traces.begin(), traces.end(), 0.0);
    const double n = static_cast<double>(traces.size());
    double sum = 0;
    for (const double trace : traces) {
      probabilities_.push_back(total > 0 ? (1 - uniform_share) * trace / total + uniform_share / n : 1 / n);
      cumulative_.push_back(sum += probabilities_.back());
    }
  }

  int64_t Choose(Rng rng) const {
    const double u = rng.NextUniform() * cumulative_.back();
    const auto found = std::ranges::upper_bound(cumulative_, u);
    return std::min<int64_t>(found - cumulative_.begin(), std::ssize(cumulative_) - 1);
  }
  // 1 / (N pi_n)
  double Weight(int64_t sample) const {
    return 1 / (static_cast<double>(probabilities_.size()) * probabilities_[sample]);
  }

 private:
  std::vector<double> probabilities_;
  std::vector<double> cumulative_;
};

// All that sampling has to remember.
struct Sums {
  int64_t num_draws = 0;
  std::vector<Moments> means;    // as a row of Squares
  std::vector<double> diagonal;  // sums of weighted squares
};

std::string CheckpointKey(const GaussNewtonOptions& options, std::string_view what, size_t row_size) {
  if (options.checkpoint_key.empty() || options.diagonal) return {};
  const std::string_view form = options.form == GaussNewtonOptions::Form::kDiagonal ? "/diagonal" : "";
  return fmt::format("{}/gauss_newton{}/{}/{}/{}/{}/{}/{}/{}/{}/{}", options.checkpoint_key, form, what, row_size,
                     options.seed, options.relative_error, options.small_fraction, options.min_draws, options.max_draws,
                     options.draws_per_check, options.uniform_share);
}

void Save(const RunContext& context, const std::string& key, const Sums& sums) {
  std::vector<double> numbers = {static_cast<double>(sums.num_draws)};
  for (const auto& [mean, squared_deviations] : sums.means) {
    numbers.push_back(mean);
    numbers.push_back(squared_deviations);
  }
  SaveNumbers(context, key, numbers);
}

void Load(const RunContext& context, const std::string& key, Sums& sums) {
  const auto numbers = LoadNumbers(context, key, 1 + 2 * sums.means.size());
  if (!numbers) return;
  sums.num_draws = static_cast<int64_t>(numbers->front());
  for (size_t i = 0; i < sums.means.size(); ++i) sums.means[i] = {(*numbers)[1 + 2 * i], (*numbers)[2 + 2 * i]};
}

// Reads results off the means, and judges them.
class Judge {
 public:
  Judge(const Perturbations& perturbations, size_t num_layers, bool exact, const GaussNewtonOptions& options)
      : perturbations_(perturbations), num_layers_(num_layers), exact_(exact), options_(options) {}

  GaussNewtonEstimate Read(const Sums& sums) const {
    GaussNewtonEstimate estimate{.num_draws = sums.num_draws};
    size_t i = 0;
    for (size_t l = 0; l < num_layers_; ++l, ++i) {
      const Moments& mean = sums.means[i];
      estimate.traces.push_back(
          {.trace = mean.mean, .standard_error = ErrorOf(mean, sums.num_draws), .num_probes = sums.num_draws});
    }
    for (const auto& of_layer : perturbations_) {
      std::vector<QuadraticForm>& row = estimate.forms.emplace_back();
      for (size_t o = 0; o < of_layer.size(); ++o, ++i) {
        row.push_back({.value = sums.means[i].mean, .standard_error = ErrorOf(sums.means[i], sums.num_draws)});
      }
    }
    return estimate;
  }

  // Worst standard error in units of the wanted one. Marks the traces that meet theirs.
  double WorstShare(GaussNewtonEstimate& estimate) const {
    double largest_trace = 0;
    for (const TraceEstimate& trace : estimate.traces) largest_trace = std::max(largest_trace, trace.trace);
    double worst = 0;
    for (TraceEstimate& trace : estimate.traces) {
      const double share = Share(trace.trace, trace.standard_error, largest_trace);
      trace.converged = share <= 1;
      worst = std::max(worst, share);
    }
    std::vector<double> largest_form;
    for (const auto& row : estimate.forms) {
      largest_form.resize(std::max(largest_form.size(), row.size()), 0.0);
      for (size_t o = 0; o < row.size(); ++o) largest_form[o] = std::max(largest_form[o], row[o].value);
    }
    for (const auto& row : estimate.forms) {
      for (size_t o = 0; o < row.size(); ++o) {
        worst = std::max(worst, Share(row[o].value, row[o].standard_error, largest_form[o]));
      }
    }
    return worst;
  }

 private:
  double ErrorOf(const Moments& mean, int64_t num_draws) const {
    return exact_ ? 0 : StandardErrorOfMean(mean, num_draws);
  }
  double Share(double value, double error, double largest) const {
    return error > 0 ? error / (options_.relative_error * std::max(value, options_.small_fraction * largest)) : 0;
  }

  const Perturbations& perturbations_;
  size_t num_layers_;
  bool exact_;
  const GaussNewtonOptions& options_;
};

absl::Status CheckFinite(std::span<const double> row, const OutputFactor& factor, size_t num_layers) {
  const auto bad = std::ranges::find_if_not(row, [](double v) { return std::isfinite(v); });
  if (bad == row.end()) return absl::OkStatus();
  const size_t index = bad - row.begin();
  return InvalidArgument("gauss_newton: the gradient of sample {} by layer {} is not finite", factor.sample,
                         std::min(index, num_layers - 1));
}

// Pulls back `factors` and calls add(k, row, gradient) in their order. Few gradients exist at a time.
template <typename Add>
absl::Status ForEachRow(const Objective& objective, std::span<const OutputFactor> factors, bool diagonal,
                        Squares& squares, const RunContext& context, Add add) {
  const size_t at_once = diagonal ? kGradientsAtOnce : factors.size();
  for (size_t begin = 0; begin < factors.size(); begin += at_once) {
    const auto wave = factors.subspan(begin, std::min(at_once, factors.size() - begin));
    squares.Start(wave.size());
    BITPLAN_RETURN_IF_ERROR(objective.PullBack(wave, squares, context));
    squares.Finish();
    for (size_t k = 0; k < wave.size(); ++k) {
      BITPLAN_RETURN_IF_ERROR(CheckFinite(squares.row(k), wave[k], squares.num_layers()));
      add(begin + k, squares.row(k), squares.gradient(k));
    }
  }
  return absl::OkStatus();
}

void AddSquares(std::span<const float> gradient, double weight, std::vector<double>& sums) {
  for (size_t i = 0; i < gradient.size(); ++i) sums[i] += weight * gradient[i] * gradient[i];
}

// Backward passes that exact values take.
int64_t NumColumns(const Objective& objective) { return objective.num_samples() * objective.num_outputs(); }

absl::StatusOr<GaussNewtonEstimate> Exact(const Objective& objective, const Perturbations& perturbations,
                                          const ChangeProducts& changes, const GaussNewtonOptions& options,
                                          const RunContext& context) {
  constexpr int64_t kSamplesAtOnce = 16;
  const int64_t num_samples = objective.num_samples();
  const double weight = 1 / static_cast<double>(num_samples);
  Squares squares(objective, changes, options);
  const std::string key = CheckpointKey(options, "exact", squares.row_size());
  Sums sums{.means = std::vector<Moments>(squares.row_size())};
  if (options.diagonal) sums.diagonal.assign(objective.num_weights(), 0.0);
  Load(context, key, sums);
  while (sums.num_draws < NumColumns(objective)) {
    const int64_t begin = sums.num_draws / objective.num_outputs();
    const int64_t end = std::min(begin + kSamplesAtOnce, num_samples);
    const auto add = [&](size_t /*k*/, std::span<const double> row, std::span<const float> gradient) {
      for (size_t i = 0; i < row.size(); ++i) sums.means[i].mean += weight * row[i];
      AddSquares(gradient, weight, sums.diagonal);
    };
    BITPLAN_RETURN_IF_ERROR(ForEachRow(objective, AllColumns(objective, OutputFactor::Kind::kLossColumn, begin, end),
                                       options.diagonal, squares, context, add));
    sums.num_draws = end * objective.num_outputs();
    Save(context, key, sums);
    context.Report({.stage = "traces", .fraction = static_cast<double>(end) * weight, .probes = sums.num_draws});
  }
  const Judge judge(perturbations, squares.num_layers(), /*exact=*/true, options);
  GaussNewtonEstimate estimate = judge.Read(sums);
  judge.WorstShare(estimate);
  estimate.diagonal = std::move(sums.diagonal);
  estimate.num_samples = num_samples;
  estimate.wanted_draws = estimate.num_draws;
  estimate.converged = true;
  return estimate;
}

// Draws of one estimate, one batch after the other.
struct Sampler {
  const Objective& objective;
  const GaussNewtonOptions& options;
  SampleChooser chooser;
  Squares squares;

  // Draw k's sample and factor depend on k alone.
  std::vector<OutputFactor> Draw(int64_t begin, int64_t count) const {
    std::vector<OutputFactor> factors;
    for (int64_t k = begin; k < begin + count; ++k) {
      factors.push_back({.sample = chooser.Choose(Rng(options.seed ^ kSampleSeedSalt, k)),
                         .index = static_cast<uint64_t>(k),
                         .seed = options.seed});
    }
    std::ranges::stable_sort(factors, {}, &OutputFactor::sample);  // draws of one sample share its forward pass
    return factors;
  }

  absl::Status Extend(int64_t count, Sums& sums, const RunContext& context) {
    const std::vector<OutputFactor> factors = Draw(sums.num_draws, count);
    const auto add = [&](size_t k, std::span<const double> row, std::span<const float> gradient) {
      const double weight = chooser.Weight(factors[k].sample);
      ++sums.num_draws;
      for (size_t i = 0; i < row.size(); ++i) AddSample(sums.means[i], weight * row[i], sums.num_draws);
      AddSquares(gradient, weight, sums.diagonal);
    };
    return ForEachRow(objective, factors, options.diagonal, squares, context, add);
  }

  int64_t CountSamples(int64_t num_draws) const {
    std::set<int64_t> samples;
    for (int64_t k = 0; k < num_draws; ++k) samples.insert(chooser.Choose(Rng(options.seed ^ kSampleSeedSalt, k)));
    return std::ssize(samples);
  }
};

}  // namespace

std::vector<OutputFactor> AllColumns(const Objective& objective, OutputFactor::Kind kind, int64_t begin, int64_t end) {
  std::vector<OutputFactor> factors;
  for (int64_t n = begin; n < end; ++n) {
    for (int64_t c = 0; c < objective.num_outputs(); ++c) {
      factors.push_back({.sample = n, .kind = kind, .index = static_cast<uint64_t>(c)});
    }
  }
  return factors;
}

absl::StatusOr<GaussNewtonEstimate> EstimateGaussNewton(const Objective& objective, const Perturbations& perturbations,
                                                        const GaussNewtonOptions& options, const RunContext& context,
                                                        const ActivationChanges& activations) {
  BITPLAN_RETURN_IF_ERROR(Validate(options));
  BITPLAN_RETURN_IF_ERROR(CheckChanges(objective, perturbations, activations));
  const ChangeProducts changes(objective, perturbations, activations, ProductOf(options.form));
  if (options.sampling == GaussNewtonOptions::Sampling::kNever) {
    return Exact(objective, perturbations, changes, options, context);
  }
  BITPLAN_ASSIGN_OR_RETURN(const std::vector<double> traces, objective.OutputCurvatureTraces(context));
  Sampler sampler{.objective = objective,
                  .options = options,
                  .chooser = SampleChooser(traces, options.uniform_share),
                  .squares = Squares(objective, changes, options)};
  const std::string key = CheckpointKey(options, "sampled", sampler.squares.row_size());
  const Judge judge(perturbations, sampler.squares.num_layers(), /*exact=*/false, options);
  Sums sums{.means = std::vector<Moments>(sampler.squares.row_size())};
  if (options.diagonal) sums.diagonal.assign(objective.num_weights(), 0.0);
  Load(context, key, sums);
  for (;;) {
    if (sums.num_draws >= options.min_draws) {
      GaussNewtonEstimate estimate = judge.Read(sums);
      const double worst = judge.WorstShare(estimate);
      estimate.converged = worst <= 1;
      // Exact values for less than what sampling would still take.
      const double wanted_draws = static_cast<double>(sums.num_draws) * worst * worst;
      estimate.wanted_draws = std::llround(std::min(wanted_draws, 0x1p62));
      if (options.sampling == GaussNewtonOptions::Sampling::kCheaper &&
          wanted_draws - static_cast<double>(sums.num_draws) > static_cast<double>(NumColumns(objective))) {
        return Exact(objective, perturbations, changes, options, context);
      }
      context.Report({.stage = "traces",
                      .fraction = worst > 1 ? 1 / (worst * worst) : 1,
                      .probes = sums.num_draws,
                      .relative_error = worst * options.relative_error});
      if (estimate.converged || sums.num_draws >= options.max_draws) {
        for (double& entry : sums.diagonal) entry /= static_cast<double>(sums.num_draws);
        estimate.diagonal = std::move(sums.diagonal);
        estimate.num_samples = sampler.CountSamples(sums.num_draws);
        return estimate;
      }
    }
    BITPLAN_RETURN_IF_ERROR(context.CheckStop());
    const int64_t limit = sums.num_draws < options.min_draws ? options.min_draws : options.max_draws;
    BITPLAN_RETURN_IF_ERROR(sampler.Extend(std::min(options.draws_per_check, limit - sums.num_draws), sums, context));
    Save(context, key, sums);
  }
}

}  // namespace curvature
}  // namespace bitplan
