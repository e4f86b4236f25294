#ifndef BITPLAN_SEARCH_CURVATURE_CHANGE_PRODUCTS_H_
#define BITPLAN_SEARCH_CURVATURE_CHANGE_PRODUCTS_H_

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "absl/status/status.h"
#include "search/ops/objective.h"

namespace bitplan {

// What options do to the tensors of activation points.
struct ActivationChanges {
  // Writes Q(a) - a of a tensor a. Called from several threads.
  using Error = std::function<void(std::span<const float> values, std::span<float> error)>;

  std::vector<std::vector<Error>> errors;   // [point][change], points as Objective::activation_points()
  std::vector<std::vector<int>> of_option;  // [layer][option]: the change of all points that the layer owns; -1: none

  bool empty() const { return errors.empty(); }
};

namespace curvature {

// Perturbations of the layers: [layer] rows of the layer's size, one after the other.
using Perturbations = std::vector<std::vector<std::vector<float>>>;

// kInvalidArgument unless there are no perturbations (and no activation changes), or one list a layer whose rows have
// the layer's size, and changes that exist for as many options.
absl::Status CheckChanges(const Objective& objective, const Perturbations& perturbations,
                          const ActivationChanges& activations);

// Adds up how a pulled back factor s answers to every option's change, to first order:
//
//   s'J d = g_l'd + sum over points p that layer l owns of g_p'e_p
//
// g_l, g_p: gradients of s'z by the layer's weights and by the point's tensor a_p; d = Q(W) - W, e_p = Q(a_p) - a_p.
// All arguments must outlive it. Thread-safe.
class ChangeProducts {
 public:
  // Inner product of a gradient with a change.
  using Product = double (*)(std::span<const float> gradient, std::span<const float> change);

  ChangeProducts(const Objective& objective, const Perturbations& perturbations, const ActivationChanges& activations,
                 Product product);

  int64_t num_changes() const { return num_changes_; }
  // Column of each layer's first option.
  const std::vector<int64_t>& first() const { return first_; }
  bool reads_layer(int layer) const { return !perturbations_.empty() && !perturbations_[layer].empty(); }
  bool reads_activations() const { return !activations_.empty(); }

  // Add a layer's and a point's part to `row`, num_changes() entries.
  void AddWeights(int layer, std::span<const float> gradient, std::span<double> row) const;
  void AddActivations(int point, std::span<const float> values, std::span<const float> gradient,
                      std::span<double> row) const;

 private:
  const Perturbations& perturbations_;
  const ActivationChanges& activations_;
  Product product_;
  std::vector<int> owner_;  // by point
  std::vector<int64_t> first_;
  int64_t num_changes_ = 0;
};

}  // namespace curvature
}  // namespace bitplan

#endif  // BITPLAN_SEARCH_CURVATURE_CHANGE_PRODUCTS_H_
