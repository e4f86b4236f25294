// LayerNormalization, InstanceNormalization, GroupNormalization, RMSNormalization: one operator in four layouts.

#include <algorithm>
#include <cmath>
#include <utility>

#include "search/base/status.h"
#include "search/ops/broadcast.h"
#include "search/ops/lane_sums.h"
#include "search/ops/make_operators.h"

namespace bitplan::ops {
namespace {

// Groups of neighbouring elements are normalised each by its own mean and variance.
struct NormalizationLayout {
  int64_t num_groups = 1;
  int64_t group_size = 1;
  bool centered = true;  // false: the mean counts as zero
  float epsilon = 0;
  // Scale and shift repeat every NumElements(period) elements, a multiple of the group size; their shapes broadcast to
  // `period`.
  Shape period;
  Shape scale;
  Shape shift;
};

// y = z scale + shift with z = (x - mean) r, r = 1 / sqrt(variance + epsilon).
//
// With means over the group, c = centering (or the identity) and a = mean(z x_dot):
//   z_dot = r (c(x_dot) - z a)                r_dot / r = -r a
//   x_bar = r (c(h) - z mean(z h))            h = y_bar scale
// Means are double; z is not kept but computed again in each pass.
class NormalizationOperator final : public Operator {
 public:
  NormalizationOperator(const Shape& shape, NormalizationLayout layout)
      : Operator(shape),
        layout_(std::move(layout)),
        size_(layout_.group_size),
        period_(NumElements(layout_.period)),
        scale_plan_(layout_.period, layout_.period, layout_.scale),
        shift_plan_(layout_.period, layout_.period, layout_.shift) {}

  void Forward(Reads x, Writes y) const override {
    const FloatVector scale = Repeated(scale_plan_, x[1]);
    const FloatVector shift = x.size() > 2 ? Repeated(shift_plan_, x[2]) : FloatVector();
    for (int64_t first = 0; first < num_elements(); first += size_) {
      float* z = &y[0][first];
      Normalize(&x[0][first], z);
      const int64_t phase = first % period_;
      for (int64_t i = 0; i < size_; ++i) z[i] *= scale[phase + i];
      AddTo(z, shift, phase);
    }
  }

  void Jvp(const Primal& primal, Reads x_dot, Writes y_dot) const override {
    const FloatVector scale = Repeated(scale_plan_, primal.x[1]);
    const FloatVector scale_dot = Repeated(scale_plan_, x_dot[1]);
    const FloatVector shift_dot = x_dot.size() > 2 ? Repeated(shift_plan_, x_dot[2]) : FloatVector();
    FloatVector z(size_);
    for (int64_t first = 0; first < num_elements(); first += size_) {
      const int64_t phase = first % period_;
      const float r = Normalize(&primal.x[0][first], z.data());
      float* out = &y_dot[0][first];
      TangentOfZ({z.data(), r, At(x_dot[0], first)}, out);
      for (int64_t i = 0; i < size_; ++i) out[i] *= scale[phase + i];
      if (!scale_dot.empty()) {
        for (int64_t i = 0; i < size_; ++i) out[i] += scale_dot[phase + i] * z[i];
      }
      AddTo(out, shift_dot, phase);
    }
  }

  void Vjp(const Primal& primal, Reads y_bar, Writes x_bar) const override {
    const FloatVector scale = Repeated(scale_plan_, primal.x[1]);
    ParameterSums sums(*this, x_bar);
    FloatVector z(size_);
    FloatVector h(size_);
    for (int64_t first = 0; first < num_elements(); first += size_) {
      const int64_t phase = first % period_;
      const float* g = &y_bar[0][first];
      const float r = Normalize(&primal.x[0][first], z.data());
      sums.AddShift(phase, g);
      sums.AddScale(phase, g, z.data());
      if (x_bar[0].empty()) continue;
      for (int64_t i = 0; i < size_; ++i) h[i] = g[i] * scale[phase + i];
      float* out = &x_bar[0][first];
      const float m = layout_.centered ? Mean(h.data()) : 0;
      const float s = Mean(z.data(), h.data());
      for (int64_t i = 0; i < size_; ++i) out[i] = r * (h[i] - m - z[i] * s);
    }
    sums.Write(x_bar);
  }

