#include <cmath>

#include "search/base/status.h"
#include "search/ops/make_operators.h"

namespace bitplan::ops {
namespace {

// Evaluation: y = (x - mean) / sqrt(var + epsilon) * scale + shift for each channel (dimension 1); all but x constant.
class BatchNormalizationOperator final : public LinearMap {
 public:
  // One element a channel; the tensors must outlive Prepare.
  struct Statistics {
    const Tensor* scale;
    const Tensor* shift;
    const Tensor* mean;
    const Tensor* variance;
    float epsilon;
  };

  BatchNormalizationOperator(const Shape& shape, const Statistics& statistics)
      : LinearMap(shape),
        planes_(shape[0] * shape[1]),
        plane_size_(NumElements(shape) / planes_),
        statistics_(statistics) {}

  absl::Status Prepare() override {
    const Statistics& s = statistics_;
    for (size_t c = 0; c < s.scale->data.size(); ++c) {
      const double f = s.scale->data[c] / std::sqrt(static_cast<double>(s.variance->data[c]) + s.epsilon);
      factor_.push_back(static_cast<float>(f));
      offset_.push_back(static_cast<float>(s.shift->data[c] - f * s.mean->data[c]));
    }
    return absl::OkStatus();
  }

  void Forward(Reads x, Writes y) const override {
    for (int64_t p = 0; p < planes_; ++p) {
      const float factor = factor_[p % factor_.size()];
      const float offset = offset_[p % offset_.size()];
      for (int64_t i = p * plane_size_; i < (p + 1) * plane_size_; ++i) y[0][i] = factor * x[0][i] + offset;
    }
  }

 private:
  void Apply(std::span<const float> x, std::span<float> y) const override {
    for (int64_t p = 0; p < planes_; ++p) {
      const float factor = factor_[p % factor_.size()];
      for (int64_t i = p * plane_size_; i < (p + 1) * plane_size_; ++i) y[i] = factor * x[i];
    }
  }
  void ApplyTransposed(std::span<const float> y, std::span<float> x) const override { Apply(y, x); }

  int64_t planes_;
  int64_t plane_size_;
  Statistics statistics_;
  // y = factor x + offset, one of each a channel.
  std::vector<float> factor_;
  std::vector<float> offset_;
};

// scale, shift, mean or variance: a constant with one entry a channel.
absl::StatusOr<const Tensor*> ChannelConstant(const OpRequest& request, size_t input, std::string_view what) {
  BITPLAN_ASSIGN_OR_RETURN(const Tensor* tensor, ConstantTensor(request, input, what));
  if (tensor->shape != Shape{request.shape(0)[1]}) {
    return InvalidArgument("{}: got shape {}, want [{}]", what, ToString(tensor->shape), request.shape(0)[1]);
  }
  return tensor;
}

absl::Status CheckEvaluation(const OpRequest& request) {
  BITPLAN_ASSIGN_OR_RETURN(const int64_t training, IntAttribute(request.node, "training_mode", 0));
  BITPLAN_ASSIGN_OR_RETURN(const int64_t spatial, IntAttribute(request.node, "spatial", 1));
  const auto& outputs = request.node.outputs;
  for (size_t i = 1; i < outputs.size(); ++i) {
    if (outputs[i] != kNoValue) return Unimplemented("outputs[{}]: only evaluation is supported, which has one", i);
  }
  if (training != 0) return Unimplemented("training_mode: got {}, only evaluation (0) is supported", training);
  if (spatial != 1) return Unimplemented("spatial: got {}, want 1", spatial);
  return absl::OkStatus();
}

}  // namespace

MadeOperator MakeBatchNormalization(const OpRequest& request) {
  BITPLAN_RETURN_IF_ERROR(CheckArity(request, 5, 5));
  BITPLAN_RETURN_IF_ERROR(CheckEvaluation(request));
  if (request.rank(0) < 2) return InvalidArgument("inputs[0]: shape {}, want [N, C, ..]", ToString(request.shape(0)));
  BatchNormalizationOperator::Statistics statistics = {};
  BITPLAN_ASSIGN_OR_RETURN(statistics.epsilon, FloatAttribute(request.node, "epsilon", 1e-5F));
  BITPLAN_ASSIGN_OR_RETURN(statistics.scale, ChannelConstant(request, 1, "scale"));
  BITPLAN_ASSIGN_OR_RETURN(statistics.shift, ChannelConstant(request, 2, "B"));
  BITPLAN_ASSIGN_OR_RETURN(statistics.mean, ChannelConstant(request, 3, "mean"));
  BITPLAN_ASSIGN_OR_RETURN(statistics.variance, ChannelConstant(request, 4, "var"));
  return std::make_unique<BatchNormalizationOperator>(request.shape(0), statistics);
}

}  // namespace bitplan::ops
