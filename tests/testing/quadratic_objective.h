#ifndef BITPLAN_TESTS_TESTING_QUADRATIC_OBJECTIVE_H_
#define BITPLAN_TESTS_TESTING_QUADRATIC_OBJECTIVE_H_

#include <Eigen/Dense>
#include <algorithm>
#include <atomic>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "search/base/rng.h"
#include "search/ops/objective.h"

namespace bitplan::testing {

// L(w) = 1/2 w'Aw: an objective whose Hessian is A everywhere, cut into layers of the given sizes. Counts its products.
// Where A is positive semidefinite, it is half the squared norm of outputs z = A^(1/2) w, so that factors pull back
// through the root and G is A.
class QuadraticObjective final : public Objective {
 public:
  QuadraticObjective(Eigen::MatrixXd matrix, std::vector<float> weights, const std::vector<int64_t>& layer_sizes)
      : matrix_(std::move(matrix)), weights_(std::move(weights)) {
    int64_t offset = 0;
    for (const int64_t size : layer_sizes) {
      slices_.push_back({.offset = offset, .size = size});
      offset += size;
    }
  }

  int64_t num_weights() const override { return std::ssize(weights_); }
  int64_t num_samples() const override { return 1; }
  const std::string& loss_name() const override { return loss_name_; }
  const std::string& loss_note() const override { return note; }
  const std::vector<WeightSlice>& slices() const override { return slices_; }
  const std::vector<ActivationPoint>& activation_points() const override { return activation_points_; }
  std::span<const float> weights() const override { return weights_; }

  absl::StatusOr<double> Loss(std::span<const float> weights, const RunContext& /*context*/) const override {
    const Eigen::VectorXd w = ToVector(weights.empty() ? std::span<const float>(weights_) : weights);
    return w.dot(matrix_ * w) / 2;
  }
  absl::StatusOr<double> GradientInto(std::span<const float> weights, std::span<double> out,
                                      const RunContext& context) const override {
    absl::StatusOr<LossAndGradient> result = Gradient(weights, context);
    if (!result.ok()) return result.status();
    std::ranges::copy(result->gradient, out.begin());
    return result->loss;
  }
  absl::StatusOr<LossAndGradient> Gradient(std::span<const float> weights, const RunContext& context) const override {
    const Eigen::VectorXd w = ToVector(weights.empty() ? std::span<const float>(weights_) : weights);
    const Eigen::VectorXd gradient = matrix_ * w;
    return LossAndGradient{.loss = *Loss(weights, context), .gradient = {gradient.begin(), gradient.end()}};
  }
  // All of the curvature is the outputs' in a quadratic form: G is A, too.
  absl::Status VectorProduct(CurvatureMatrix matrix, std::span<const float> v, std::optional<int> layer,
                             std::span<double> out, const RunContext& /*context*/) const override {
    std::ranges::fill(out, 0.0);
    if (matrix == CurvatureMatrix::kRemainder) return absl::OkStatus();
    ++num_products;
    const WeightSlice slice = layer ? slices_[*layer] : WeightSlice{.offset = 0, .size = num_weights()};
    const Eigen::VectorXd product = matrix_.block(slice.offset, slice.offset, slice.size, slice.size) * ToVector(v);
    std::copy(product.begin(), product.end(), out.begin());
    return absl::OkStatus();
  }
  int64_t num_outputs() const override { return num_weights(); }
  absl::StatusOr<std::vector<double>> OutputCurvatureTraces(const RunContext& /*context*/) const override {
    return std::vector<double>{static_cast<double>(num_outputs())};
  }
  absl::Status PullBack(std::span<const OutputFactor> factors, PullBackVisitor& visitor,
                        const RunContext& /*context*/) const override {
    const Eigen::MatrixXd root = Root();
    for (size_t k = 0; k < factors.size(); ++k) {
      Eigen::VectorXf s = Eigen::VectorXf::Zero(num_outputs());
      if (factors[k].kind == OutputFactor::Kind::kLossSigns) {
        Rng(factors[k].seed, factors[k].index).FillRademacher({s.data(), static_cast<size_t>(s.size())});
      } else {
        s[static_cast<Eigen::Index>(factors[k].index)] = 1;
      }
      const Eigen::VectorXf gradient = (root * s.cast<double>()).cast<float>();
      for (int l = 0; l < static_cast<int>(slices_.size()); ++l) {
        const std::span<const float> of_layer(gradient.data() + slices_[l].offset, slices_[l].size);
        visitor.Visit(static_cast<int64_t>(k), l, of_layer, ToVector(of_layer).squaredNorm());
      }
    }
    return absl::OkStatus();
  }
  absl::StatusOr<Tensor> Outputs(std::span<const float> weights, const RunContext& /*context*/) const override {
    const Eigen::VectorXf z =
        (Root() * ToVector(weights.empty() ? std::span<const float>(weights_) : weights)).cast<float>();
    return Tensor{.shape = {1, num_outputs()}, .data = {z.begin(), z.end()}};
  }

  absl::Status RunSubstituted(std::span<const Substitution> substitutions, const VisitOutputs& visit,
                              const RunContext& context) const override {
    for (size_t k = 0; k < substitutions.size(); ++k) {
      std::vector<float> weights = weights_;
      for (const auto& [layer, values] : substitutions[k].weights) {
        std::ranges::copy(values, weights.begin() + slices_[layer].offset);
      }
      const double loss = *Loss(weights, context);
      visit(static_cast<int>(k), 0, Outputs(weights, context)->data, {&loss, 1});
    }
    return absl::OkStatus();
  }

  mutable std::atomic<int64_t> num_products = 0;
  std::string note;  // loss_note

 private:
  static Eigen::VectorXd ToVector(std::span<const float> v) {
    return Eigen::Map<const Eigen::VectorXf>(v.data(), std::ssize(v)).cast<double>();
  }

  // A^(1/2) of the positive part.
  Eigen::MatrixXd Root() const {
    const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solver(matrix_);
    const Eigen::VectorXd roots = solver.eigenvalues().cwiseMax(0).cwiseSqrt();
    return solver.eigenvectors() * roots.asDiagonal() * solver.eigenvectors().transpose();
  }

  Eigen::MatrixXd matrix_;
  std::vector<float> weights_;
  std::vector<WeightSlice> slices_;
  std::vector<ActivationPoint> activation_points_;  // a quadratic form has none
  std::string loss_name_ = "quadratic";
};

}  // namespace bitplan::testing

#endif  // BITPLAN_TESTS_TESTING_QUADRATIC_OBJECTIVE_H_