  void VjpTangent(const Primal& primal, Reads x_dot, Reads y_bar, Reads y_bar_dot, Writes x_bar_dot) const override {
    const FloatVector scale = Repeated(scale_plan_, primal.x[1]);
    const FloatVector scale_dot = Repeated(scale_plan_, x_dot[1]);
    ParameterSums sums(*this, x_bar_dot);
    FloatVector z(size_);
    FloatVector z_dot(size_);
    FloatVector h(size_);
    FloatVector h_dot(size_);
    for (int64_t first = 0; first < num_elements(); first += size_) {
      const int64_t phase = first % period_;
      const float* g = &y_bar[0][first];
      const float* dg = &y_bar_dot[0][first];
      const Group group{z.data(), Normalize(&primal.x[0][first], z.data()), At(x_dot[0], first)};
      const float a = TangentOfZ(group, z_dot.data());
      sums.AddShift(phase, dg);
      sums.AddScale(phase, dg, z.data());
      sums.AddScale(phase, g, z_dot.data());
      if (x_bar_dot[0].empty()) continue;
      for (int64_t i = 0; i < size_; ++i) h[i] = g[i] * scale[phase + i];
      for (int64_t i = 0; i < size_; ++i) h_dot[i] = dg[i] * scale[phase + i];
      if (!scale_dot.empty()) {
        for (int64_t i = 0; i < size_; ++i) h_dot[i] += g[i] * scale_dot[phase + i];
      }
      TangentOfGradient(group, {z_dot.data(), h.data(), h_dot.data(), a}, &x_bar_dot[0][first]);
    }
    sums.Write(x_bar_dot);
  }

 private:
  struct Group {
    const float* z;
    float r;
    const float* x_dot;  // null: zero
  };
  struct GroupTangents {
    const float* z_dot;
    const float* h;
    const float* h_dot;
    float a;
  };

  // Gradients of scale and shift, element by element of a period.
  class ParameterSums {
   public:
    ParameterSums(const NormalizationOperator& op, Writes x_bar)
        : op_(op),
          scale_(x_bar[1].empty() ? 0 : op.period_, 0.0),
          shift_(x_bar.size() < 3 || x_bar[2].empty() ? 0 : op.period_, 0.0) {}

    void AddScale(int64_t phase, const float* g, const float* z) {
      if (scale_.empty()) return;
      for (int64_t i = 0; i < op_.size_; ++i) scale_[phase + i] += static_cast<double>(g[i]) * z[i];
    }
    void AddShift(int64_t phase, const float* g) {
      if (shift_.empty()) return;
      for (int64_t i = 0; i < op_.size_; ++i) shift_[phase + i] += g[i];
    }
    void Write(Writes x_bar) const {
      const auto sum = [&](const BroadcastPlan& plan, const std::vector<double>& terms, std::span<float> out) {
        SumToB(plan, op_.period_, out, [&](int64_t o, int64_t, int64_t) { return terms[o]; });
      };
      if (!scale_.empty()) sum(op_.scale_plan_, scale_, x_bar[1]);
      if (!shift_.empty()) sum(op_.shift_plan_, shift_, x_bar[2]);
    }

   private:
    const NormalizationOperator& op_;
    std::vector<double> scale_;
    std::vector<double> shift_;
  };

  int64_t num_elements() const { return layout_.num_groups * size_; }

  static const float* At(std::span<const float> tensor, int64_t first) {
    return tensor.empty() ? nullptr : &tensor[first];
  }

  float Mean(const float* a) const {
    return static_cast<float>(LaneSum(size_, [=](int64_t i) { return a[i]; }) / static_cast<double>(size_));
  }
  float Mean(const float* a, const float* b) const {
    const double sum = LaneSum(size_, [=](int64_t i) { return static_cast<double>(a[i]) * b[i]; });
    return static_cast<float>(sum / static_cast<double>(size_));
  }

