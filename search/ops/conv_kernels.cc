#include "search/ops/conv_kernels.h"

#include <algorithm>
#include <cstddef>
#include <dnnl.hpp>
#include <mutex>
#include <unordered_map>
#include <utility>
#include <vector>

#include "search/base/status.h"
#include "search/ops/dnnl_support.h"
#include "search/tensor/tensor.h"

namespace bitplan::ops {
namespace {

using Desc = dnnl::memory::desc;
using Dims = dnnl::memory::dims;
using Args = std::unordered_map<int, dnnl::memory>;

const dnnl::engine& Engine() {
  static const auto* const engine = new dnnl::engine(dnnl::engine::kind::cpu, 0);
  return *engine;
}

dnnl::stream& Stream() {
  thread_local dnnl::stream stream(Engine());
  return stream;
}

// Memory of the calling thread that a kernel needs while it runs, by purpose. Grows to the largest kernel.
enum Purpose { kFirstInput, kSecondInput, kResult, kScratchpad, kBothInputs, kBothOutputs, kNumPurposes };
float* Buffer(Purpose purpose, size_t bytes) {
  thread_local FloatVector buffers[kNumPurposes];
  FloatVector& buffer = buffers[purpose];
  const size_t count = (bytes + sizeof(float) - 1) / sizeof(float);
  if (buffer.size() < count) buffer = FloatVector(count);
  return buffer.data();
}

// Strides of a dense row-major tensor: oneDNN's plain layout for any number of dimensions.
Desc PlainDesc(const Dims& dims) {
  Dims strides(dims.size(), 1);
  for (size_t d = dims.size() - 1; d-- > 0;) strides[d] = strides[d + 1] * dims[d + 1];
  return Desc(dims, dnnl::memory::data_type::f32, strides);
}

Desc AnyDesc(const Dims& dims) { return Desc(dims, dnnl::memory::data_type::f32, dnnl::memory::format_tag::any); }

dnnl::primitive_attr UserScratchpad() {
  dnnl::primitive_attr attr;
  attr.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  return attr;
}

// A built kernel and the scratch memory it asks for.
struct Kernel {
  dnnl::primitive primitive;
  Desc scratchpad;

  Kernel() = default;
  template <typename PrimitiveDesc>
  Kernel(dnnl::primitive built, const PrimitiveDesc& desc)
      : primitive(std::move(built)), scratchpad(desc.scratchpad_desc()) {}

  void Run(Args args) const {
    float* scratch = Buffer(kScratchpad, scratchpad.get_size());
    args.insert({DNNL_ARG_SCRATCHPAD, dnnl::memory(scratchpad, Engine(), scratch)});
    primitive.execute(Stream(), args);
  }
};

Kernel MakeReorder(const Desc& from, const Desc& to, bool add) {
  dnnl::primitive_attr attr = UserScratchpad();
  if (add) {
    dnnl::post_ops sum;
    sum.append_sum(1.0F);
    attr.set_post_ops(sum);
  }
  const dnnl::reorder::primitive_desc desc(Engine(), from, Engine(), to, attr);
  return Kernel(dnnl::reorder(desc), desc);
}

// A tensor between our plain layout and the one a kernel wants.
class Port {
 public:
  Port() = default;
  Port(const Dims& dims, const Desc& inner)
      : plain_(PlainDesc(dims)),
        inner_(inner),
        same_(plain_ == inner),
        in_(MakeReorder(plain_, inner, false)),
        out_(MakeReorder(inner, plain_, false)),
        add_out_(MakeReorder(inner, plain_, true)) {}

  // The tensor as the kernel wants it: `data` itself, or a copy in the thread's buffer.
  dnnl::memory Read(std::span<const float> data, Purpose purpose) const {
    dnnl::memory plain(plain_, Engine(), const_cast<float*>(data.data()));  // oneDNN takes no const pointers
    if (same_) return plain;
    dnnl::memory inner(inner_, Engine(), Buffer(purpose, inner_.get_size()));
    in_.Run({{DNNL_ARG_FROM, plain}, {DNNL_ARG_TO, inner}});
    return inner;
  }

  bool same() const { return same_; }
  const Desc& inner() const { return inner_; }
  // As Read, always a copy, to `to`.
  dnnl::memory ReadTo(std::span<const float> data, std::byte* to) const {
    dnnl::memory inner(inner_, Engine(), to);
    in_.Run({{DNNL_ARG_FROM, dnnl::memory(plain_, Engine(), const_cast<float*>(data.data()))}, {DNNL_ARG_TO, inner}});
    return inner;
  }
  // As Read, into a buffer of the caller's.
  dnnl::memory Keep(std::span<const float> data, FloatVector& buffer) const {
    buffer.resize((inner_.get_size() + sizeof(float) - 1) / sizeof(float));
    const dnnl::memory plain(plain_, Engine(), const_cast<float*>(data.data()));
    dnnl::memory inner(inner_, Engine(), buffer.data());
    in_.Run({{DNNL_ARG_FROM, plain}, {DNNL_ARG_TO, inner}});
    return inner;
  }

