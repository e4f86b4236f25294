#include "search/ops/kernel_timing.h"

#include <fmt/ranges.h>
#include <omp.h>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstring>
#include <dnnl.hpp>
#include <functional>
#include <unordered_map>
#include <utility>

#include "search/base/status.h"
#include "search/graph/layer_products.h"
#include "search/ops/infer_shapes.h"
#include "search/ops/operator.h"

namespace bitplan::ops {
namespace {

using Desc = dnnl::memory::desc;
using Dims = dnnl::memory::dims;
using DataType = dnnl::memory::data_type;

constexpr double kLeastRunSeconds = 2e-4;  // of a repeat: far above what reading the clock takes
constexpr int64_t kMostRuns = 1'000'000;   // in a repeat
constexpr int kWarmUps = 2;
constexpr int kFill = 0x3c;  // bytes of all tensors: 60 as an integer, 0.0115 as a float; no denormals, no zeros

// While it lives, OpenMP, and oneDNN with it, uses so many threads in the calling thread.
class ScopedThreads {
 public:
  explicit ScopedThreads(int count) : outer_(omp_get_max_threads()) { omp_set_num_threads(count); }
  ~ScopedThreads() { omp_set_num_threads(outer_); }
  ScopedThreads(const ScopedThreads&) = delete;
  ScopedThreads& operator=(const ScopedThreads&) = delete;

 private:
  int outer_;
};

// ---- Shapes ----

OpRequest RequestOf(const Graph& graph, const Node& node, const std::vector<Shape>& shapes, int64_t batch) {
  OpRequest request{.node = node, .opset_version = graph.opset_version, .num_samples = batch};
  for (const ValueId id : node.inputs) {
    request.inputs.push_back(id == kNoValue ? nullptr : &graph.values[id]);
    request.input_shapes.push_back(id == kNoValue ? Shape{} : shapes[id]);
  }
  return request;
}

// The graph's shapes were inferred, so the node's attributes fit.
absl::StatusOr<KernelShape> ConvShape(const OpRequest& request, bool transposed) {
  const Shape& x = request.shape(0);
  const Shape& w = request.shape(1);
  const std::vector<int64_t> kernel(w.begin() + 2, w.end());
  BITPLAN_ASSIGN_OR_RETURN(const int64_t groups, IntAttribute(request.node, "group", 1));
  BITPLAN_ASSIGN_OR_RETURN(Windows windows,
                           transposed ? ParseTransposedWindows(request, kernel) : ParseWindows(request, kernel));
  KernelShape shape{.kind = transposed ? LayerKind::kConvTranspose : LayerKind::kConv};
  shape.conv = {.n = x[0],
                .groups = groups,
                .in_channels = transposed ? w[1] * groups : x[1],
                .out_channels = transposed ? x[1] : w[0],
                .windows = std::move(windows)};
  return shape;
}

absl::StatusOr<KernelShape> ShapeOf(const Graph& graph, const graph::LayerProduct& product,
                                    const std::vector<Shape>& shapes, int64_t batch) {
  const Layer& layer = graph.layers.layers[product.layer];
  const std::string& op = product.node.op_type;
  if (op == "Conv" || op == "ConvTranspose") {
    if (product.data_input != 0) return Unimplemented("its weight is convolved with");
    return ConvShape(RequestOf(graph, product.node, shapes, batch), op == "ConvTranspose");
  }
  if (layer.weight_shape.size() != 2) {
    return Unimplemented("its weight has {} dimensions, only products with a matrix are timed",
                         layer.weight_shape.size());
  }
  KernelShape shape{.kind = LayerKind::kGemm};
  shape.outputs = layer.num_output_channels();
  shape.inputs = layer.num_weights / shape.outputs;
  shape.rows = NumElements(shapes[product.data()]) / shape.inputs;
  return shape;
}

template <typename Member>
std::string Each(const Windows& windows, Member member) {
  std::vector<int64_t> values;
  for (const Window& window : windows) values.push_back(std::invoke(member, window));
  return fmt::format("{}", fmt::join(values, "x"));
}

// ---- Kernels ----

const dnnl::engine& Engine() {
  static const auto* const engine = new dnnl::engine(dnnl::engine::kind::cpu, 0);
  return *engine;
}

// Where the kernel's data types differ between the two kinds.
struct Types {
  DataType data;
  DataType weights;
};

Types TypesOf(KernelType type) {
  return type == KernelType::kFloat ? Types{DataType::f32, DataType::f32} : Types{DataType::u8, DataType::s8};
}

Desc Any(const Dims& dims, DataType type) { return Desc(dims, type, dnnl::memory::format_tag::any); }

// A kernel with its tensors, ready to run.
class BoundKernel {
 public:
  template <typename PrimitiveDesc>
  BoundKernel(dnnl::primitive primitive, const PrimitiveDesc& desc)
      : primitive_(std::move(primitive)), stream_(Engine()), implementation_(desc.impl_info_str()) {
    Bind(DNNL_ARG_SRC, desc.src_desc());
    Bind(DNNL_ARG_WEIGHTS, desc.weights_desc());
    Bind(DNNL_ARG_DST, desc.dst_desc());
  }