  // z of one group; returns r.
  float Normalize(const float* x, float* z) const {
    const double mean = layout_.centered ? LaneSum(size_, [=](int64_t i) { return x[i]; }) / size_ : 0;
    const double squares = LaneSum(size_, [=](int64_t i) { return (x[i] - mean) * (x[i] - mean); });
    const double r = 1 / std::sqrt(squares / static_cast<double>(size_) + layout_.epsilon);
    for (int64_t i = 0; i < size_; ++i) z[i] = static_cast<float>((x[i] - mean) * r);
    return static_cast<float>(r);
  }

  // z_dot of one group; returns a.
  float TangentOfZ(const Group& group, float* z_dot) const {
    std::fill_n(z_dot, size_, 0.0F);
    if (group.x_dot == nullptr) return 0;
    const float m = layout_.centered ? Mean(group.x_dot) : 0;
    const float a = Mean(group.z, group.x_dot);
    for (int64_t i = 0; i < size_; ++i) z_dot[i] = group.r * (group.x_dot[i] - m - group.z[i] * a);
    return a;
  }

  // The derivative of r (c(h) - z s), s = mean(z h).
  void TangentOfGradient(const Group& group, const GroupTangents& t, float* out) const {
    const float s = Mean(group.z, t.h);
    const float s_dot = Mean(t.z_dot, t.h) + Mean(group.z, t.h_dot);
    const float m = layout_.centered ? Mean(t.h) : 0;
    const float m_dot = layout_.centered ? Mean(t.h_dot) : 0;
    const float shrink = group.r * t.a;
    for (int64_t i = 0; i < size_; ++i) {
      const float direct = t.h_dot[i] - m_dot - t.z_dot[i] * s - group.z[i] * s_dot;
      out[i] = group.r * (direct - shrink * (t.h[i] - m - group.z[i] * s));
    }
  }

  // Scale or shift, or a tangent of them, for every element of a period; empty stays empty.
  FloatVector Repeated(const BroadcastPlan& plan, std::span<const float> parameter) const {
    FloatVector all(parameter.empty() ? 0 : period_);
    if (all.empty()) return all;
    MapBroadcast(plan, all, [in = parameter.data()](int64_t, int64_t, int64_t j) { return in[j]; });
    return all;
  }

  void AddTo(float* out, const FloatVector& terms, int64_t phase) const {
    if (terms.empty()) return;
    for (int64_t i = 0; i < size_; ++i) out[i] += terms[phase + i];
  }

