#include "search/ops/losses.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <string>
#include <vector>

#include "search/base/status.h"

namespace bitplan::ops {
namespace {

// log sum_k exp(z_k), shifted by the largest so that nothing overflows; NaN if a value is NaN.
double LogSumExp(std::span<const float> z) {
  const double max = *std::ranges::max_element(z);
  double sum = 0;
  for (const float value : z) sum += std::exp(value - max);
  return max + std::log(sum);
}

void Probabilities(std::span<const float> z, std::span<double> p) {
  const double log_sum = LogSumExp(z);
  for (size_t k = 0; k < z.size(); ++k) p[k] = std::exp(z[k] - log_sum);
}

std::span<const float> Row(std::span<const float> matrix, const LossBatch& batch, int64_t n) {
  return matrix.subspan(n * batch.width, batch.width);
}

double CrossEntropy(const LossBatch& batch) {
  double sum = 0;
  for (int64_t n = 0; n < batch.num_samples; ++n) {
    const std::span<const float> z = Row(batch.outputs, batch, n);
    sum += LogSumExp(z) - z[batch.labels[n]];
  }
  return sum;
}

// p - e_y
void CrossEntropyGradient(const LossBatch& batch, double scale, std::span<float> out) {
  std::vector<double> p(batch.width);
  for (int64_t n = 0; n < batch.num_samples; ++n) {
    Probabilities(Row(batch.outputs, batch, n), p);
    p[batch.labels[n]] -= 1;
    for (int64_t k = 0; k < batch.width; ++k) out[n * batch.width + k] = static_cast<float>(scale * p[k]);
  }
}

// (diag(p) - p p') v
void CrossEntropyCurvature(const LossBatch& batch, std::span<const float> v, double scale, std::span<float> out) {
  std::vector<double> p(batch.width);
  for (int64_t n = 0; n < batch.num_samples; ++n) {
    Probabilities(Row(batch.outputs, batch, n), p);
    const std::span<const float> row = Row(v, batch, n);
    double mean = 0;
    for (int64_t k = 0; k < batch.width; ++k) mean += p[k] * row[k];
    for (int64_t k = 0; k < batch.width; ++k) {
      out[n * batch.width + k] = static_cast<float>(scale * p[k] * (row[k] - mean));
    }
  }
}

double MeanSquaredError(const LossBatch& batch) {
  double sum = 0;
  for (size_t i = 0; i < batch.outputs.size(); ++i) {
    const double error = static_cast<double>(batch.outputs[i]) - batch.targets[i];
    sum += error * error;
  }
  return sum / static_cast<double>(batch.width);
}

void MeanSquaredErrorGradient(const LossBatch& batch, double scale, std::span<float> out) {
  const double factor = 2 * scale / static_cast<double>(batch.width);
  for (size_t i = 0; i < out.size(); ++i) {
    out[i] = static_cast<float>(factor * (static_cast<double>(batch.outputs[i]) - batch.targets[i]));
  }
}

void MeanSquaredErrorCurvature(const LossBatch& batch, std::span<const float> v, double scale, std::span<float> out) {
  const double factor = 2 * scale / static_cast<double>(batch.width);
  for (size_t i = 0; i < out.size(); ++i) out[i] = static_cast<float>(factor * v[i]);
}

constexpr auto kLossTable = std::to_array<LossEntry>({
    {.name = "cross_entropy",
     .definition = "mean over samples of log sum exp(logits) - logit of the label",
     .takes_labels = true,
     .takes_logits = true,
     .value = &CrossEntropy,
     .gradient = &CrossEntropyGradient,
     .curvature = &CrossEntropyCurvature},
    {.name = "mean_squared_error",
     .definition = "mean over samples of the mean over outputs of the squared difference",
     .takes_labels = false,
     .value = &MeanSquaredError,
     .gradient = &MeanSquaredErrorGradient,
     .curvature = &MeanSquaredErrorCurvature},
});

}  // namespace

std::span<const LossEntry> LossTable() { return kLossTable; }

absl::StatusOr<const LossEntry*> FindLoss(std::string_view name) {
  std::string known;
  for (const LossEntry& entry : kLossTable) {
    if (entry.name == name) return &entry;
    known += fmt::format(", {}", entry.name);
  }
  return Unimplemented("loss: got '{}', want one of auto{}", name, known);
}

}  // namespace bitplan::ops
