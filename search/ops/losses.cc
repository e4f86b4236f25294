#include "search/ops/losses.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <string>

#include "search/base/status.h"

namespace bitplan::ops {
namespace {

using Row = LossEntry::Row;
using Out = LossEntry::Out;

double Inverse(size_t count) { return 1 / static_cast<double>(count); }

// log sum_k exp(z_k), shifted by the largest so that nothing overflows; NaN if a value is NaN.
double LogSumExp(Row z) {
  const double max = *std::ranges::max_element(z);
  double sum = 0;
  for (const double value : z) sum += std::exp(value - max);
  return max + std::log(sum);
}

void Softmax(Row z, Out p) {
  const double log_sum = LogSumExp(z);
  for (size_t k = 0; k < z.size(); ++k) p[k] = std::exp(z[k] - log_sum);
}

// y log y, 0 at 0.
double YLogY(double y) { return y > 0 ? y * std::log(y) : 0; }

double CrossEntropy(Row z, Row y) {
  const double log_sum = LogSumExp(z);
  double sum = 0;
  for (size_t k = 0; k < z.size(); ++k) {
    if (y[k] != 0) sum += y[k] * (log_sum - z[k]);
  }
  return sum + 0 * log_sum;  // NaN outputs show even where y is zero
}

double Entropy(Row y) {
  double sum = 0;
  for (const double share : y) sum -= YLogY(share);
  return sum;
}

void CrossEntropyGradient(Row z, Row y, Out out) {
  Softmax(z, out);
  for (size_t k = 0; k < z.size(); ++k) out[k] -= y[k];
}

// p_k (v_k - p'v)
void CrossEntropyCurvature(Row z, Row v, Out out) {
  Softmax(z, out);
  double mean = 0;
  for (size_t k = 0; k < z.size(); ++k) mean += out[k] * v[k];
  for (size_t k = 0; k < z.size(); ++k) out[k] *= v[k] - mean;
}

// sqrt(p_k) r_k - p_k sqrt(p)'r
void CrossEntropyFactor(Row z, Row r, Out out) {
  Softmax(z, out);
  double mean = 0;
  for (size_t k = 0; k < z.size(); ++k) mean += std::sqrt(out[k]) * r[k];
  for (size_t k = 0; k < z.size(); ++k) out[k] = std::sqrt(out[k]) * r[k] - out[k] * mean;
}

// sum_k p_k (1 - p_k); 1 - p of the largest is the sum of the others, which keeps its digits where that one is certain
double CrossEntropyCurvatureTrace(Row z) {
  const auto top = std::ranges::max_element(z);
  double others = 0;  // in units of the largest
  double squares = 0;
  for (auto entry = z.begin(); entry != z.end(); ++entry) {
    if (entry == top) continue;
    const double ratio = std::exp(*entry - *top);
    others += ratio;
    squares += ratio * ratio;
  }
  const double total = 1 + others;
  return (others + others * total - squares) / (total * total);
}

double MeanSquaredError(Row z, Row y) {
  double sum = 0;
  for (size_t k = 0; k < z.size(); ++k) sum += (z[k] - y[k]) * (z[k] - y[k]);
  return sum * Inverse(z.size());
}

double Zero(Row /*y*/) { return 0; }

void MeanSquaredErrorGradient(Row z, Row y, Out out) {
  for (size_t k = 0; k < z.size(); ++k) out[k] = 2 * Inverse(z.size()) * (z[k] - y[k]);
}

void MeanSquaredErrorCurvature(Row z, Row v, Out out) {
  for (size_t k = 0; k < z.size(); ++k) out[k] = 2 * Inverse(z.size()) * v[k];
}

void MeanSquaredErrorFactor(Row z, Row r, Out out) {
  for (size_t k = 0; k < z.size(); ++k) out[k] = std::sqrt(2 * Inverse(z.size())) * r[k];
}

double MeanSquaredErrorCurvatureTrace(Row /*z*/) { return 2; }

void Itself(Row z, Out out) { std::ranges::copy(z, out.begin()); }

double Logistic(double z) { return z >= 0 ? 1 / (1 + std::exp(-z)) : std::exp(z) / (1 + std::exp(z)); }

// p (1 - p), the derivative of the logistic function, without cancellation
double LogisticSlope(double z) { return Logistic(z) * Logistic(-z); }

double BinaryCrossEntropy(Row z, Row y) {
  double sum = 0;
  for (size_t k = 0; k < z.size(); ++k) {
    sum += std::max(z[k], 0.0) + std::log1p(std::exp(-std::abs(z[k]))) - y[k] * z[k];
  }
  return sum * Inverse(z.size());
}

double BinaryEntropy(Row y) {
  double sum = 0;
  for (const double share : y) sum -= YLogY(share) + YLogY(1 - share);
  return sum * Inverse(y.size());
}

void BinaryCrossEntropyGradient(Row z, Row y, Out out) {
  for (size_t k = 0; k < z.size(); ++k) out[k] = Inverse(z.size()) * (Logistic(z[k]) - y[k]);
}

void BinaryCrossEntropyCurvature(Row z, Row v, Out out) {
  for (size_t k = 0; k < z.size(); ++k) out[k] = Inverse(z.size()) * LogisticSlope(z[k]) * v[k];
}

void BinaryCrossEntropyFactor(Row z, Row r, Out out) {
  for (size_t k = 0; k < z.size(); ++k) out[k] = std::sqrt(Inverse(z.size()) * LogisticSlope(z[k])) * r[k];
}

double BinaryCrossEntropyCurvatureTrace(Row z) {
  double sum = 0;
  for (const double value : z) sum += LogisticSlope(value);
  return sum * Inverse(z.size());
}

void LogisticOf(Row z, Out out) { std::ranges::transform(z, out.begin(), &Logistic); }

constexpr LossEntry kCrossEntropy{.name = "cross_entropy",
                                  .definition = "mean over samples of log sum exp(logits) - logit of the label",
                                  .takes_labels = true,
                                  .link = "Softmax",
                                  .value = &CrossEntropy,
                                  .least = &Entropy,
                                  .gradient = &CrossEntropyGradient,
                                  .curvature = &CrossEntropyCurvature,
                                  .factor = &CrossEntropyFactor,
                                  .curvature_trace = &CrossEntropyCurvatureTrace,
                                  .predict = &Softmax};
constexpr LossEntry kMeanSquaredError{
    .name = "mean_squared_error",
    .definition = "mean over samples of the mean over outputs of the squared difference",
    .value = &MeanSquaredError,
    .least = &Zero,
    .gradient = &MeanSquaredErrorGradient,
    .curvature = &MeanSquaredErrorCurvature,
    .factor = &MeanSquaredErrorFactor,
    .curvature_trace = &MeanSquaredErrorCurvatureTrace,
    .predict = &Itself};
constexpr LossEntry kBinaryCrossEntropy{
    .name = "binary_cross_entropy",
    .definition = "mean over samples of the mean over outputs of log(1 + exp(logit)) - target * logit",
    .link = "Sigmoid",
    .value = &BinaryCrossEntropy,
    .least = &BinaryEntropy,
    .gradient = &BinaryCrossEntropyGradient,
    .curvature = &BinaryCrossEntropyCurvature,
    .factor = &BinaryCrossEntropyFactor,
    .curvature_trace = &BinaryCrossEntropyCurvatureTrace,
    .predict = &LogisticOf};

// How the names of label-free losses begin, before that of the loss they are made of.
constexpr std::string_view kLabelFreePrefix = "label_free_";

constexpr LossEntry LabelFree(LossEntry entry, std::string_view name, std::string_view definition) {
  entry.name = name;
  entry.definition = definition;
  entry.takes_labels = false;
  entry.label_free = true;
  return entry;
}

constexpr auto kLossTable = std::to_array<LossEntry>({
    kCrossEntropy,
    kMeanSquaredError,
    kBinaryCrossEntropy,
    LabelFree(kCrossEntropy, "label_free_cross_entropy",
              "mean over samples of the divergence from the network's own class probabilities; needs no labels"),
    LabelFree(kMeanSquaredError, "label_free_mean_squared_error",
              "mean over samples of the squared distance to the network's own outputs; needs no targets"),
    LabelFree(
        kBinaryCrossEntropy, "label_free_binary_cross_entropy",
        "mean over samples of the divergence from the network's own probability of each output; needs no targets"),
});

}  // namespace

std::span<const LossEntry> LossTable() { return kLossTable; }

bool IsLabelFree(std::string_view loss) { return loss.starts_with(kLabelFreePrefix); }

std::string LabelFreeLoss(std::string_view loss) {
  return IsLabelFree(loss) ? std::string(loss) : fmt::format("{}{}", kLabelFreePrefix, loss);
}

absl::StatusOr<const LossEntry*> FindLoss(std::string_view name) {
  std::string known;
  for (const LossEntry& entry : kLossTable) {
    if (entry.name == name) return &entry;
    known += fmt::format(", {}", entry.name);
  }
  return Unimplemented("loss: got '{}', want one of auto{}", name, known);
}

}  // namespace bitplan::ops
