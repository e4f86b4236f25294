#include <algorithm>
#include <utility>

#include "search/base/status.h"
#include "search/ops/broadcast.h"
#include "search/ops/conv_kernels.h"
#include "search/ops/gram.h"
#include "search/ops/make_operators.h"
#include "search/ops/window.h"

namespace bitplan::ops {
namespace {

// The inputs that meet kernel position (ki, kj) at each output position of one channel plane; 0 in the padding.
void GatherShifted(const float* plane, const Window& rows, const Window& columns, int64_t ki, int64_t kj, float* out) {
  for (int64_t i = 0; i < rows.out; ++i) {
    const int64_t row = rows.Start(i) + ki * rows.dilation;
    for (int64_t j = 0; j < columns.out; ++j) {
      const int64_t column = columns.Start(j) + kj * columns.dilation;
      const bool inside = row >= 0 && row < rows.in && column >= 0 && column < columns.in;
      *out++ = inside ? plane[row * columns.in + column] : 0.0F;
    }
  }
}

// The patches of one sample's channels as columns: [channels * kernel, outputs].
FloatVector GatherPatches(const float* x, int64_t channels, const Windows& windows) {
  const Window rows = windows.size() > 1 ? windows[0] : Window();
  const Window& columns = windows.back();
  FloatVector patches(channels * rows.kernel * columns.kernel * rows.out * columns.out);
  float* out = patches.data();
  for (int64_t c = 0; c < channels; ++c) {
    for (int64_t ki = 0; ki < rows.kernel; ++ki) {
      for (int64_t kj = 0; kj < columns.kernel; ++kj) {
        GatherShifted(x + c * rows.in * columns.in, rows, columns, ki, kj, out);
        out += rows.out * columns.out;
      }
    }
  }
  return patches;
}

// y[n, o] = sum_c x[n, c] * w[o, c] + bias[o], a cross-correlation over each group of channels; 1-D to 3-D.
class ConvOperator final : public BilinearMap {
 public:
  explicit ConvOperator(ConvGeometry geometry)
      : BilinearMap(WindowOutputShape(geometry.n, geometry.out_channels, geometry.windows)),
        geometry_(std::move(geometry)),
        plane_(NumElements(output_shapes()[0]) / (geometry_.n * geometry_.out_channels)) {}

  absl::Status Prepare() override {
    BITPLAN_ASSIGN_OR_RETURN(kernels_, ConvKernels::Create(geometry_));
    return absl::OkStatus();
  }

  std::optional<WeightUse> weight_use() const override {
    int64_t macs = NumElements(output_shapes()[0]) * (geometry_.in_channels / geometry_.groups);
    for (const Window& window : geometry_.windows) macs *= window.kernel;
    return WeightUse{.input = 1, .kind = LayerKind::kConv, .output_channel_axis = 0, .macs = macs};
  }

  std::optional<double> WeightGradientSquaredNorm(Reads x, Reads y_bar, int input) const override {
    const ConvGeometry& g = geometry_;
    int64_t patch = g.in_channels / g.groups;
    int64_t plane_in = 1;
    for (const Window& window : g.windows) {
      patch *= window.kernel;
      plane_in *= window.in;
    }
    const int64_t outputs = g.out_channels / g.groups;
    if (input != 1 || g.n != 1 || g.windows.size() > 2 || !GramIsCheaper(plane_, patch, outputs)) return std::nullopt;
    double sum = 0;
    for (int64_t group = 0; group < g.groups; ++group) {
      const int64_t channels = g.in_channels / g.groups;
      const FloatVector patches = GatherPatches(&x[0][group * channels * plane_in], channels, g.windows);
      sum += SquaredNormByGram(plane_, patches.data(), patch, &y_bar[0][group * outputs * plane_], outputs, true);
    }
    return sum;
  }

  void Pin(int input, std::span<const float> tensor) override {
    if (input == 1) kernels_->PinWeights(tensor);
  }