  void Run() {
    primitive_.execute(stream_, tensors_);
    stream_.wait();
  }

  const std::string& implementation() const { return implementation_; }

 private:
  void Bind(int argument, const Desc& desc) {
    const dnnl::memory tensor(desc, Engine());
    std::memset(tensor.get_data_handle(), kFill, desc.get_size());
    tensors_.emplace(argument, tensor);
  }

  dnnl::primitive primitive_;
  dnnl::stream stream_;
  std::unordered_map<int, dnnl::memory> tensors_;
  std::string implementation_;
};

// What oneDNN wants to know of windows.
struct WindowDims {
  Dims strides;
  Dims dilations;  // less 1
  Dims pads_begin;
  Dims pads_end;

  explicit WindowDims(const Windows& windows) {
    for (const Window& w : windows) {
      strides.push_back(w.stride);
      dilations.push_back(w.dilation - 1);
      pads_begin.push_back(w.pad_begin);
      // What the last window reaches over the input; may be negative.
      pads_end.push_back((w.out - 1) * w.stride + (w.kernel - 1) * w.dilation + 1 - w.in - w.pad_begin);
    }
  }
};

Dims WeightDims(int64_t groups, int64_t outputs, int64_t inputs, const Windows& windows) {
  Dims dims = groups == 1 ? Dims{outputs, inputs} : Dims{groups, outputs / groups, inputs / groups};
  for (const Window& window : windows) dims.push_back(window.kernel);
  return dims;
}

BoundKernel MakeConv(const ConvGeometry& g, Types types) {
  Dims x = {g.n, g.in_channels};
  for (const Window& window : g.windows) x.push_back(window.in);
  const WindowDims windows(g.windows);
  const dnnl::convolution_forward::desc desc(
      dnnl::prop_kind::forward_inference, dnnl::algorithm::convolution_direct, Any(x, types.data),
      Any(WeightDims(g.groups, g.out_channels, g.in_channels, g.windows), types.weights),
      Any(WindowOutputShape(g.n, g.out_channels, g.windows), types.data), windows.strides, windows.dilations,
      windows.pads_begin, windows.pads_end);
  const dnnl::convolution_forward::primitive_desc built(desc, Engine());
  return {dnnl::convolution_forward(built), built};
}

BoundKernel MakeConvTranspose(const ConvGeometry& g, Types types) {
  Dims y = {g.n, g.in_channels};
  for (const Window& window : g.windows) y.push_back(window.in);
  const WindowDims windows(g.windows);
  const dnnl::deconvolution_forward::desc desc(
      dnnl::prop_kind::forward_inference, dnnl::algorithm::deconvolution_direct,
      Any(WindowOutputShape(g.n, g.out_channels, g.windows), types.data),
      Any(WeightDims(g.groups, g.in_channels, g.out_channels, g.windows), types.weights), Any(y, types.data),
      windows.strides, windows.dilations, windows.pads_begin, windows.pads_end);
  const dnnl::deconvolution_forward::primitive_desc built(desc, Engine());
  return {dnnl::deconvolution_forward(built), built};
}

BoundKernel MakeProduct(const KernelShape& shape, Types types) {
  const dnnl::matmul::desc desc(Any({shape.rows, shape.inputs}, types.data),
                                Any({shape.inputs, shape.outputs}, types.weights),
                                Any({shape.rows, shape.outputs}, types.data));
  const dnnl::matmul::primitive_desc built(desc, Engine());
  return {dnnl::matmul(built), built};
}

BoundKernel MakeKernel(const KernelShape& shape, Types types) {
  if (shape.kind == LayerKind::kConv) return MakeConv(shape.conv, types);
  if (shape.kind == LayerKind::kConvTranspose) return MakeConvTranspose(shape.conv, types);
  return MakeProduct(shape, types);
}

// ---- Timing ----

double SecondsOf(int64_t runs, BoundKernel& kernel) {
  const auto begin = std::chrono::steady_clock::now();
  for (int64_t i = 0; i < runs; ++i) kernel.Run();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

bool IsEnough(const std::vector<double>& times, double elapsed, const TimingOptions& options) {
  const auto count = static_cast<int>(times.size());
  if (count >= options.max_repeats) return true;
  if (count >= kLeastRepeats && elapsed > options.time_limit_s) return true;
  if (count < options.min_repeats || options.relative_error == 0) return false;
  const KernelTiming timing = SummarizeTimes(times);
  return timing.standard_error_ns <= options.relative_error * timing.median_ns;
}

// How often the system took a processor from a thread of this process that wanted to go on.
int64_t Preemptions() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_nivcsw;
}

absl::StatusOr<KernelTiming> Repeat(BoundKernel& kernel, const TimingOptions& options, const RunContext& context) {
  for (int i = 0; i < kWarmUps; ++i) {
    BITPLAN_RETURN_IF_ERROR(context.CheckStop());
    kernel.Run();
  }
  const double once = std::max(1e-9, SecondsOf(1, kernel));
  const int64_t runs = std::clamp(static_cast<int64_t>(std::ceil(kLeastRunSeconds / once)), int64_t{1}, kMostRuns);
  std::vector<double> times;
  double elapsed = 0;
  const int64_t preemptions = Preemptions();
  while (!IsEnough(times, elapsed, options)) {
    BITPLAN_RETURN_IF_ERROR(context.CheckStop());
    const double seconds = SecondsOf(runs, kernel);
    elapsed += seconds;
    times.push_back(seconds * 1e9 / static_cast<double>(runs));
  }
  KernelTiming timing = SummarizeTimes(std::move(times));
  timing.preemptions = Preemptions() - preemptions;
  return timing;
}

absl::Status StatusOf(const dnnl::error& error) {
  if (error.status == dnnl_out_of_memory) return ResourceExhausted("oneDNN: {}", error.what());
  return Unimplemented("oneDNN: {}", error.what());
}

// Linear between neighbours, of sorted times.
double QuantileOf(const std::vector<double>& sorted, double share) {
  const double at = share * static_cast<double>(sorted.size() - 1);
  const auto low = static_cast<size_t>(at);
  const size_t high = std::min(low + 1, sorted.size() - 1);
  return sorted[low] + (at - static_cast<double>(low)) * (sorted[high] - sorted[low]);
}

}  // namespace

std::string Describe(const KernelShape& shape) {
  if (shape.kind == LayerKind::kGemm) {
    return fmt::format("product {}x{} by {}x{}", shape.rows, shape.inputs, shape.inputs, shape.outputs);
  }
  const ConvGeometry& g = shape.conv;
  const bool transposed = shape.kind == LayerKind::kConvTranspose;
  return fmt::format(
      "{} {}x{}x{} to {}x{}, kernel {}, stride {}, dilation {}, pads {} {}, groups {}", ToString(shape.kind), g.n,
      transposed ? g.out_channels : g.in_channels, Each(g.windows, transposed ? &Window::out : &Window::in),
      transposed ? g.in_channels : g.out_channels, Each(g.windows, transposed ? &Window::in : &Window::out),
      Each(g.windows, &Window::kernel), Each(g.windows, &Window::stride), Each(g.windows, &Window::dilation),
      Each(g.windows, &Window::pad_begin), Each(g.windows, &Window::pad_end), g.groups);
}

absl::StatusOr<std::vector<LayerKernels>> FindKernels(const Graph& graph, int64_t batch) {
  BITPLAN_ASSIGN_OR_RETURN(const std::vector<Shape> shapes, InferShapes(graph, batch));
  std::vector<LayerKernels> layers(graph.layers.layers.size());
  graph::ForEachProduct(graph, [&](const graph::LayerProduct& product) {
    LayerKernels& layer = layers[product.layer];
    absl::StatusOr<KernelShape> shape =
        product.data() == kNoValue ? Unimplemented("it has no data") : ShapeOf(graph, product, shapes, batch);
    if (shape.ok()) {
      layer.kernels.push_back(*std::move(shape));
    } else {
      layer.unsupported = MessageOf(shape.status());
    }
  });
  for (size_t l = 0; l < layers.size(); ++l) {
    if (!layers[l].unsupported.empty()) layers[l].kernels.clear();
    if (!layers[l].kernels.empty() || !layers[l].unsupported.empty()) continue;
    layers[l].unsupported = fmt::format("a layer of kind {} is no convolution and no product of matrices",
                                        ToString(graph.layers.layers[l].kind));
  }
  return layers;
}

absl::Status Validate(const TimingOptions& options) {
  if (options.min_repeats < 1) return InvalidArgument("min_repeats: got {}, want at least 1", options.min_repeats);
  if (options.max_repeats < options.min_repeats) {
    return InvalidArgument("max_repeats: got {}, want at least min_repeats {}", options.max_repeats,
                           options.min_repeats);
  }
  if (!(options.relative_error >= 0 && options.relative_error < 1)) {
    return InvalidArgument("relative_error: got {}, want 0..1", options.relative_error);
  }
  if (!(options.time_limit_s > 0)) return InvalidArgument("time_limit_s: got {}, want > 0", options.time_limit_s);
  return absl::OkStatus();
}

KernelTiming SummarizeTimes(std::vector<double> times_ns) {
  std::ranges::sort(times_ns);
  const auto count = static_cast<double>(times_ns.size());
  const double half = std::sqrt(count) / 2;
  const auto low = static_cast<size_t>(std::max(0.0, std::floor(count / 2 - half)));
  const auto high = static_cast<size_t>(std::min(count - 1, std::ceil(count / 2 + half)));
  return {.median_ns = QuantileOf(times_ns, 0.5),
          .standard_error_ns = (times_ns[high] - times_ns[low]) / 2,
          .interquartile_ns = QuantileOf(times_ns, 0.75) - QuantileOf(times_ns, 0.25),
          .repeats = static_cast<int>(times_ns.size())};
}

absl::StatusOr<KernelTiming> TimeKernel(const KernelShape& shape, KernelType type, const TimingOptions& options,
                                        const RunContext& context) {
  BITPLAN_RETURN_IF_ERROR(Validate(options));
  const ScopedThreads threads(context.num_threads);
  try {
    BoundKernel kernel = MakeKernel(shape, TypesOf(type));
    KernelTiming timing{.implementation = kernel.implementation()};
    timing.is_reference = timing.implementation.find("ref") != std::string::npos;
    if (timing.is_reference) return timing;
    BITPLAN_ASSIGN_OR_RETURN(const KernelTiming measured, Repeat(kernel, options, context));
    timing.median_ns = measured.median_ns;
    timing.standard_error_ns = measured.standard_error_ns;
    timing.interquartile_ns = measured.interquartile_ns;
    timing.repeats = measured.repeats;
    timing.preemptions = measured.preemptions;
    return timing;
  } catch (const dnnl::error& error) {
    return StatusOf(error);
  }
}

std::string KernelLibrary() {
  const auto isa_name = [](dnnl::cpu_isa isa) -> std::string_view {
    switch (isa) {
      case dnnl::cpu_isa::sse41:
        return "sse41";
      case dnnl::cpu_isa::avx:
        return "avx";
      case dnnl::cpu_isa::avx2:
        return "avx2";
      case dnnl::cpu_isa::avx2_vnni:
        return "avx2_vnni";
      case dnnl::cpu_isa::avx512_core:
        return "avx512_core";
      case dnnl::cpu_isa::avx512_core_vnni:
        return "avx512_core_vnni";
      case dnnl::cpu_isa::avx512_core_bf16:
        return "avx512_core_bf16";
      case dnnl::cpu_isa::avx512_core_amx:
        return "avx512_core_amx";
      default:  // others are not told apart by name
        return "other instructions";
    }
  };
  const dnnl_version_t* version = dnnl_version();
  return fmt::format("oneDNN {}.{}.{}, {}", version->major, version->minor, version->patch,
                     isa_name(dnnl::get_effective_cpu_isa()));
}

}  // namespace bitplan::ops
