#include "search/ops/sample_loss.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "search/base/status.h"

namespace bitplan::ops {
namespace {

constexpr std::string_view kAuto = "auto";

std::string_view Describe(const Targets& targets) {
  if (std::holds_alternative<ClassLabels>(targets)) return "class labels";
  return std::holds_alternative<Tensor>(targets) ? "real targets" : "neither labels nor targets";
}

std::string_view AutoLoss(const Targets& targets) {
  if (std::holds_alternative<ClassLabels>(targets)) return "cross_entropy";
  return std::holds_alternative<Tensor>(targets) ? "mean_squared_error" : "label_free_cross_entropy";
}

absl::StatusOr<const LossEntry*> ChooseLoss(const std::string& name, const Targets& targets) {
  BITPLAN_ASSIGN_OR_RETURN(const LossEntry* entry, FindLoss(name == kAuto ? AutoLoss(targets) : name));
  const bool fits = entry->label_free || std::holds_alternative<Tensor>(targets) ||
                    (entry->takes_labels && std::holds_alternative<ClassLabels>(targets));
  if (fits) return entry;
  return InvalidArgument("loss: {} needs {}, but the dataset has {}", name,
                         entry->takes_labels ? "class labels or their distributions" : "real targets",
                         Describe(targets));
}

bool IsCrossEntropy(const LossEntry& entry) { return FindLoss("cross_entropy").value()->value == entry.value; }

// Rows that are left without `axis`.
int64_t RowsWithout(const Shape& output, int64_t batch, size_t axis) {
  return NumElements(output) / batch / output[axis];
}

absl::Status CheckLabels(const ClassLabels& labels, int64_t num_wanted, int64_t num_classes) {
  if (static_cast<int64_t>(labels.size()) < num_wanted) {
    return InvalidArgument("dataset.labels: got {}, want {}", labels.size(), num_wanted);
  }
  for (int64_t i = 0; i < num_wanted; ++i) {
    if (labels[i] != kIgnoredLabel && (labels[i] < 0 || labels[i] >= num_classes)) {
      return InvalidArgument("dataset.labels[{}]: got {}, want 0..{}", i, labels[i], num_classes - 1);
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<SampleLoss> SampleLoss::Create(const LossOptions& options, const Dataset& data, int64_t num_samples,
                                              const Shape& output, int64_t batch) {
  if (output.empty() || output[0] != batch) {
    return InvalidArgument("network output: shape {} for {} samples, want a first dimension of samples",
                           ToString(output), batch);
  }
  SampleLoss loss;
  BITPLAN_ASSIGN_OR_RETURN(loss.entry_, ChooseLoss(options.loss, data.targets));
  loss.name_ = loss.entry_->name;
  loss.label_smoothing_ = options.label_smoothing;
  if (!(options.label_smoothing >= 0 && options.label_smoothing <= 1)) {
    return InvalidArgument("label_smoothing: got {}, want 0..1", options.label_smoothing);
  }
  if (options.label_smoothing > 0 && !loss.entry_->takes_labels) {
    return InvalidArgument("label_smoothing: got {}, but {} has no labels to smooth", options.label_smoothing,
                           loss.name_);
  }
  BITPLAN_RETURN_IF_ERROR(loss.FindRows(data, output, batch));
  if (loss.label_free()) return loss;
  BITPLAN_RETURN_IF_ERROR(loss.CheckTargets(data, num_samples, output));
  loss.labels_ = std::get_if<ClassLabels>(&data.targets);
  if (const auto* targets = std::get_if<Tensor>(&data.targets)) loss.targets_ = targets->data;
  return loss;
}

absl::Status SampleLoss::FindRows(const Dataset& data, const Shape& output, int64_t batch) {
  width_ = NumElements(output) / batch;
  if (!IsCrossEntropy(*entry_)) return absl::OkStatus();
  if (output.size() < 2) {
    return InvalidArgument("network output: shape {}, want [N, classes] for {}", ToString(output), name_);
  }
  const size_t last = output.size() - 1;
  size_t axis = output.size() == 3 ? 2 : 1;
  if (const auto* labels = entry_->label_free ? nullptr : std::get_if<ClassLabels>(&data.targets)) {
    const auto given = static_cast<int64_t>(labels->size());
    const auto fits = [&](size_t a) { return RowsWithout(output, batch, a) * data.num_samples == given; };
    if (const size_t other = axis == last ? 1 : last; !fits(axis) && fits(other)) axis = other;
    if (!fits(axis)) {
      return InvalidArgument(
          "dataset.labels: got {}, want {} for the network's output {}: one a sample for [N, classes], one a token for "
          "[N, tokens, classes]",
          given, RowsWithout(output, batch, axis) * data.num_samples, ToString(output));
    }
  }
  width_ = output[axis];
  num_rows_ = RowsWithout(output, batch, axis);
  entry_stride_ = axis == last ? 1 : num_rows_;
  return absl::OkStatus();
}

absl::Status SampleLoss::CheckTargets(const Dataset& data, int64_t num_samples, const Shape& output) const {
  if (const auto* labels = std::get_if<ClassLabels>(&data.targets)) {
    return CheckLabels(*labels, num_samples * num_rows_, width_);
  }
  const Tensor& targets = std::get<Tensor>(data.targets);
  Shape wanted = output;
  wanted[0] = data.num_samples;
  if (targets.shape.empty() || targets.shape[0] != data.num_samples ||
      NumElements(targets.shape) != NumElements(wanted)) {
    const bool may_be_labels = NumElements(targets.shape) == data.num_samples;
    return InvalidArgument("dataset.targets.shape: got {}, want {}{}", ToString(targets.shape), ToString(wanted),
                           may_be_labels ? "; class labels are 'labels' of an integer type" : "");
  }
  if (entry_->least(std::vector<double>(width_, 0.5)) == 0) return absl::OkStatus();  // any real target will do
  const auto bad = std::ranges::find_if_not(targets.data, [](float y) { return y >= 0 && y <= 1; });
  if (bad != targets.data.end()) {
    return InvalidArgument("dataset.targets: element {} is {}, want probabilities for {}", bad - targets.data.begin(),
                           *bad, name_);
  }
  return absl::OkStatus();
}

template <typename Fn>
void SampleLoss::ForEachRow(int64_t first, size_t num_outputs, Fn fn) const {
  const int64_t sample_size = num_rows_ * width_;
  const int64_t num_samples = static_cast<int64_t>(num_outputs) / sample_size;
  for (int64_t n = 0; n < num_samples; ++n) {
    for (int64_t r = 0; r < num_rows_; ++r) {
      fn(n * sample_size + (entry_stride_ == 1 ? r * width_ : r), (first + n) * num_rows_ + r);
    }
  }
}

void SampleLoss::Read(std::span<const float> all, int64_t offset, std::span<double> row) const {
  for (int64_t k = 0; k < width_; ++k) row[k] = all[offset + k * entry_stride_];
}

void SampleLoss::Write(std::span<const double> row, double scale, int64_t offset, std::span<float> all) const {
  for (int64_t k = 0; k < width_; ++k) all[offset + k * entry_stride_] = static_cast<float>(scale * row[k]);
}

bool SampleLoss::ReadTarget(int64_t row, std::span<double> y) const {
  if (labels_ == nullptr) {
    const int64_t sample = row / num_rows_;
    const int64_t r = row % num_rows_;
    Read(targets_, sample * num_rows_ * width_ + (entry_stride_ == 1 ? r * width_ : r), y);
  } else {
    const int64_t label = (*labels_)[row];
    if (label == kIgnoredLabel) return false;
    std::ranges::fill(y, 0.0);
    y[label] = 1;
  }
  if (label_smoothing_ > 0) {
    for (double& share : y) share = (1 - label_smoothing_) * share + label_smoothing_ / static_cast<double>(width_);
  }
  return true;
}

void SampleLoss::SetOwnOutputs(std::span<const float> outputs) {
  own_targets_.resize(outputs.size());
  std::vector<double> z(width_);
  std::vector<double> y(width_);
  ForEachRow(0, outputs.size(), [&](int64_t offset, int64_t /*row*/) {
    Read(outputs, offset, z);
    entry_->predict(z, y);
    Write(y, 1, offset, own_targets_);
  });
  targets_ = own_targets_;
}

double SampleLoss::Value(int64_t first, std::span<const float> outputs) const {
  std::vector<double> z(width_);
  std::vector<double> y(width_);
  double sum = 0;
  ForEachRow(first, outputs.size(), [&](int64_t offset, int64_t row) {
    if (!ReadTarget(row, y)) return;
    Read(outputs, offset, z);
    sum += entry_->value(z, y) - (entry_->label_free ? entry_->least(y) : 0);
  });
  return sum * row_weight();
}

void SampleLoss::Values(int64_t first, std::span<const float> outputs, std::span<double> out) const {
  const size_t sample_size = num_rows_ * width_;
  for (size_t n = 0; n < out.size(); ++n) {
    out[n] = Value(first + static_cast<int64_t>(n), outputs.subspan(n * sample_size, sample_size));
  }
}

void SampleLoss::Gradient(int64_t first, std::span<const float> outputs, double scale, std::span<float> out) const {
  std::vector<double> z(width_);
  std::vector<double> y(width_);
  std::vector<double> gradient(width_);
  ForEachRow(first, outputs.size(), [&](int64_t offset, int64_t row) {
    if (ReadTarget(row, y)) {
      Read(outputs, offset, z);
      entry_->gradient(z, y, gradient);
    } else {
      std::ranges::fill(gradient, 0.0);
    }
    Write(gradient, scale * row_weight(), offset, out);
  });
}

void SampleLoss::Curvature(int64_t first, std::span<const float> outputs, std::span<const float> v, double scale,
                           std::span<float> out) const {
  std::vector<double> z(width_);
  std::vector<double> direction(width_);
  std::vector<double> product(width_);
  ForEachRow(first, outputs.size(), [&](int64_t offset, int64_t row) {
    if (Counts(row)) {
      Read(outputs, offset, z);
      Read(v, offset, direction);
      entry_->curvature(z, direction, product);
    } else {
      std::ranges::fill(product, 0.0);
    }
    Write(product, scale * row_weight(), offset, out);
  });
}

void SampleLoss::Factor(int64_t first, std::span<const float> outputs, std::span<const float> r,
                        std::span<float> out) const {
  std::vector<double> z(width_);
  std::vector<double> signs(width_);
  std::vector<double> product(width_);
  ForEachRow(first, outputs.size(), [&](int64_t offset, int64_t row) {
    if (Counts(row)) {
      Read(outputs, offset, z);
      Read(r, offset, signs);
      entry_->factor(z, signs, product);
    } else {
      std::ranges::fill(product, 0.0);
    }
    Write(product, std::sqrt(row_weight()), offset, out);
  });
}

void SampleLoss::CurvatureTrace(int64_t first, std::span<const float> outputs, std::span<double> out) const {
  std::ranges::fill(out, 0.0);
  std::vector<double> z(width_);
  ForEachRow(first, outputs.size(), [&](int64_t offset, int64_t row) {
    if (!Counts(row)) return;
    Read(outputs, offset, z);
    out[row / num_rows_ - first] += entry_->curvature_trace(z) * row_weight();
  });
}

}  // namespace bitplan::ops
