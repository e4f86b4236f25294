#ifndef BITPLAN_SEARCH_OPS_LOSSES_H_
#define BITPLAN_SEARCH_OPS_LOSSES_H_

#include <span>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace bitplan::ops {

// A loss of one row l(z, y): z the network's outputs for one sample (or one token, or one pixel), y what they should
// be, both of the same length C. p = softmax(z) or, entry by entry, the logistic function of z. All in double; out may
// not be z, y or v.
struct LossEntry {
  using Row = std::span<const double>;
  using Out = std::span<double>;

  std::string_view name;
  std::string_view definition;  // for people
  // y may come as a class (then one-hot).
  bool takes_labels = false;
  // Operator that makes probabilities of the z meant here; empty if there is none. See FindLossInput.
  std::string_view link;
  // y is the network's own prediction at its stored weights, not data; `value` counts from the least it can be.
  bool label_free = false;

  double (*value)(Row z, Row y) = nullptr;
  // The least value over all z: the entropy of y for the cross-entropies, 0 for squared errors.
  double (*least)(Row y) = nullptr;
  // out = dl/dz
  void (*gradient)(Row z, Row y, Out out) = nullptr;
  // out = F v,  F = d2l/dz2, which does not depend on y
  void (*curvature)(Row z, Row v, Out out) = nullptr;
  // out = S r with S S' = F, S a C x C matrix
  void (*factor)(Row z, Row r, Out out) = nullptr;
  // tr F
  double (*curvature_trace)(Row z) = nullptr;
  // out = the y that makes dl/dz zero at z: what the network itself believes
  void (*predict)(Row z, Out out) = nullptr;
};

// The only list of losses.
//   cross_entropy         l = sum_k y_k (log sum_j exp(z_j) - z_k)       z logits, y a class or a distribution
//                         F = diag(p) - p p',   S = diag(sqrt p) - p sqrt(p)'
//   mean_squared_error    l = (1/C) sum_k (z_k - y_k)^2
//                         F = (2/C) I,          S = sqrt(2/C) I
//   binary_cross_entropy  l = (1/C) sum_k (log(1 + exp z_k) - y_k z_k)   z logits, y_k in [0, 1]
//                         F = (1/C) diag(p (1 - p)),  S its square root
//   label_free_..         the same with y = the network's own prediction at its stored weights (p, z or p), minus its
//                         least value: the Kullback-Leibler divergence for the cross-entropies. The gradient is zero
//                         there, so the Hessian is the Gauss-Newton matrix, the true Fisher information.
// Sources: Schraudolph (2002) for S and "matching" losses; Martens (2020), New insights and perspectives on the natural
// gradient method, sections 8 and 9.
std::span<const LossEntry> LossTable();

// Whether a name is that of a label-free loss, and the label-free loss of a name: itself if it is one.
bool IsLabelFree(std::string_view loss);
std::string LabelFreeLoss(std::string_view loss);

// The row with this name; kUnimplemented lists the known ones.
absl::StatusOr<const LossEntry*> FindLoss(std::string_view name);

}  // namespace bitplan::ops

#endif  // BITPLAN_SEARCH_OPS_LOSSES_H_