  // Where the kernel may write; Finish brings it to `data`.
  dnnl::memory Begin(std::span<float> data, bool accumulate) const {
    if (same_ && !accumulate) return dnnl::memory(plain_, Engine(), data.data());
    return dnnl::memory(inner_, Engine(), Buffer(kResult, inner_.get_size()));
  }
  void Finish(const dnnl::memory& inner, std::span<float> data, bool accumulate) const {
    if (same_ && !accumulate) return;
    const dnnl::memory plain(plain_, Engine(), data.data());
    (accumulate ? add_out_ : out_).Run({{DNNL_ARG_FROM, inner}, {DNNL_ARG_TO, plain}});
  }

 private:
  Desc plain_;
  Desc inner_;
  bool same_ = true;
  Kernel in_;
  Kernel out_;
  Kernel add_out_;
};

// The port of weights, of which one tensor is pinned.
class WeightPort {
 public:
  WeightPort() = default;
  WeightPort(const Dims& dims, const Desc& inner) : port_(dims, inner), kept_(std::make_unique<Kept>()) {}

  void Pin(std::span<const float> w) { pinned_ = w.data(); }
  dnnl::memory Read(std::span<const float> w, Purpose purpose) const {
    if (w.data() != pinned_ || port_.same()) return port_.Read(w, purpose);
    std::call_once(kept_->once, [&] { kept_->memory = port_.Keep(w, kept_->buffer); });
    return kept_->memory;
  }

 private:
  struct Kept {
    std::once_flag once;
    FloatVector buffer;
    dnnl::memory memory;
  };

  Port port_;
  const float* pinned_ = nullptr;
  std::unique_ptr<Kept> kept_;
};

// Sizes as oneDNN takes them.
struct ConvDims {
  explicit ConvDims(const ConvGeometry& g)
      : x{g.n, g.in_channels}, w{g.out_channels / g.groups, g.in_channels / g.groups}, y{g.n, g.out_channels} {
    if (g.groups > 1) w.insert(w.begin(), g.groups);
    for (const Window& window : g.windows) {
      x.push_back(window.in);
      w.push_back(window.kernel);
      y.push_back(window.out);
      strides.push_back(window.stride);
      dilations.push_back(window.dilation - 1);
      pad_begin.push_back(window.pad_begin);
      // What the last window needs, which may be less than the padding given: oneDNN checks that sizes match exactly.
      const int64_t reach = window.Start(window.out - 1) + (window.kernel - 1) * window.dilation + 1;
      pad_end.push_back(reach - window.in);
    }
  }

  Dims x;
  Dims w;
  Dims y;
  Dims strides;
  Dims dilations;
  Dims pad_begin;
  Dims pad_end;
};

class DnnlConvKernels final : public ConvKernels {
 public:
  explicit DnnlConvKernels(const ConvGeometry& g) : no_bias_(g.out_channels, 0.0F) {
    const ConvDims d(g);
    const Dims bias_dims = {g.out_channels};
    bias_ = PlainDesc(bias_dims);
    const auto kDirect = dnnl::algorithm::convolution_direct;

    const dnnl::convolution_forward::desc forward(dnnl::prop_kind::forward_training, kDirect, AnyDesc(d.x),
                                                  AnyDesc(d.w), bias_, AnyDesc(d.y), d.strides, d.dilations,
                                                  d.pad_begin, d.pad_end);
    const dnnl::convolution_forward::primitive_desc forward_desc(forward, UserScratchpad(), Engine());
    forward_ = Kernel(dnnl::convolution_forward(forward_desc), forward_desc);
    forward_x_ = Port(d.x, forward_desc.src_desc());
    forward_w_ = WeightPort(d.w, forward_desc.weights_desc());
    forward_y_ = Port(d.y, forward_desc.dst_desc());

    const dnnl::convolution_backward_data::desc data(kDirect, AnyDesc(d.x), AnyDesc(d.w), AnyDesc(d.y), d.strides,
                                                     d.dilations, d.pad_begin, d.pad_end);
    const dnnl::convolution_backward_data::primitive_desc data_desc(data, UserScratchpad(), Engine(), forward_desc);
    data_ = Kernel(dnnl::convolution_backward_data(data_desc), data_desc);
    data_x_ = Port(d.x, data_desc.diff_src_desc());
    data_w_ = WeightPort(d.w, data_desc.weights_desc());
    data_y_ = Port(d.y, data_desc.diff_dst_desc());

    const dnnl::convolution_backward_weights::desc weight(kDirect, AnyDesc(d.x), AnyDesc(d.w), AnyDesc(d.y), d.strides,
                                                          d.dilations, d.pad_begin, d.pad_end);
    const dnnl::convolution_backward_weights::primitive_desc weight_desc(weight, UserScratchpad(), Engine(),
                                                                         forward_desc);
    weight_ = Kernel(dnnl::convolution_backward_weights(weight_desc), weight_desc);
    weight_x_ = Port(d.x, weight_desc.src_desc());
    weight_w_ = Port(d.w, weight_desc.diff_weights_desc());
    weight_y_ = Port(d.y, weight_desc.diff_dst_desc());
    // Without them products take two steps.
    try {
      MakeTangentKernels(d, data_desc, forward_desc);
    } catch (const dnnl::error& error) {
      if (error.status == dnnl_out_of_memory) throw;
    }
  }

