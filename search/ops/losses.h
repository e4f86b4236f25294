#ifndef BITPLAN_SEARCH_OPS_LOSSES_H_
#define BITPLAN_SEARCH_OPS_LOSSES_H_

#include <cstdint>
#include <span>
#include <string_view>

#include "absl/status/statusor.h"

namespace bitplan::ops {

// Outputs z of the network for some samples and what they should be.
struct LossBatch {
  std::span<const float> outputs;   // num_samples x width, row-major
  std::span<const int64_t> labels;  // class of each sample, 0 .. width-1; empty where the loss takes targets
  std::span<const float> targets;   // like outputs; empty where the loss takes labels
  int64_t num_samples = 0;
  int64_t width = 0;
};

// A loss of one sample, l(z, y), and its derivatives with respect to z. Everything is computed in double.
struct LossEntry {
  std::string_view name;
  std::string_view definition;  // for people
  bool takes_labels = false;    // else targets
  bool takes_logits = false;    // l contains a softmax of z; see FindLossInput
  // sum_n l(z_n, y_n)
  double (*value)(const LossBatch& batch) = nullptr;
  // out = scale * dl/dz, like outputs
  void (*gradient)(const LossBatch& batch, double scale, std::span<float> out) = nullptr;
  // out = scale * d2l/dz2 v, v and out like outputs
  void (*curvature)(const LossBatch& batch, std::span<const float> v, double scale, std::span<float> out) = nullptr;
};

// The only list of losses.
//   cross_entropy       l = log sum_k exp(z_k) - z_y              z are logits, y a class
//   mean_squared_error  l = (1/width) sum_k (z_k - y_k)^2         so the mean over samples of the mean over outputs
std::span<const LossEntry> LossTable();

// The row with this name; kUnimplemented lists the known ones.
absl::StatusOr<const LossEntry*> FindLoss(std::string_view name);

}  // namespace bitplan::ops

#endif  // BITPLAN_SEARCH_OPS_LOSSES_H_
