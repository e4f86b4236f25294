#ifndef BITPLAN_SEARCH_CURVATURE_COLUMNS_H_
#define BITPLAN_SEARCH_CURVATURE_COLUMNS_H_

#include <cstdint>
#include <span>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "search/base/run_context.h"

namespace bitplan::curvature {

// A tall matrix of floats, column by column: the bases that eigenvalue and trace estimators collect. Operators take
// floats, so a stored column is exactly the vector that was multiplied. Memory: 4 n bytes a column.
class Columns {
 public:
  explicit Columns(int64_t num_rows) : num_rows_(num_rows) {}

  int64_t num_rows() const { return num_rows_; }
  int64_t size() const { return std::ssize(columns_); }
  std::span<const float> operator[](int64_t j) const { return columns_[j]; }
  std::span<float> operator[](int64_t j) { return columns_[j]; }

  // A column of zeros, to be filled by the caller.
  std::span<float> Append();
  // x / divisor, rounded to float.
  void Append(std::span<const double> x, double divisor);
  // Keeps the first `size` columns.
  void Truncate(int64_t size) { columns_.resize(size); }

 private:
  int64_t num_rows_;
  std::vector<std::vector<float>> columns_;
};

// What follows adds in double over row chunks of fixed size, chunk by chunk: the same bits for any number of threads.
// Errors: kCancelled, kDeadlineExceeded.

// c_j = q_j' x for each column of Q.
absl::StatusOr<std::vector<double>> Dots(const Columns& Q, std::span<const double> x, const RunContext& context);
absl::StatusOr<std::vector<double>> Dots(const Columns& Q, std::span<const float> x, const RunContext& context);

// x <- x - Q Q' x, twice, so that x is orthogonal to Q up to rounding ("twice is enough": Giraud, Langou, Rozloznik
// 2005). Q has orthonormal columns up to float rounding. Returns what was taken out, Q' x.
absl::StatusOr<std::vector<double>> Orthogonalize(const Columns& Q, std::span<double> x, const RunContext& context);

// Q <- Q U, U of Q.size() x num_columns in column order, num_columns <= Q.size().
absl::Status Rotate(Columns& Q, std::span<const double> U, int64_t num_columns, const RunContext& context);

double Norm(std::span<const double> x);

}  // namespace bitplan::curvature

#endif  // BITPLAN_SEARCH_CURVATURE_COLUMNS_H_