  NormalizationLayout layout_;
  int64_t size_;
  int64_t period_;
  BroadcastPlan scale_plan_;
  BroadcastPlan shift_plan_;
};

absl::StatusOr<float> Epsilon(const OpRequest& request) {
  BITPLAN_ASSIGN_OR_RETURN(const float epsilon, FloatAttribute(request.node, "epsilon", 1e-5F));
  if (!(epsilon >= 0)) return InvalidArgument("epsilon: got {}, want 0 or more", epsilon);
  return epsilon;
}

absl::Status OnlyOneOutput(const OpRequest& request) {
  const std::vector<ValueId>& outputs = request.node.outputs;
  for (size_t i = 1; i < outputs.size(); ++i) {
    if (outputs[i] != kNoValue) return Unimplemented("outputs[{}]: statistics are not computed", i);
  }
  return absl::OkStatus();
}

// The first dimension of x, counted to the end of x, in which the parameter has more than one entry.
int64_t FirstUsedDimension(const Shape& parameter, int64_t rank) {
  const auto used = std::ranges::find_if(parameter, [](int64_t size) { return size != 1; });
  return rank - (parameter.end() - used);
}

absl::Status CheckBroadcasts(const Shape& parameter, const Shape& x, std::string_view what) {
  const absl::StatusOr<Shape> out = BroadcastShape(x, parameter);
  if (out.ok() && *out == x) return absl::OkStatus();
  return InvalidArgument("{}: shape {} does not broadcast to {}", what, ToString(parameter), ToString(x));
}

// Normalised over the dimensions from `axis` on; scale and shift broadcast to x.
MadeOperator MakeOverLastDimensions(const OpRequest& request, bool centered) {
  BITPLAN_RETURN_IF_ERROR(CheckArity(request, 2, centered ? 3 : 2));
  BITPLAN_RETURN_IF_ERROR(OnlyOneOutput(request));
  const Shape& x = request.shape(0);
  BITPLAN_ASSIGN_OR_RETURN(int64_t axis, IntAttribute(request.node, "axis", -1));
  BITPLAN_ASSIGN_OR_RETURN(axis, NormalizedAxis(axis, request.rank(0), "axis"));
  const Shape shift = request.has_input(2) ? request.shape(2) : Shape();
  BITPLAN_RETURN_IF_ERROR(CheckBroadcasts(request.shape(1), x, "scale"));
  BITPLAN_RETURN_IF_ERROR(CheckBroadcasts(shift, x, "bias"));
  const int64_t first = std::min(
      {axis, FirstUsedDimension(request.shape(1), request.rank(0)), FirstUsedDimension(shift, request.rank(0))});
  const auto last_dimensions = [](const Shape& shape, int64_t rank) {
    const int64_t dropped = std::max<int64_t>(static_cast<int64_t>(shape.size()) - rank, 0);
    return Shape(shape.begin() + dropped, shape.end());
  };
  const int64_t period_rank = request.rank(0) - first;
  NormalizationLayout layout{.num_groups = NumElements(Shape(x.begin(), x.begin() + axis)),
                             .group_size = NumElements(Shape(x.begin() + axis, x.end())),
                             .centered = centered,
                             .period = Shape(x.begin() + first, x.end()),
                             .scale = last_dimensions(request.shape(1), period_rank),
                             .shift = last_dimensions(shift, period_rank)};
  BITPLAN_ASSIGN_OR_RETURN(layout.epsilon, Epsilon(request));
  return std::make_unique<NormalizationOperator>(x, std::move(layout));
}

// x is [N, C, ..]; the C channels make `groups` groups; scale and shift have an entry for each of `parameters` equal
// parts of the channels.
MadeOperator MakeOverChannels(const OpRequest& request, int64_t groups, int64_t parameters) {
  const Shape& x = request.shape(0);
  const Shape wanted = {parameters};
  for (const size_t i : {1, 2}) {
    if (request.shape(i) == wanted) continue;
    return InvalidArgument("inputs[{}]: shape {}, want {}", i, ToString(request.shape(i)), ToString(wanted));
  }
  const int64_t sample = NumElements(x) / x[0];
  NormalizationLayout layout{.num_groups = x[0] * groups,
                             .group_size = sample / groups,
                             .period = {parameters, sample / parameters},
                             .scale = {parameters, 1},
                             .shift = {parameters, 1}};
  BITPLAN_ASSIGN_OR_RETURN(layout.epsilon, Epsilon(request));
  return std::make_unique<NormalizationOperator>(x, std::move(layout));
}

absl::Status CheckImage(const OpRequest& request) {
  BITPLAN_RETURN_IF_ERROR(CheckArity(request, 3, 3));
  if (request.rank(0) >= 3) return absl::OkStatus();
  return InvalidArgument("inputs[0]: shape {}, want [N, C, D1, ..]", ToString(request.shape(0)));
}

}  // namespace

// The second and third output of LayerNormalization, mean and inverse deviation, are not supported.
MadeOperator MakeLayerNormalization(const OpRequest& request) {
  return MakeOverLastDimensions(request, /*centered=*/true);
}

MadeOperator MakeRmsNormalization(const OpRequest& request) {
  return MakeOverLastDimensions(request, /*centered=*/false);
}

MadeOperator MakeInstanceNormalization(const OpRequest& request) {
  BITPLAN_RETURN_IF_ERROR(CheckImage(request));
  return MakeOverChannels(request, request.shape(0)[1], request.shape(0)[1]);
}

// Scale and bias are per group before opset 21, per channel from then on.
MadeOperator MakeGroupNormalization(const OpRequest& request) {
  BITPLAN_RETURN_IF_ERROR(CheckImage(request));
  const int64_t channels = request.shape(0)[1];
  BITPLAN_ASSIGN_OR_RETURN(const int64_t groups, IntAttribute(request.node, "num_groups", 0));
  if (groups < 1 || channels % groups != 0) {
    return InvalidArgument("num_groups: got {}, which does not divide the {} channels", groups, channels);
  }
  return MakeOverChannels(request, groups, request.opset_version < 21 ? groups : channels);
}

}  // namespace bitplan::ops
