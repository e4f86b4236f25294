#include <algorithm>
#include <utility>

#include "search/base/status.h"
#include "search/ops/make_operators.h"

namespace bitplan::ops {
namespace {

// The parts of x along one axis.
class SplitOperator final : public Operator {
 public:
  // x is `outer` runs, each the runs of the parts one after the other.
  SplitOperator(std::vector<Shape> outputs, int64_t outer, std::vector<int64_t> runs)
      : Operator(std::move(outputs)), outer_(outer), runs_(std::move(runs)) {}

  void Forward(Reads x, Writes y) const override { Cut(x[0], y); }
  void Jvp(const Primal& /*primal*/, Reads x_dot, Writes y_dot) const override { Cut(x_dot[0], y_dot); }
  void Vjp(const Primal& /*primal*/, Reads y_bar, Writes x_bar) const override {
    ForEachRun([&](size_t part, int64_t x, int64_t y, int64_t count) {
      if (part >= y_bar.size() || y_bar[part].empty()) {
        std::fill_n(x_bar[0].begin() + x, count, 0.0F);
      } else {
        std::copy_n(y_bar[part].begin() + y, count, x_bar[0].begin() + x);
      }
    });
  }

  bool reads_x() const override { return false; }
  bool reads_y() const override { return false; }
  bool bends() const override { return false; }

 private:
  void Cut(std::span<const float> in, Writes out) const {
    ForEachRun([&](size_t part, int64_t x, int64_t y, int64_t count) {
      if (part >= out.size() || out[part].empty()) return;
      std::copy_n(in.begin() + x, count, out[part].begin() + y);
    });
  }

  template <typename Fn>
  void ForEachRun(Fn fn) const {
    int64_t x = 0;
    for (int64_t o = 0; o < outer_; ++o) {
      for (size_t part = 0; part < runs_.size(); ++part) {
        fn(part, x, o * runs_[part], runs_[part]);
        x += runs_[part];
      }
    }
  }

  int64_t outer_;
  std::vector<int64_t> runs_;
};

// Equal sizes but for the last, which may be smaller.
absl::StatusOr<std::vector<int64_t>> EqualParts(const OpRequest& request, int64_t size) {
  const auto num_outputs = static_cast<int64_t>(request.node.outputs.size());
  BITPLAN_ASSIGN_OR_RETURN(const int64_t count, IntAttribute(request.node, "num_outputs", num_outputs));
  if (count != num_outputs) return InvalidArgument("num_outputs: got {}, the node has {}", count, num_outputs);
  if (count > size) return InvalidArgument("split: a size of {} cannot be cut into {} parts", size, count);
  const int64_t part = (size + count - 1) / count;
  std::vector<int64_t> parts(count, part);
  parts.back() = size - part * (count - 1);
  const bool even = request.opset_version < 18;
  if (parts.back() < 1 || (even && parts.back() != part)) {
    return InvalidArgument("split: a size of {} cannot be cut into {} parts", size, count);
  }
  return parts;
}

// The sizes: an attribute before opset 13, an optional constant input from then on; equal ones if not given.
absl::StatusOr<std::vector<int64_t>> SplitSizes(const OpRequest& request, int64_t size) {
  std::vector<int64_t> parts;
  if (request.opset_version < 13) {
    BITPLAN_ASSIGN_OR_RETURN(parts, IntsAttribute(request.node, "split", {}));
  } else if (request.has_input(1)) {
    BITPLAN_ASSIGN_OR_RETURN(parts, ConstantInts(request, 1, "split"));
  }
  if (parts.empty()) return EqualParts(request, size);
  if (parts.size() != request.node.outputs.size()) {
    return InvalidArgument("split: got {} parts, the node has {} outputs", parts.size(), request.node.outputs.size());
  }
  int64_t rest = size;
  for (const int64_t part : parts) {
    if (part < 1 || part > rest) return InvalidArgument("split: {} does not add up to {}", ToString(parts), size);
    rest -= part;
  }
  if (rest != 0) return InvalidArgument("split: {} does not add up to {}", ToString(parts), size);
  return parts;
}

}  // namespace

MadeOperator MakeSplit(const OpRequest& request) {
  BITPLAN_RETURN_IF_ERROR(CheckArity(request, 1, request.opset_version < 13 ? 1 : 2, 1));
  BITPLAN_ASSIGN_OR_RETURN(int64_t axis, IntAttribute(request.node, "axis", 0));
  BITPLAN_ASSIGN_OR_RETURN(axis, NormalizedAxis(axis, request.rank(0), "axis"));
  const Shape& x = request.shape(0);
  BITPLAN_ASSIGN_OR_RETURN(const std::vector<int64_t> sizes, SplitSizes(request, x[axis]));
  const int64_t outer = NumElements(Shape(x.begin(), x.begin() + axis));
  const int64_t inner = NumElements(Shape(x.begin() + axis + 1, x.end()));
  std::vector<Shape> outputs;
  std::vector<int64_t> runs;
  for (const int64_t size : sizes) {
    outputs.push_back(x);
    outputs.back()[axis] = size;
    runs.push_back(size * inner);
  }
  return std::make_unique<SplitOperator>(std::move(outputs), outer, std::move(runs));
}

}  // namespace bitplan::ops
