#include "search/curvature/change_products.h"

#include <cstddef>

#include "search/base/status.h"

namespace bitplan::curvature {
namespace {

absl::Status CheckActivations(const Objective& objective, const Perturbations& perturbations,
                              const ActivationChanges& activations) {
  const std::vector<ActivationPoint>& points = objective.activation_points();
  if (activations.errors.size() != points.size() || activations.of_option.size() != perturbations.size()) {
    return InvalidArgument("activations: got {} points and {} layers, want {} and {}", activations.errors.size(),
                           activations.of_option.size(), points.size(), perturbations.size());
  }
  for (size_t l = 0; l < perturbations.size(); ++l) {
    if (activations.of_option[l].size() == perturbations[l].size()) continue;
    return InvalidArgument("activations.of_option[{}]: got {} options, want {}", l, activations.of_option[l].size(),
                           perturbations[l].size());
  }
  for (size_t p = 0; p < points.size(); ++p) {
    for (const int change : activations.of_option[points[p].layers[0]]) {
      if (change >= -1 && change < std::ssize(activations.errors[p])) continue;
      return InvalidArgument("activations.of_option[{}]: got {}, but point {} has {} changes", points[p].layers[0],
                             change, p, activations.errors[p].size());
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckChanges(const Objective& objective, const Perturbations& perturbations,
                          const ActivationChanges& activations) {
  const std::vector<WeightSlice>& slices = objective.slices();
  if (perturbations.empty() && activations.empty()) return absl::OkStatus();
  if (perturbations.size() != slices.size()) {
    return InvalidArgument("perturbations: got {} layers, want {}", perturbations.size(), slices.size());
  }
  for (size_t l = 0; l < slices.size(); ++l) {
    for (size_t o = 0; o < perturbations[l].size(); ++o) {
      if (static_cast<int64_t>(perturbations[l][o].size()) == slices[l].size) continue;
      return InvalidArgument("perturbations[{}][{}]: got {} entries, want {}", l, o, perturbations[l][o].size(),
                             slices[l].size);
    }
  }
  return activations.empty() ? absl::OkStatus() : CheckActivations(objective, perturbations, activations);
}

ChangeProducts::ChangeProducts(const Objective& objective, const Perturbations& perturbations,
                               const ActivationChanges& activations, Product product)
    : perturbations_(perturbations), activations_(activations), product_(product) {
  for (const ActivationPoint& point : objective.activation_points()) owner_.push_back(point.layers[0]);
  for (const auto& of_layer : perturbations_) {
    first_.push_back(num_changes_);
    num_changes_ += std::ssize(of_layer);
  }
}

void ChangeProducts::AddWeights(int layer, std::span<const float> gradient, std::span<double> row) const {
  if (!reads_layer(layer)) return;
  const auto& of_layer = perturbations_[layer];
  for (size_t o = 0; o < of_layer.size(); ++o) row[first_[layer] + o] += product_(gradient, of_layer[o]);
}

void ChangeProducts::AddActivations(int point, std::span<const float> values, std::span<const float> gradient,
                                    std::span<double> row) const {
  const std::vector<ActivationChanges::Error>& errors = activations_.errors[point];
  const int layer = owner_[point];
  std::vector<float> error(values.size());
  for (int change = 0; change < static_cast<int>(errors.size()); ++change) {
    errors[change](values, error);
    const double product = product_(gradient, error);
    const std::vector<int>& of_option = activations_.of_option[layer];
    for (size_t o = 0; o < of_option.size(); ++o) {
      if (of_option[o] == change) row[first_[layer] + o] += product;
    }
  }
}

}  // namespace bitplan::curvature
