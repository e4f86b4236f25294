#include "search/curvature/krylov.h"

#include <Eigen/Eigenvalues>
#include <algorithm>
#include <utility>

#include "search/base/status.h"
#include "search/curvature/eigenvalues.h"

namespace bitplan::curvature {

KrylovSpace KrylovSpace::From(std::span<const float> start) {
  KrylovSpace space{.basis = Columns(std::ssize(start)), .projection = {}, .remainder = {start.begin(), start.end()}};
  space.remainder_norm = Norm(space.remainder);
  return space;
}

bool KrylovSpace::IsInvariant() const { return size() > 0 && remainder_norm <= kFloatRounding * scale; }

absl::Status Extend(KrylovSpace& space, Products& products, const RunContext& context) {
  space.basis.Append(space.remainder, space.remainder_norm);
  BITPLAN_RETURN_IF_ERROR(products.Multiply(space.basis[space.size() - 1], space.remainder, context));
  space.scale = std::max(space.scale, Norm(space.remainder));
  BITPLAN_ASSIGN_OR_RETURN(std::vector<double> row, Orthogonalize(space.basis, space.remainder, context));
  space.projection.push_back(std::move(row));
  space.remainder_norm = Norm(space.remainder);
  return absl::OkStatus();
}

RitzPairs FindRitzPairs(const KrylovSpace& space, int64_t size) {
  Eigen::MatrixXd T(size, size);
  for (int64_t i = 0; i < size; ++i) {
    for (int64_t j = 0; j <= i; ++j) T(i, j) = T(j, i) = space.projection[i][j];
  }
  const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solver(T);
  RitzPairs ritz{.values = {solver.eigenvalues().begin(), solver.eigenvalues().end()}, .vectors = {}};
  for (int64_t i = 0; i < size; ++i) {
    ritz.vectors.emplace_back(solver.eigenvectors().col(i).begin(), solver.eigenvectors().col(i).end());
  }
  return ritz;
}

}  // namespace bitplan::curvature
