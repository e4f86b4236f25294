#ifndef BITPLAN_SEARCH_OPS_CONV_KERNELS_H_
#define BITPLAN_SEARCH_OPS_CONV_KERNELS_H_

#include <cstdint>
#include <memory>
#include <span>

#include "absl/status/statusor.h"
#include "search/ops/window.h"

namespace bitplan::ops {

struct ConvGeometry {
  int64_t n = 0;
  int64_t groups = 1;
  int64_t in_channels = 0;
  int64_t out_channels = 0;
  Windows windows;
};

// Convolution (cross-correlation, as in ONNX) and its two transposes on oneDNN, each on one thread.
//
// Layout:  x [n, in_channels, spatial], w [out_channels, in_channels/groups, kernel], y [n, out_channels, spatial out];
//          all row-major. Inside, oneDNN picks its own layouts; tensors are reordered on the way in and out.
// Threads: const methods may run at the same time; scratch memory belongs to the thread.
class ConvKernels {
 public:
  // Builds (compiles) the kernels. kUnimplemented if oneDNN has none for this geometry.
  static absl::StatusOr<std::unique_ptr<ConvKernels>> Create(const ConvGeometry& geometry);
  virtual ~ConvKernels() = default;

  // Weights at this address never change: they are reordered once, at their first use. Before any other call.
  virtual void PinWeights(std::span<const float> w) = 0;

  // y = conv(x, w) + bias, or y += conv(x, w); bias has out_channels entries or none.
  virtual void Forward(std::span<const float> x, std::span<const float> w, std::span<const float> bias,
                       std::span<float> y, bool accumulate) const = 0;
  // y = conv(x_dot, w) + conv(x, w_dot). False, and nothing written, where no kernel adds to its result.
  virtual bool ForwardTangent(std::span<const float> x, std::span<const float> w, std::span<const float> x_dot,
                              std::span<const float> w_dot, std::span<float> y) const = 0;
  // The transposes' tangents: data and weight gradient of y_dot plus those of y with w_dot and x_dot in place of w and
  // x. Each tensor is reordered once, and the two weight gradients are one over twice the samples. False, and nothing
  // written, where the kernels' layouts do not agree.
  virtual bool GradientTangents(std::span<const float> x, std::span<const float> w, std::span<const float> y,
                                std::span<const float> x_dot, std::span<const float> w_dot,
                                std::span<const float> y_dot, std::span<float> x_out, std::span<float> w_out) const = 0;
  // x = the transpose with respect to x applied to y, or x += ..
  virtual void DataGradient(std::span<const float> y, std::span<const float> w, std::span<float> x,
                            bool accumulate) const = 0;
  // w = the transpose with respect to w applied to y, or w += ..
  virtual void WeightGradient(std::span<const float> x, std::span<const float> y, std::span<float> w,
                              bool accumulate) const = 0;
};

}  // namespace bitplan::ops

#endif  // BITPLAN_SEARCH_OPS_CONV_KERNELS_H_
