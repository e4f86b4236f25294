#include "search/ops/embedding.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>
#include <vector>

#include "search/base/status.h"

namespace bitplan::ops {
namespace {

// Integers from here on are not all floats.
constexpr int64_t kLargestExact = int64_t{1} << 24;

class LookupOperator final : public Operator {
 public:
  // A table of [outer, rows, inner].
  struct Sizes {
    int64_t outer = 1;
    int64_t rows = 1;
    int64_t inner = 1;
  };

  LookupOperator(Shape out, Sizes sizes, std::optional<WeightUse> weight_use)
      : Operator(std::move(out)), sizes_(sizes), weight_use_(weight_use) {}

  std::optional<WeightUse> weight_use() const override { return weight_use_; }

  void Forward(Reads x, Writes y) const override { Copy(x[0], x[1], y[0]); }
  void Jvp(const Primal& primal, Reads x_dot, Writes y_dot) const override {
    if (x_dot[0].empty()) {
      std::fill(y_dot[0].begin(), y_dot[0].end(), 0.0F);
    } else {
      Copy(x_dot[0], primal.x[1], y_dot[0]);
    }
  }
  void Vjp(const Primal& primal, Reads y_bar, Writes x_bar) const override {
    std::fill(x_bar[1].begin(), x_bar[1].end(), 0.0F);
    if (x_bar[0].empty()) return;
    std::fill(x_bar[0].begin(), x_bar[0].end(), 0.0F);
    ForEachRow(primal.x[1], [&](int64_t row, int64_t y) {
      for (int64_t k = 0; row >= 0 && k < sizes_.inner; ++k) x_bar[0][row + k] += y_bar[0][y + k];
    });
  }

 private:
  // Calls fn(offset of the row in the table or -1, offset in the output).
  template <typename Fn>
  void ForEachRow(std::span<const float> indices, Fn fn) const {
    int64_t y = 0;
    for (int64_t o = 0; o < sizes_.outer; ++o) {
      for (const float index : indices) {
        const float row = index < 0 ? index + static_cast<float>(sizes_.rows) : index;
        const bool inside = row >= 0 && row < static_cast<float>(sizes_.rows);
        fn(inside ? (o * sizes_.rows + static_cast<int64_t>(row)) * sizes_.inner : -1, y);
        y += sizes_.inner;
      }
    }
  }

  void Copy(std::span<const float> table, std::span<const float> indices, std::span<float> y) const {
    ForEachRow(indices, [&](int64_t row, int64_t o) {
      if (row >= 0) {
        std::copy_n(&table[row], sizes_.inner, &y[o]);
      } else {
        std::fill_n(&y[o], sizes_.inner, std::numeric_limits<float>::quiet_NaN());
      }
    });
  }

  Sizes sizes_;
  std::optional<WeightUse> weight_use_;
};

absl::Status CheckRange(const Graph& graph, const Node& node, std::string_view input, const Tensor& values) {
  const auto* table = std::get_if<Tensor>(&graph.values[node.inputs[0]].constant);
  if (table == nullptr || table->shape.empty()) return absl::OkStatus();
  const auto rank = static_cast<int64_t>(table->shape.size());
  BITPLAN_ASSIGN_OR_RETURN(int64_t axis, IntAttribute(node, "axis", 0));
  BITPLAN_ASSIGN_OR_RETURN(axis, NormalizedAxis(axis, rank, "axis"));
  const auto rows = static_cast<float>(table->shape[axis]);
  const auto bad = std::ranges::find_if(values.data, [=](float id) { return id < -rows || id >= rows; });
  if (bad == values.data.end()) return absl::OkStatus();
  return InvalidArgument("dataset.inputs['{}']: element {} is {}, but the table '{}' of node '{}' has {} rows", input,
                         bad - values.data.begin(), *bad, graph.values[node.inputs[0]].name, node.name, rows);
}

}  // namespace

absl::StatusOr<std::unique_ptr<Operator>> MakeLookup(const OpRequest& request, int64_t axis) {
  const Shape& table = request.shape(0);
  const Shape outer(table.begin(), table.begin() + axis);
  const Shape inner(table.begin() + axis + 1, table.end());
  if (table[axis] > kLargestExact) {
    return Unimplemented("a table of {} rows for computed indices, want at most 2^24", table[axis]);
  }
  Shape out = outer;
  out.insert(out.end(), request.shape(1).begin(), request.shape(1).end());
  out.insert(out.end(), inner.begin(), inner.end());
  BITPLAN_RETURN_IF_ERROR(CheckShape(out));
  std::optional<WeightUse> use;
  if (request.inputs[0]->is_constant()) {
    use = WeightUse{.input = 0, .kind = LayerKind::kEmbedding, .output_channel_axis = static_cast<int>(axis)};
  }
  return std::make_unique<LookupOperator>(
      std::move(out),
      LookupOperator::Sizes{.outer = NumElements(outer), .rows = table[axis], .inner = NumElements(inner)}, use);
}

absl::Status CheckIntegerInput(const Graph& graph, size_t input, const Tensor& values) {
  const ValueId id = graph.inputs[input].value;
  const std::string& name = graph.values[id].name;
  if (!graph.values[id].integer) return absl::OkStatus();
  const auto bad = std::ranges::find_if(
      values.data, [](float v) { return v != std::trunc(v) || std::abs(v) > static_cast<float>(kLargestExact); });
  if (bad != values.data.end()) {
    return InvalidArgument("dataset.inputs['{}']: element {} is {}, want integers of at most 2^24", name,
                           bad - values.data.begin(), *bad);
  }
  for (const Node& node : graph.nodes) {
    if (node.op_type != "Gather" || node.inputs.size() < 2 || node.inputs[1] != id) continue;
    BITPLAN_RETURN_IF_ERROR(CheckRange(graph, node, name, values));
  }
  return absl::OkStatus();
}

}  // namespace bitplan::ops
