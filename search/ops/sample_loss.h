#ifndef BITPLAN_SEARCH_OPS_SAMPLE_LOSS_H_
#define BITPLAN_SEARCH_OPS_SAMPLE_LOSS_H_

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "search/data/dataset.h"
#include "search/ops/losses.h"
#include "search/tensor/tensor.h"

namespace bitplan::ops {

struct LossOptions {
  // A name of the loss table, or auto: cross_entropy for class labels, mean_squared_error for real targets,
  // label_free_cross_entropy where the dataset has neither.
  std::string loss = "auto";
  // Share of each label that is spread over all classes: y' = (1 - s) y + s / C. Cross-entropy with data only; 0..1.
  double label_smoothing = 0;
};

// The loss of a sample as a function of all outputs the network has for it, with the dataset's targets.
//
// Rows:     one sample has R rows of C entries each (tokens, pixels); its loss is the mean over its rows of the row
//           loss. Mean squared error and binary cross-entropy: one row of everything. Cross-entropy: rows along the
//           class axis, which is axis 1 for outputs [N, C, ..] of rank 2 and of rank 4 or more, and the last one for
//           rank 3, [N, tokens, C]. With labels the axis is the one whose removal leaves as many rows as there are
//           labels a sample; if both do, the rule above holds.
// Labels:   -100 marks a row that does not count (padding); the mean is still over R rows.
// Outputs and everything like them are row-major [samples, ...] of consecutive samples, the first being `first`.
class SampleLoss {
 public:
  // `output` is the shape of the network's output for `batch` samples. `data` must outlive the result. Only the first
  // num_samples samples are looked at. Errors: kUnimplemented (unknown loss), kInvalidArgument (dataset does not fit).
  static absl::StatusOr<SampleLoss> Create(const LossOptions& options, const Dataset& data, int64_t num_samples,
                                           const Shape& output, int64_t batch);

  SampleLoss(SampleLoss&&) = default;
  SampleLoss& operator=(SampleLoss&&) = default;

  const std::string& name() const { return name_; }
  const LossEntry& entry() const { return *entry_; }
  bool label_free() const { return entry_->label_free; }
  // C, and how far the entries of a row are apart.
  int64_t width() const { return width_; }
  int64_t entry_stride() const { return entry_stride_; }
  // Label-free losses: takes the network's own outputs of all samples, from which the targets are made. Must be called
  // before anything below.
  void SetOwnOutputs(std::span<const float> outputs);

  // Sum over the samples in `outputs`; NaN or infinite if an output is.
  double Value(int64_t first, std::span<const float> outputs) const;
  // Of each sample.
  void Values(int64_t first, std::span<const float> outputs, std::span<double> out) const;
  // out = scale * gradient
  void Gradient(int64_t first, std::span<const float> outputs, double scale, std::span<float> out) const;
  // out = scale * F v, F block diagonal over samples and rows
  void Curvature(int64_t first, std::span<const float> outputs, std::span<const float> v, double scale,
                 std::span<float> out) const;
  // out = S r, S S' = F
  void Factor(int64_t first, std::span<const float> outputs, std::span<const float> r, std::span<float> out) const;
  // Of each sample: tr F.
  void CurvatureTrace(int64_t first, std::span<const float> outputs, std::span<double> out) const;

 private:
  SampleLoss() = default;

  absl::Status FindRows(const Dataset& data, const Shape& output, int64_t batch);
  absl::Status CheckTargets(const Dataset& data, int64_t num_samples, const Shape& output) const;
  // Calls fn(offset of the row in `outputs`, index of the row in the dataset) for all rows of so many samples.
  template <typename Fn>
  void ForEachRow(int64_t first, size_t num_outputs, Fn fn) const;
  bool Counts(int64_t row) const { return labels_ == nullptr || (*labels_)[row] != kIgnoredLabel; }
  // The row's target, in y; false if the row does not count.
  bool ReadTarget(int64_t row, std::span<double> y) const;
  void Read(std::span<const float> all, int64_t offset, std::span<double> row) const;
  void Write(std::span<const double> row, double scale, int64_t offset, std::span<float> all) const;
  double row_weight() const { return 1 / static_cast<double>(num_rows_); }

  const LossEntry* entry_ = nullptr;
  std::string name_;
  double label_smoothing_ = 0;
  const ClassLabels* labels_ = nullptr;  // one a row; or
  std::span<const float> targets_;       // like the outputs of the whole dataset
  std::vector<float> own_targets_;       // what targets_ points to for label-free losses
  int64_t num_rows_ = 1;                 // of a sample
  int64_t width_ = 1;                    // entries of a row
  int64_t entry_stride_ = 1;             // from entry to entry of a row; rows are interleaved if above 1
};

}  // namespace bitplan::ops

#endif  // BITPLAN_SEARCH_OPS_SAMPLE_LOSS_H_