  void PinWeights(std::span<const float> w) override {
    forward_w_.Pin(w);
    data_w_.Pin(w);
  }

  void Forward(std::span<const float> x, std::span<const float> w, std::span<const float> bias, std::span<float> y,
               bool accumulate) const override {
    const ScopedSingleThread single_thread;
    const std::span<const float> addend = bias.empty() ? std::span<const float>(no_bias_) : bias;
    const dnnl::memory result = forward_y_.Begin(y, accumulate);
    forward_.Run({{DNNL_ARG_SRC, forward_x_.Read(x, kFirstInput)},
                  {DNNL_ARG_WEIGHTS, forward_w_.Read(w, kSecondInput)},
                  {DNNL_ARG_BIAS, dnnl::memory(bias_, Engine(), const_cast<float*>(addend.data()))},
                  {DNNL_ARG_DST, result}});
    forward_y_.Finish(result, y, accumulate);
  }

  void DataGradient(std::span<const float> y, std::span<const float> w, std::span<float> x,
                    bool accumulate) const override {
    const ScopedSingleThread single_thread;
    const dnnl::memory result = data_x_.Begin(x, accumulate);
    data_.Run({{DNNL_ARG_DIFF_DST, data_y_.Read(y, kFirstInput)},
               {DNNL_ARG_WEIGHTS, data_w_.Read(w, kSecondInput)},
               {DNNL_ARG_DIFF_SRC, result}});
    data_x_.Finish(result, x, accumulate);
  }

  bool ForwardTangent(std::span<const float> x, std::span<const float> w, std::span<const float> x_dot,
                      std::span<const float> w_dot, std::span<float> y) const override {
    if (!adds_) return false;
    const ScopedSingleThread single_thread;
    const dnnl::memory result = forward_y_.Begin(y, /*accumulate=*/false);
    const dnnl::memory no_bias(bias_, Engine(), const_cast<float*>(no_bias_.data()));
    forward_.Run({{DNNL_ARG_SRC, forward_x_.Read(x_dot, kFirstInput)},
                  {DNNL_ARG_WEIGHTS, forward_w_.Read(w, kSecondInput)},
                  {DNNL_ARG_BIAS, no_bias},
                  {DNNL_ARG_DST, result}});
    forward_add_.Run({{DNNL_ARG_SRC, forward_x_.Read(x, kFirstInput)},
                      {DNNL_ARG_WEIGHTS, forward_w_.Read(w_dot, kSecondInput)},
                      {DNNL_ARG_BIAS, no_bias},
                      {DNNL_ARG_DST, result}});
    forward_y_.Finish(result, y, /*accumulate=*/false);
    return true;
  }

  bool GradientTangents(std::span<const float> x, std::span<const float> w, std::span<const float> y,
                        std::span<const float> x_dot, std::span<const float> w_dot, std::span<const float> y_dot,
                        std::span<float> x_out, std::span<float> w_out) const override {
    if (!layouts_agree_) return false;
    const ScopedSingleThread single_thread;
    const size_t x_bytes = weight_x_.inner().get_size();
    const size_t y_bytes = weight_y_.inner().get_size();
    auto* const both_x = reinterpret_cast<std::byte*>(Buffer(kBothInputs, 2 * x_bytes));
    auto* const both_y = reinterpret_cast<std::byte*>(Buffer(kBothOutputs, 2 * y_bytes));
    weight_x_.ReadTo(x, both_x);
    weight_x_.ReadTo(x_dot, both_x + x_bytes);
    const dnnl::memory inner_y_dot = weight_y_.ReadTo(y_dot, both_y);
    const dnnl::memory inner_y = weight_y_.ReadTo(y, both_y + y_bytes);
    const dnnl::memory w_result = weight_w_.Begin(w_out, /*accumulate=*/false);
    weight_both_.Run({{DNNL_ARG_SRC, dnnl::memory(both_x_, Engine(), both_x)},
                      {DNNL_ARG_DIFF_DST, dnnl::memory(both_y_, Engine(), both_y)},
                      {DNNL_ARG_DIFF_WEIGHTS, w_result}});
    weight_w_.Finish(w_result, w_out, /*accumulate=*/false);
    for (const bool add : {false, true}) {
      const dnnl::memory x_result = data_x_.Begin(x_out, add);
      data_.Run({{DNNL_ARG_DIFF_DST, add ? inner_y : inner_y_dot},
                 {DNNL_ARG_WEIGHTS, data_w_.Read(add ? w_dot : w, kSecondInput)},
                 {DNNL_ARG_DIFF_SRC, x_result}});
      data_x_.Finish(x_result, x_out, add);
    }
    return true;
  }

