#ifndef BITPLAN_SEARCH_OPS_KERNEL_TIMING_H_
#define BITPLAN_SEARCH_OPS_KERNEL_TIMING_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "search/base/run_context.h"
#include "search/graph/graph.h"
#include "search/ops/conv_kernels.h"

// How long this machine's oneDNN kernels take for the layers of a network.
namespace bitplan::ops {

// One product of a layer's weight with data, for all samples of a batch.
struct KernelShape {
  LayerKind kind = LayerKind::kConv;  // kConv, kConvTranspose or kGemm, which stands for kMatMul too
  ConvGeometry conv;                  // kConvTranspose: of the convolution that it is the transpose of
  int64_t rows = 0;                   // kGemm: rows x inputs times inputs x outputs
  int64_t inputs = 0;
  int64_t outputs = 0;
};

// All that matters of a shape, as text: equal shapes have equal texts.
// "conv 1x64x56x56 to 64, kernel 3x3, stride 1x1, dilation 1x1, pads 1x1 1x1, groups 1", "product 8x512 by 512x10".
std::string Describe(const KernelShape& shape);

// What a layer runs: one kernel for each node that reads its weight.
struct LayerKernels {
  std::vector<KernelShape> kernels;
  std::string unsupported;  // why there are none; empty: there are
};

// By layer, at `batch` samples (of a network that fixes their number, that number). Strides, padding, dilations and
// groups are the graph's. Unsupported: layers that are neither convolutions nor products of a matrix, and weights of
// more than two dimensions in products. Errors: those of InferShapes.
absl::StatusOr<std::vector<LayerKernels>> FindKernels(const Graph& graph, int64_t batch);

enum class KernelType {
  kFloat,  // f32 data, weights and results
  kInt8,   // u8 data, s8 weights, u8 results
};

struct TimingOptions {
  int min_repeats = 11;
  int max_repeats = 1000;
  double relative_error = 0.01;  // wanted: standard error of the median / median; 0: max_repeats, whatever the error
  double time_limit_s = 1;       // of one kernel; it ends the repeats where there are at least kLeastRepeats
};
inline constexpr int kLeastRepeats = 3;
absl::Status Validate(const TimingOptions& options);

struct KernelTiming {
  double median_ns = 0;
  double standard_error_ns = 0;  // of the median; 0 of a single repeat, where it is not known
  double interquartile_ns = 0;   // spread of the repeats
  int repeats = 0;
  int64_t preemptions = 0;     // of this process while it ran: the machine was busy
  std::string implementation;  // oneDNN's name of its kernel: "brgconv:avx512_core_vnni"
  bool is_reference = false;   // oneDNN has no optimised kernel for this shape and type; nothing was timed
};

// Runs a kernel again and again on `context.num_threads` threads, data and weights in the layouts that it likes best
// (so reordering them is not counted), after two runs that do not count. A repeat is as many runs as take 0.2 ms.
//
// Standard error: half the distance of the order statistics n/2 -+ sqrt(n)/2 of the n repeats, which cover the median
// with 68 % whatever their distribution (binomial; Conover 1999, 3.2).
// Errors: kUnimplemented where oneDNN has no kernel, kResourceExhausted without memory, kCancelled, kDeadlineExceeded.
// Not deterministic: it measures. Threads: one call at a time.
absl::StatusOr<KernelTiming> TimeKernel(const KernelShape& shape, KernelType type, const TimingOptions& options,
                                        const RunContext& context);

// Median, its standard error and the interquartile range of these times, at least one.
KernelTiming SummarizeTimes(std::vector<double> times_ns);

// "oneDNN 2.6.0, avx512_core_vnni": the library and the instructions that it uses here.
std::string KernelLibrary();

}  // namespace bitplan::ops

#endif  // BITPLAN_SEARCH_OPS_KERNEL_TIMING_H_
