#include <algorithm>
#include <utility>

#include "search/base/status.h"
#include "search/ops/conv_kernels.h"
#include "search/ops/make_operators.h"
#include "search/ops/window.h"

namespace bitplan::ops {
namespace {

// y = C(w)' x + bias, with C(w) the convolution whose kernel is w [C, M/group, kernel]: it takes M channels to C.
class ConvTransposeOperator final : public BilinearMap {
 public:
  // `conv` is the geometry of C.
  explicit ConvTransposeOperator(ConvGeometry conv) : BilinearMap(OutputShape(conv)), conv_(std::move(conv)) {
    plane_ = NumElements(output_shapes()[0]) / (conv_.n * conv_.in_channels);
  }

  static Shape OutputShape(const ConvGeometry& conv) {
    Shape shape = {conv.n, conv.in_channels};
    for (const Window& w : conv.windows) shape.push_back(w.in);
    return shape;
  }

  absl::Status Prepare() override {
    BITPLAN_ASSIGN_OR_RETURN(kernels_, ConvKernels::Create(conv_));
    return absl::OkStatus();
  }

  std::optional<WeightUse> weight_use() const override {
    int64_t macs = conv_.n * conv_.out_channels * (conv_.in_channels / conv_.groups);
    for (const Window& w : conv_.windows) macs *= w.out * w.kernel;
    return WeightUse{.input = 1, .kind = LayerKind::kConvTranspose, .output_channel_axis = 1, .macs = macs};
  }

 private:
  void Product(In x, In w, In bias, Out y, bool accumulate) const override {
    kernels_->DataGradient(x, w, y, accumulate);
    if (!bias.empty()) AddBias(bias, y);
  }
  void LeftGradient(In y, In w, Out x, bool accumulate) const override { kernels_->Forward(y, w, {}, x, accumulate); }
  void RightGradient(In x, In y, Out w, bool accumulate) const override {
    kernels_->WeightGradient(y, x, w, accumulate);
  }

  void AddBias(In bias, Out y) const override {
    for (size_t i = 0; i < y.size(); ++i) y[i] += bias[i / plane_ % bias.size()];
  }
  void BiasGradient(In y, Out bias) const override {
    std::vector<double> sums(bias.size(), 0.0);
    for (size_t i = 0; i < y.size(); ++i) sums[i / plane_ % bias.size()] += y[i];
    std::copy(sums.begin(), sums.end(), bias.begin());
  }

  ConvGeometry conv_;
  size_t plane_ = 1;
  std::unique_ptr<ConvKernels> kernels_;
};

absl::StatusOr<ConvGeometry> ParseConvTranspose(const OpRequest& request) {
  const Shape& x = request.shape(0);
  const Shape& w = request.shape(1);
  if (w.size() != x.size() || w.size() < 3) {
    return InvalidArgument("inputs: x has shape {}, w {}; want [N, C, spatial] and [C, M/group, kernel]", ToString(x),
                           ToString(w));
  }
  const std::vector<int64_t> kernel(w.begin() + 2, w.end());
  BITPLAN_ASSIGN_OR_RETURN(const auto kernel_shape, IntsAttribute(request.node, "kernel_shape", kernel));
  if (kernel_shape != kernel) {
    return InvalidArgument("kernel_shape: got {}, but w has shape {}", ToString(kernel_shape), ToString(w));
  }
  BITPLAN_ASSIGN_OR_RETURN(const int64_t groups, IntAttribute(request.node, "group", 1));
  if (groups < 1 || x[1] != w[0] || x[1] % groups != 0) {
    return InvalidArgument("group: got {}, which does not fit x {} and w {}", groups, ToString(x), ToString(w));
  }
  BITPLAN_ASSIGN_OR_RETURN(Windows windows, ParseTransposedWindows(request, kernel));
  return ConvGeometry{
      .n = x[0], .groups = groups, .in_channels = w[1] * groups, .out_channels = x[1], .windows = std::move(windows)};
}

}  // namespace

MadeOperator MakeConvTranspose(const OpRequest& request) {
  BITPLAN_RETURN_IF_ERROR(CheckArity(request, 2, 3));
  BITPLAN_ASSIGN_OR_RETURN(ConvGeometry conv, ParseConvTranspose(request));
  if (request.has_input(2) && request.shape(2) != Shape{conv.in_channels}) {
    return InvalidArgument("inputs[2]: bias has shape {}, want [{}]", ToString(request.shape(2)), conv.in_channels);
  }
  BITPLAN_RETURN_IF_ERROR(CheckShape(ConvTransposeOperator::OutputShape(conv)));
  return std::make_unique<ConvTransposeOperator>(std::move(conv));
}

}  // namespace bitplan::ops