  void WeightGradient(std::span<const float> x, std::span<const float> y, std::span<float> w,
                      bool accumulate) const override {
    const ScopedSingleThread single_thread;
    const dnnl::memory result = weight_w_.Begin(w, accumulate);
    weight_.Run({{DNNL_ARG_SRC, weight_x_.Read(x, kFirstInput)},
                 {DNNL_ARG_DIFF_DST, weight_y_.Read(y, kSecondInput)},
                 {DNNL_ARG_DIFF_WEIGHTS, result}});
    weight_w_.Finish(result, w, accumulate);
  }

 private:
  // After the other kernels and ports.
  void MakeTangentKernels(const ConvDims& d, const dnnl::convolution_backward_data::primitive_desc& data_desc,
                          const dnnl::convolution_forward::primitive_desc& forward_desc) {
    dnnl::primitive_attr add = UserScratchpad();
    dnnl::post_ops sum;
    sum.append_sum(1.0F);
    add.set_post_ops(sum);
    const dnnl::convolution_forward::desc fixed(
        dnnl::prop_kind::forward_training, dnnl::algorithm::convolution_direct, forward_desc.src_desc(),
        forward_desc.weights_desc(), bias_, forward_desc.dst_desc(), d.strides, d.dilations, d.pad_begin, d.pad_end);
    const dnnl::convolution_forward::primitive_desc add_desc(fixed, add, Engine());
    forward_add_ = Kernel(dnnl::convolution_forward(add_desc), add_desc);
    adds_ = true;

    Dims x = d.x;
    Dims y = d.y;
    x[0] *= 2;
    y[0] *= 2;
    const auto kDirect = dnnl::algorithm::convolution_direct;
    const dnnl::convolution_forward::primitive_desc hint(
        dnnl::convolution_forward::desc(dnnl::prop_kind::forward_training, kDirect, AnyDesc(x), AnyDesc(d.w),
                                        AnyDesc(y), d.strides, d.dilations, d.pad_begin, d.pad_end),
        UserScratchpad(), Engine());
    const dnnl::convolution_backward_weights::primitive_desc both(
        dnnl::convolution_backward_weights::desc(kDirect, AnyDesc(x), AnyDesc(d.w), AnyDesc(y), d.strides, d.dilations,
                                                 d.pad_begin, d.pad_end),
        UserScratchpad(), Engine(), hint);
    weight_both_ = Kernel(dnnl::convolution_backward_weights(both), both);
    both_x_ = both.src_desc();
    both_y_ = both.diff_dst_desc();
    const Dims origin(d.x.size(), 0);
    layouts_agree_ = both_x_.submemory_desc(d.x, origin) == weight_x_.inner() &&
                     both_y_.submemory_desc(d.y, origin) == weight_y_.inner() &&
                     both.diff_weights_desc() == weight_w_.inner() && data_desc.diff_dst_desc() == weight_y_.inner() &&
                     both_x_.get_size() == 2 * weight_x_.inner().get_size() &&
                     both_y_.get_size() == 2 * weight_y_.inner().get_size();
  }

  std::vector<float> no_bias_;
  Desc bias_;
  Kernel forward_;
  Kernel forward_add_;  // adds to its result, if adds_
  bool adds_ = false;
  Port forward_x_;
  WeightPort forward_w_;
  Port forward_y_;
  Kernel data_;
  Port data_x_;
  WeightPort data_w_;
  Port data_y_;
  Kernel weight_;
  Port weight_x_;
  Port weight_w_;
  Port weight_y_;
  Kernel weight_both_;  // over twice the samples
  Desc both_x_;
  Desc both_y_;
  bool layouts_agree_ = false;
};

}  // namespace

absl::StatusOr<std::unique_ptr<ConvKernels>> ConvKernels::Create(const ConvGeometry& geometry) {
  const ScopedSingleThread single_thread;
  try {
    return std::make_unique<DnnlConvKernels>(geometry);
  } catch (const dnnl::error& error) {
    if (error.status == dnnl_out_of_memory) return ResourceExhausted("oneDNN: out of memory");
    return Unimplemented("oneDNN has no kernel for this convolution: {}", error.what());
  }
}

}  // namespace bitplan::ops
