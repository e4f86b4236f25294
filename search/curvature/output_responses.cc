#include "search/curvature/output_responses.h"

#include <algorithm>
#include <cmath>

#include "search/base/status.h"
#include "search/curvature/dot.h"

namespace bitplan::curvature {
namespace {

// Adds up the inner products of pulled back factors with all changes.
class ResponseVisitor final : public PullBackVisitor {
 public:
  ResponseVisitor(const ChangeProducts& changes, size_t num_factors)
      : changes_(changes), rows_(num_factors * changes.num_changes(), 0.0) {}

  bool wants_gradient(int layer) const override { return changes_.reads_layer(layer); }
  bool wants_activations() const override { return changes_.reads_activations(); }
  void Visit(int64_t k, int layer, std::span<const float> gradient, double /*squared_norm*/) override {
    changes_.AddWeights(layer, gradient, row(k));
  }
  void VisitActivation(int64_t k, int point, std::span<const float> values, std::span<const float> gradient) override {
    changes_.AddActivations(point, values, gradient, row(k));
  }
  std::span<const double> rows() const { return rows_; }

 private:
  std::span<double> row(int64_t k) {
    return std::span(rows_).subspan(k * changes_.num_changes(), changes_.num_changes());
  }

  const ChangeProducts& changes_;
  std::vector<double> rows_;
};

}  // namespace

int64_t SamplesWithin(const Objective& objective, const Perturbations& perturbations, int64_t max_bytes) {
  auto bytes = static_cast<double>(objective.num_outputs()) * sizeof(float);
  int64_t num_perturbations = 0;
  for (const auto& of_layer : perturbations) num_perturbations += std::ssize(of_layer);
  bytes *= static_cast<double>(num_perturbations);
  if (bytes * static_cast<double>(objective.num_samples()) <= static_cast<double>(max_bytes)) {
    return objective.num_samples();
  }
  return std::max<int64_t>(1, static_cast<int64_t>(static_cast<double>(max_bytes) / bytes));
}

absl::StatusOr<OutputResponses> MakeResponses(const Objective& objective, const Perturbations& perturbations,
                                              int64_t num_samples, int64_t max_bytes) {
  OutputResponses responses{.num_samples = num_samples, .num_outputs = objective.num_outputs()};
  for (const auto& of_layer : perturbations) {
    responses.first.push_back(responses.num_perturbations);
    responses.num_perturbations += std::ssize(of_layer);
  }
  const double bytes = static_cast<double>(responses.num_samples) * static_cast<double>(responses.num_outputs) *
                       static_cast<double>(responses.num_perturbations) * sizeof(float);
  if (bytes > static_cast<double>(max_bytes)) {
    return ResourceExhausted("responses: {} samples x {} outputs x {} perturbations take {:.3g} bytes, more than {}",
                             responses.num_samples, responses.num_outputs, responses.num_perturbations, bytes,
                             max_bytes);
  }
  responses.values.assign(responses.num_samples * responses.num_outputs * responses.num_perturbations, 0.0F);
  return responses;
}

absl::StatusOr<OutputResponses> MeasureResponses(const Objective& objective, const Perturbations& perturbations,
                                                 const ResponseOptions& options, const RunContext& context,
                                                 const ActivationChanges& activations) {
  constexpr int64_t kSamplesAtOnce = 16;
  BITPLAN_RETURN_IF_ERROR(CheckChanges(objective, perturbations, activations));
  if (perturbations.empty()) return InvalidArgument("perturbations: got none");
  BITPLAN_ASSIGN_OR_RETURN(
      OutputResponses responses,
      MakeResponses(
          objective, perturbations,
          options.num_samples == 0 ? objective.num_samples() : std::min(options.num_samples, objective.num_samples()),
          options.max_bytes));
  const ChangeProducts changes(objective, perturbations, activations, &Dot);
  const OutputFactor::Kind kind =
      options.kind == ResponseKind::kLogits ? OutputFactor::Kind::kOutputColumn : OutputFactor::Kind::kLossColumn;
  for (int64_t begin = 0; begin < responses.num_samples; begin += kSamplesAtOnce) {
    const int64_t end = std::min(begin + kSamplesAtOnce, responses.num_samples);
    const std::vector<OutputFactor> factors = AllColumns(objective, kind, begin, end);
    ResponseVisitor visitor(changes, factors.size());
    BITPLAN_RETURN_IF_ERROR(objective.PullBack(factors, visitor, context));
    std::ranges::transform(visitor.rows(), &responses.values[begin * responses.num_outputs * changes.num_changes()],
                           [](double product) { return static_cast<float>(product); });
    context.Report({.stage = "responses",
                    .fraction = static_cast<double>(end) / static_cast<double>(responses.num_samples),
                    .probes = end * responses.num_outputs});
  }
  const auto bad = std::ranges::find_if_not(responses.values, [](float v) { return std::isfinite(v); });
  if (bad == responses.values.end()) return responses;
  return InvalidArgument("responses: sample {} has one that is not finite",
                         (bad - responses.values.begin()) / (responses.num_outputs * responses.num_perturbations));
}

std::vector<double> CrossTerms(const OutputResponses& factors) {
  const int64_t size = factors.num_perturbations;
  std::vector<double> terms(size * size, 0.0);
  for (int64_t n = 0; n < factors.num_samples; ++n) {
    for (int64_t c = 0; c < factors.num_outputs; ++c) {
      const std::span<const float> row = factors.row(n, c);
      for (int64_t j = 0; j < size; ++j) {
        for (int64_t k = 0; k <= j; ++k) terms[j * size + k] += static_cast<double>(row[j]) * row[k];
      }
    }
  }
  for (int64_t j = 0; j < size; ++j) {
    for (int64_t k = 0; k <= j; ++k) {
      terms[j * size + k] /= static_cast<double>(factors.num_samples);
      terms[k * size + j] = terms[j * size + k];
    }
  }
  return terms;
}

}  // namespace bitplan::curvature
