#include "search/curvature/columns.h"

#include <Eigen/Core>
#include <algorithm>
#include <cmath>
#include <cstddef>

#include "search/base/parallel.h"
#include "search/base/status.h"

namespace bitplan::curvature {
namespace {

// Rows of one chunk: 64 KiB of a column of doubles, so that a chunk of x stays in the cache while columns pass by.
constexpr int64_t kChunkRows = int64_t{1} << 13;

int NumChunks(int64_t num_rows) { return static_cast<int>((num_rows + kChunkRows - 1) / kChunkRows); }

int64_t RowsOfChunk(int64_t num_rows, int chunk) { return std::min(kChunkRows, num_rows - chunk * kChunkRows); }

Eigen::Map<const Eigen::VectorXf> ChunkOf(std::span<const float> x, int chunk) {
  return {x.data() + chunk * kChunkRows, RowsOfChunk(std::ssize(x), chunk)};
}

Eigen::Map<const Eigen::VectorXd> ChunkOf(std::span<const double> x, int chunk) {
  return {x.data() + chunk * kChunkRows, RowsOfChunk(std::ssize(x), chunk)};
}

template <typename T>
absl::StatusOr<std::vector<double>> ChunkedDots(const Columns& Q, std::span<const T> x, const RunContext& context) {
  const int num_chunks = NumChunks(Q.num_rows());
  std::vector<std::vector<double>> partial(num_chunks);
  BITPLAN_RETURN_IF_ERROR(ParallelShards(context, num_chunks, [&](int chunk) {
    const Eigen::VectorXd xs = ChunkOf(x, chunk).template cast<double>();
    for (int64_t j = 0; j < Q.size(); ++j) {
      partial[chunk].push_back(ChunkOf(Q[j], chunk).template cast<double>().dot(xs));
    }
    return absl::OkStatus();
  }));
  std::vector<double> dots(Q.size());
  for (const std::vector<double>& of_chunk : partial) {
    for (size_t j = 0; j < dots.size(); ++j) dots[j] += of_chunk[j];
  }
  return dots;
}

absl::Status SubtractCombination(const Columns& Q, std::span<const double> coefficients, std::span<double> x,
                                 const RunContext& context) {
  return ParallelShards(context, NumChunks(Q.num_rows()), [&](int chunk) {
    Eigen::Map<Eigen::VectorXd> xs(x.data() + chunk * kChunkRows, RowsOfChunk(Q.num_rows(), chunk));
    for (int64_t j = 0; j < Q.size(); ++j) xs -= coefficients[j] * ChunkOf(Q[j], chunk).cast<double>();
    return absl::OkStatus();
  });
}

}  // namespace

std::span<float> Columns::Append() { return columns_.emplace_back(num_rows_); }

void Columns::Append(std::span<const double> x, double divisor) {
  const std::span<float> column = Append();
  for (int64_t i = 0; i < num_rows_; ++i) column[i] = static_cast<float>(x[i] / divisor);
}

absl::StatusOr<std::vector<double>> Dots(const Columns& Q, std::span<const double> x, const RunContext& context) {
  return ChunkedDots(Q, x, context);
}

absl::StatusOr<std::vector<double>> Dots(const Columns& Q, std::span<const float> x, const RunContext& context) {
  return ChunkedDots(Q, x, context);
}

absl::StatusOr<std::vector<double>> Orthogonalize(const Columns& Q, std::span<double> x, const RunContext& context) {
  std::vector<double> taken(Q.size());
  for (int pass = 0; pass < 2 && Q.size() > 0; ++pass) {
    BITPLAN_ASSIGN_OR_RETURN(const std::vector<double> dots, Dots(Q, std::span<const double>(x), context));
    BITPLAN_RETURN_IF_ERROR(SubtractCombination(Q, dots, x, context));
    for (size_t j = 0; j < dots.size(); ++j) taken[j] += dots[j];
  }
  return taken;
}

absl::Status Rotate(Columns& Q, std::span<const double> U, int64_t num_columns, const RunContext& context) {
  const Eigen::Map<const Eigen::MatrixXd> rotation(U.data(), Q.size(), num_columns);
  BITPLAN_RETURN_IF_ERROR(ParallelShards(context, NumChunks(Q.num_rows()), [&](int chunk) {
    Eigen::MatrixXd rows(RowsOfChunk(Q.num_rows(), chunk), Q.size());
    for (int64_t j = 0; j < Q.size(); ++j) rows.col(j) = ChunkOf(Q[j], chunk).cast<double>();
    const Eigen::MatrixXf rotated = (rows * rotation).cast<float>();
    for (int64_t j = 0; j < num_columns; ++j) {
      std::ranges::copy(rotated.col(j), Q[j].begin() + chunk * kChunkRows);
    }
    return absl::OkStatus();
  }));
  Q.Truncate(num_columns);
  return absl::OkStatus();
}

double Norm(std::span<const double> x) { return Eigen::Map<const Eigen::VectorXd>(x.data(), std::ssize(x)).norm(); }

}  // namespace bitplan::curvature
