#include <algorithm>
#include <utility>

#include "search/base/status.h"
#include "search/ops/make_operators.h"

namespace bitplan::ops {
namespace {

class ConcatOperator final : public Operator {
 public:
  // Each input is `outer` runs of runs[i] elements, an output run is theirs one after the other.
  ConcatOperator(Shape out, int64_t outer, std::vector<int64_t> runs)
      : Operator(std::move(out)), outer_(outer), runs_(std::move(runs)) {}

  void Forward(Reads x, Writes y) const override { Join(x, y[0]); }
  void Jvp(const Primal& /*primal*/, Reads x_dot, Writes y_dot) const override { Join(x_dot, y_dot[0]); }
  void Vjp(const Primal& /*primal*/, Reads y_bar, Writes x_bar) const override {
    ForEachRun([&](size_t input, int64_t x, int64_t y, int64_t count) {
      if (x_bar[input].empty()) return;
      std::copy_n(y_bar[0].begin() + y, count, x_bar[input].begin() + x);
    });
  }

  bool reads_x() const override { return false; }
  bool reads_y() const override { return false; }
  bool bends() const override { return false; }

 private:
  // An absent input counts as zero.
  void Join(Reads in, std::span<float> out) const {
    ForEachRun([&](size_t input, int64_t x, int64_t y, int64_t count) {
      if (in[input].empty()) {
        std::fill_n(out.begin() + y, count, 0.0F);
      } else {
        std::copy_n(in[input].begin() + x, count, out.begin() + y);
      }
    });
  }

  template <typename Fn>
  void ForEachRun(Fn fn) const {
    int64_t y = 0;
    for (int64_t o = 0; o < outer_; ++o) {
      for (size_t input = 0; input < runs_.size(); ++input) {
        fn(input, o * runs_[input], y, runs_[input]);
        y += runs_[input];
      }
    }
  }

  int64_t outer_;
  std::vector<int64_t> runs_;
};

// The shapes without dimension `axis` must be equal.
absl::Status CheckSameBut(int64_t axis, Shape a, Shape b) {
  if (a.size() == b.size()) {
    a[axis] = b[axis];
    if (a == b) return absl::OkStatus();
  }
  return InvalidArgument("inputs: shapes {} and {} do not concatenate along axis {}", ToString(a), ToString(b), axis);
}

}  // namespace

MadeOperator MakeConcat(const OpRequest& request) {
  const size_t count = request.inputs.size();
  BITPLAN_RETURN_IF_ERROR(CheckArity(request, std::max<size_t>(count, 1), count));
  if (!request.node.attributes.contains("axis")) return InvalidArgument("axis: missing");
  BITPLAN_ASSIGN_OR_RETURN(int64_t axis, IntAttribute(request.node, "axis", 0));
  BITPLAN_ASSIGN_OR_RETURN(axis, NormalizedAxis(axis, request.rank(0), "axis"));
  Shape out = request.shape(0);
  out[axis] = 0;
  std::vector<int64_t> runs;
  for (size_t i = 0; i < count; ++i) {
    const Shape& x = request.shape(i);
    BITPLAN_RETURN_IF_ERROR(CheckSameBut(axis, request.shape(0), x));
    out[axis] += x[axis];
    runs.push_back(NumElements(Shape(x.begin() + axis, x.end())));
  }
  const int64_t outer = NumElements(Shape(out.begin(), out.begin() + axis));
  return std::make_unique<ConcatOperator>(std::move(out), outer, std::move(runs));
}

}  // namespace bitplan::ops