 private:
  void Product(In x, In w, In bias, Out y, bool accumulate) const override {
    kernels_->Forward(x, w, bias, y, accumulate);
  }
  void LeftGradient(In y, In w, Out x, bool accumulate) const override { kernels_->DataGradient(y, w, x, accumulate); }
  void RightGradient(In x, In y, Out w, bool accumulate) const override {
    kernels_->WeightGradient(x, y, w, accumulate);
  }

  bool ProductTangent(In x, In w, In x_dot, In w_dot, Out y) const override {
    return kernels_->ForwardTangent(x, w, x_dot, w_dot, y);
  }
  bool GradientTangents(const Tangents& in, Out x, Out w) const override {
    return kernels_->GradientTangents(in.a, in.b, in.y, in.a_dot, in.b_dot, in.y_dot, x, w);
  }

  void AddBias(In bias, Out y) const override {
    ForEachPlane([&](int64_t channel, int64_t begin) {
      for (int64_t i = begin; i < begin + plane_; ++i) y[i] += bias[channel];
    });
  }

  void BiasGradient(In y, Out bias) const override {
    std::vector<double> sums(bias.size(), 0.0);
    ForEachPlane([&](int64_t channel, int64_t begin) {
      for (int64_t i = begin; i < begin + plane_; ++i) sums[channel] += y[i];
    });
    std::copy(sums.begin(), sums.end(), bias.begin());
  }

  template <typename Fn>
  void ForEachPlane(Fn fn) const {
    for (int64_t p = 0; p < geometry_.n * geometry_.out_channels; ++p) fn(p % geometry_.out_channels, p * plane_);
  }

  ConvGeometry geometry_;
  int64_t plane_;
  std::unique_ptr<ConvKernels> kernels_;
};

absl::StatusOr<ConvGeometry> ParseConv(const OpRequest& request) {
  const Shape& x = request.shape(0);
  const Shape& w = request.shape(1);
  if (w.size() != x.size() || w.size() < 3) {
    return InvalidArgument("inputs: x has shape {}, w {}; want [N, C, spatial] and [M, C/group, kernel]", ToString(x),
                           ToString(w));
  }
  const std::vector<int64_t> kernel(w.begin() + 2, w.end());
  BITPLAN_ASSIGN_OR_RETURN(const auto kernel_shape, IntsAttribute(request.node, "kernel_shape", kernel));
  if (kernel_shape != kernel) {
    return InvalidArgument("kernel_shape: got {}, but w has shape {}", ToString(kernel_shape), ToString(w));
  }
  BITPLAN_ASSIGN_OR_RETURN(const int64_t groups, IntAttribute(request.node, "group", 1));
  if (groups < 1 || x[1] % groups != 0 || w[0] % groups != 0 || x[1] / groups != w[1]) {
    return InvalidArgument("group: got {}, which does not fit x {} and w {}", groups, ToString(x), ToString(w));
  }
  BITPLAN_ASSIGN_OR_RETURN(Windows windows, ParseWindows(request, kernel));
  return ConvGeometry{
      .n = x[0], .groups = groups, .in_channels = x[1], .out_channels = w[0], .windows = std::move(windows)};
}

}  // namespace

MadeOperator MakeConv(const OpRequest& request) {
  BITPLAN_RETURN_IF_ERROR(CheckArity(request, 2, 3));
  BITPLAN_ASSIGN_OR_RETURN(ConvGeometry geometry, ParseConv(request));
  if (request.has_input(2) && request.shape(2) != Shape{geometry.out_channels}) {
    return InvalidArgument("inputs[2]: bias has shape {}, want [{}]", ToString(request.shape(2)),
                           geometry.out_channels);
  }
  BITPLAN_RETURN_IF_ERROR(CheckShape(WindowOutputShape(geometry.n, geometry.out_channels, geometry.windows)));
  return std::make_unique<ConvOperator>(std::move(geometry));
}

}  // namespace bitplan::ops
