// LSTM, GRU and RNN, unrolled over time into products, sums and activations, so that every derivative is exact.
//
// X is [seq, batch, input] (layout 0), W [directions, gates * hidden, input], R [directions, gates * hidden, hidden].
// All directions run at once: products are those of a batch of `directions` matrices from the left, with the samples
// last,
//   W x_t  [directions, gates * hidden, batch]   for all t in one product,
//   R h    the same, once a step,
// where the backward direction reads the sequence from its end. So W and R are read as they are stored: they are layers
// of kind recurrent, output channels along axis 1, and R's products of all steps count towards its MACs.

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "search/base/status.h"
#include "search/layer/layer.h"
#include "search/ops/lowering.h"
#include "search/ops/mat_mul_kind.h"

namespace bitplan::ops {
namespace {

// Longer sequences would make more nodes than networks have: several a step.
constexpr int64_t kMaxSteps = 1000;

// Inputs by position; LSTM has two more.
enum Input : size_t { kX, kW, kR, kB, kLengths, kInitialH, kInitialC, kPeepholes };

// What the three operators have in common.
struct Cell {
  int64_t num_gates = 1;
  std::vector<std::string> activations;  // for one direction
};

// Sizes and the values that every step reads.
struct Recurrence {
  int64_t directions = 1;
  int64_t hidden = 1;
  int64_t steps = 1;
  bool batch_first = false;
  bool forward = true;    // some direction reads the sequence from its start
  bool backward = false;  // some direction reads it from its end
  std::vector<std::string> activations;
  ValueId wx = kNoValue;  // [steps, directions, gates * hidden, batch], input biases added
  ValueId r = kNoValue;
  ValueId recurrent_bias = kNoValue;  // [directions, gates * hidden, 1] or none
  ValueId h = kNoValue;               // [directions, hidden, batch] or none: zeros
  ValueId c = kNoValue;
};

class Unroller {
 public:
  Unroller(const Node& node, NodeWriter& writer) : node_(node), writer_(writer) {}

  absl::StatusOr<Recurrence> Prepare(const Cell& cell);

  // The operator's outputs: all hidden states and the last ones; states are [directions, hidden, batch] by step.
  absl::StatusOr<std::vector<ValueId>> Outputs(const Recurrence& r, std::span<const ValueId> h, ValueId last_c);

  absl::StatusOr<ValueId> Add(ValueId a, ValueId b) {
    if (a == kNoValue || b == kNoValue) return a == kNoValue ? b : a;
    return writer_.AddNode("Add", {a, b}, {});
  }
  absl::StatusOr<ValueId> Sub(ValueId a, ValueId b) { return writer_.AddNode("Sub", {a, b}, {}); }
  absl::StatusOr<ValueId> Mul(ValueId a, ValueId b) {
    if (a == kNoValue || b == kNoValue) return kNoValue;  // a factor of zeros
    return writer_.AddNode("Mul", {a, b}, {});
  }
  absl::StatusOr<ValueId> Activate(const std::string& name, ValueId x) { return writer_.AddNode(name, {x}, {}); }
  // Rows of gates first .. first + count - 1, of [directions, gates * hidden, ..].
  absl::StatusOr<ValueId> Gates(const Recurrence& r, ValueId x, int64_t first, int64_t count) {
    if (x == kNoValue) return x;
    std::vector<int64_t> rows(count * r.hidden);
    std::iota(rows.begin(), rows.end(), first * r.hidden);
    return writer_.Pick(x, 1, std::move(rows));
  }
  // A weight from the left, of whose rows so many are used; nothing times zeros.
  absl::StatusOr<ValueId> Product(ValueId weight, ValueId x, int64_t rows) {
    if (x == kNoValue) return x;
    return writer_.AddNode("MatMul", {weight, x},
                           {{std::string(kLayerKindAttribute), std::string(ToString(LayerKind::kRecurrent))},
                            {std::string(kLayerRowsAttribute), rows}});
  }
  absl::StatusOr<ValueId> Step(const Recurrence& r, int64_t t) { return writer_.PickOne(r.wx, 0, t); }

 private:
  bool Has(size_t i) const { return i < node_.inputs.size() && node_.inputs[i] != kNoValue; }
  absl::Status CheckAttributes() const;
  absl::Status CheckLengths(int64_t steps) const;
  absl::Status CheckShapes(const Recurrence& r, const Cell& cell) const;
  absl::Status ReadDirection(const Cell& cell, Recurrence& r) const;
  absl::StatusOr<ValueId> InputProducts(const Recurrence& r);
  absl::StatusOr<ValueId> InitialState(const Recurrence& r, size_t input);
  // The constant B in halves: what is added to W x and to R h, as [directions, rows, 1].
  absl::StatusOr<ValueId> Bias(int64_t rows, int64_t half);

  const Node& node_;
  NodeWriter& writer_;
};

absl::Status Unroller::CheckAttributes() const {
  for (const char* refused : {"activation_alpha", "activation_beta", "clip"}) {
    if (node_.attributes.contains(refused)) return Unimplemented("{}", refused);
  }
  BITPLAN_ASSIGN_OR_RETURN(const int64_t input_forget, IntAttribute(node_, "input_forget", 0));
  if (input_forget != 0) return Unimplemented("input_forget");
  if (Has(kPeepholes)) return Unimplemented("peepholes");
  return absl::OkStatus();
}

// All sequences are as long as the tensor, or the lengths are not given.
absl::Status Unroller::CheckLengths(int64_t steps) const {
  if (!Has(kLengths)) return absl::OkStatus();
  const auto* lengths = std::get_if<IntTensor>(&writer_.value(node_.inputs[kLengths]).constant);
  if (lengths == nullptr) return Unimplemented("sequence_lens computed at run time");
  if (std::ranges::all_of(lengths->data, [=](int64_t length) { return length == steps; })) return absl::OkStatus();
  return Unimplemented("sequence_lens other than the whole sequence");
}

absl::Status Unroller::ReadDirection(const Cell& cell, Recurrence& r) const {
  BITPLAN_ASSIGN_OR_RETURN(const std::string direction, StringAttribute(node_, "direction", "forward"));
  if (direction != "forward" && direction != "reverse" && direction != "bidirectional") {
    return InvalidArgument("direction: got '{}', want forward, reverse or bidirectional", direction);
  }
  r.forward = direction != "reverse";
  r.backward = direction != "forward";
  r.directions = direction == "bidirectional" ? 2 : 1;
  BITPLAN_ASSIGN_OR_RETURN(r.activations, StringsAttribute(node_, "activations", cell.activations));
  const size_t count = cell.activations.size();
  if (r.activations.size() == 2 * count && r.directions == 2) {
    if (!std::equal(r.activations.begin(), r.activations.begin() + static_cast<int64_t>(count),
                    r.activations.begin() + static_cast<int64_t>(count))) {
      return Unimplemented("activations that differ between directions");
    }
    r.activations.resize(count);
  }
  if (r.activations.size() != count) return InvalidArgument("activations: want {} a direction", count);
  for (const std::string& name : r.activations) {
    constexpr auto kKnown = std::to_array<std::string_view>({"Relu", "Sigmoid", "Softplus", "Softsign", "Tanh"});
    if (std::ranges::find(kKnown, name) == kKnown.end()) return Unimplemented("activation '{}'", name);
  }
  return absl::OkStatus();
}

absl::Status Unroller::CheckShapes(const Recurrence& r, const Cell& cell) const {
  const Shape x = writer_.shape(node_.inputs[kX]);
  const int64_t rows = cell.num_gates * r.hidden;
  const Shape w = writer_.shape(node_.inputs[kW]);
  if (w != Shape{r.directions, rows, x[2]}) {
    return InvalidArgument("inputs[1]: shape {}, want {}", ToString(w), ToString(Shape{r.directions, rows, x[2]}));
  }
  const Shape wanted = {r.directions, rows, r.hidden};
  if (writer_.shape(node_.inputs[kR]) != wanted) {
    return InvalidArgument("inputs[2]: shape {}, want {}", ToString(writer_.shape(node_.inputs[kR])), ToString(wanted));
  }
  return absl::OkStatus();
}

absl::StatusOr<Recurrence> Unroller::Prepare(const Cell& cell) {
  for (const size_t i : {size_t{kX}, size_t{kW}, size_t{kR}}) {
    if (!Has(i)) return InvalidArgument("inputs: input {} is missing", i);
    if (writer_.shape(node_.inputs[i]).size() != 3) return InvalidArgument("inputs[{}]: want three dimensions", i);
  }
  BITPLAN_RETURN_IF_ERROR(CheckAttributes());
  Recurrence r;
  BITPLAN_RETURN_IF_ERROR(ReadDirection(cell, r));
  BITPLAN_ASSIGN_OR_RETURN(const int64_t layout, IntAttribute(node_, "layout", 0));
  r.batch_first = layout != 0;
  const Shape x = writer_.shape(node_.inputs[kX]);
  r.steps = x[r.batch_first ? 1 : 0];
  if (r.steps == kDynamic) return Unimplemented("a sequence whose length depends on the number of samples");
  if (r.steps > kMaxSteps) return Unimplemented("a sequence of {} steps, want at most {}", r.steps, kMaxSteps);
  BITPLAN_RETURN_IF_ERROR(CheckLengths(r.steps));
  r.hidden = writer_.shape(node_.inputs[kR])[2];
  BITPLAN_RETURN_IF_ERROR(CheckShapes(r, cell));
  BITPLAN_ASSIGN_OR_RETURN(r.wx, InputProducts(r));
  if (Has(kB)) {
    const int64_t rows = cell.num_gates * r.hidden;
    BITPLAN_ASSIGN_OR_RETURN(const ValueId input_bias, Bias(rows, 0));
    BITPLAN_ASSIGN_OR_RETURN(r.wx, Add(r.wx, input_bias));
    BITPLAN_ASSIGN_OR_RETURN(r.recurrent_bias, Bias(rows, 1));
  }
  r.r = node_.inputs[kR];
  BITPLAN_ASSIGN_OR_RETURN(r.h, InitialState(r, kInitialH));
  BITPLAN_ASSIGN_OR_RETURN(r.c, InitialState(r, kInitialC));
  return r;
}

// W x_t for all t and directions: [steps, directions, rows, batch].
absl::StatusOr<ValueId> Unroller::InputProducts(const Recurrence& r) {
  const std::vector<int64_t> order = r.batch_first ? std::vector<int64_t>{1, 2, 0} : std::vector<int64_t>{0, 2, 1};
  BITPLAN_ASSIGN_OR_RETURN(ValueId x, writer_.Transpose(node_.inputs[kX], order));
  BITPLAN_ASSIGN_OR_RETURN(x, writer_.Unsqueeze(x, {1}));
  if (r.backward) {
    std::vector<int64_t> from_the_end(r.steps);
    std::iota(from_the_end.rbegin(), from_the_end.rend(), 0);
    BITPLAN_ASSIGN_OR_RETURN(const ValueId reversed, writer_.Pick(x, 0, std::move(from_the_end)));
    if (r.forward) {
      BITPLAN_ASSIGN_OR_RETURN(x, writer_.Concat({x, reversed}, 1));
    } else {
      x = reversed;
    }
  }
  return Product(node_.inputs[kW], x, writer_.shape(node_.inputs[kW])[1]);
}

absl::StatusOr<ValueId> Unroller::Bias(int64_t rows, int64_t half) {
  std::vector<int64_t> columns(rows);
  std::iota(columns.begin(), columns.end(), half * rows);
  BITPLAN_ASSIGN_OR_RETURN(const ValueId bias, writer_.Pick(node_.inputs[kB], 1, std::move(columns)));
  return writer_.Unsqueeze(bias, {2});
}

// [directions, batch, hidden] as [directions, hidden, batch].
absl::StatusOr<ValueId> Unroller::InitialState(const Recurrence& r, size_t input) {
  if (!Has(input)) return kNoValue;
  const std::vector<int64_t> order = r.batch_first ? std::vector<int64_t>{1, 2, 0} : std::vector<int64_t>{0, 2, 1};
  return writer_.Transpose(node_.inputs[input], order);
}

absl::StatusOr<std::vector<ValueId>> Unroller::Outputs(const Recurrence& r, std::span<const ValueId> h,
                                                       ValueId last_c) {
  const auto wants = [this](size_t i) { return i < node_.outputs.size() && node_.outputs[i] != kNoValue; };
  // From [directions, hidden, batch] to [directions, batch, hidden], or with the batch first.
  const std::vector<int64_t> state = r.batch_first ? std::vector<int64_t>{2, 0, 1} : std::vector<int64_t>{0, 2, 1};
  std::vector<ValueId> outputs(3, kNoValue);
  if (wants(0)) {
    std::vector<ValueId> by_time;
    for (int64_t t = 0; t < r.steps; ++t) {
      std::vector<ValueId> by_direction;
      for (int64_t d = 0; d < r.directions; ++d) {
        const bool reversed = r.backward && (d == 1 || !r.forward);
        ValueId one = h[reversed ? r.steps - 1 - t : t];
        if (r.directions > 1) {
          BITPLAN_ASSIGN_OR_RETURN(one, writer_.Pick(one, 0, {d}));
        }
        by_direction.push_back(one);
      }
      BITPLAN_ASSIGN_OR_RETURN(const ValueId both, writer_.Concat(std::move(by_direction), 0));
      BITPLAN_ASSIGN_OR_RETURN(by_time.emplace_back(), writer_.Unsqueeze(both, {0}));
    }
    BITPLAN_ASSIGN_OR_RETURN(const ValueId all, writer_.Concat(std::move(by_time), 0));
    // [seq, directions, batch, hidden], or [batch, seq, directions, hidden].
    const std::vector<int64_t> order =
        r.batch_first ? std::vector<int64_t>{3, 0, 1, 2} : std::vector<int64_t>{0, 1, 3, 2};
    BITPLAN_ASSIGN_OR_RETURN(outputs[0], writer_.Transpose(all, order));
  }
  if (wants(1)) {
    BITPLAN_ASSIGN_OR_RETURN(outputs[1], writer_.Transpose(h.back(), state));
  }
  if (wants(2) && last_c != kNoValue) {
    BITPLAN_ASSIGN_OR_RETURN(outputs[2], writer_.Transpose(last_c, state));
  }
  return outputs;
}

}  // namespace

// i, o, f, c = W x + R h + b in ONNX's order of gates;  C = f(f) C + f(i) g(c),  h = f(o) h(C).
absl::StatusOr<std::vector<ValueId>> LowerLstm(const Node& node, NodeWriter& writer) {
  Unroller u(node, writer);
  BITPLAN_ASSIGN_OR_RETURN(Recurrence r, u.Prepare({.num_gates = 4, .activations = {"Sigmoid", "Tanh", "Tanh"}}));
  std::vector<ValueId> states;
  for (int64_t t = 0; t < r.steps; ++t) {
    BITPLAN_ASSIGN_OR_RETURN(ValueId sum, u.Step(r, t));
    BITPLAN_ASSIGN_OR_RETURN(const ValueId rh, u.Product(r.r, r.h, 4 * r.hidden));
    BITPLAN_ASSIGN_OR_RETURN(sum, u.Add(sum, rh));
    BITPLAN_ASSIGN_OR_RETURN(sum, u.Add(sum, r.recurrent_bias));
    BITPLAN_ASSIGN_OR_RETURN(ValueId gates, u.Gates(r, sum, 0, 3));
    BITPLAN_ASSIGN_OR_RETURN(gates, u.Activate(r.activations[0], gates));
    BITPLAN_ASSIGN_OR_RETURN(ValueId candidate, u.Gates(r, sum, 3, 1));
    BITPLAN_ASSIGN_OR_RETURN(candidate, u.Activate(r.activations[1], candidate));
    BITPLAN_ASSIGN_OR_RETURN(const ValueId in, u.Gates(r, gates, 0, 1));
    BITPLAN_ASSIGN_OR_RETURN(const ValueId out, u.Gates(r, gates, 1, 1));
    BITPLAN_ASSIGN_OR_RETURN(const ValueId forget, u.Gates(r, gates, 2, 1));
    BITPLAN_ASSIGN_OR_RETURN(const ValueId kept, u.Mul(forget, r.c));
    BITPLAN_ASSIGN_OR_RETURN(const ValueId added, u.Mul(in, candidate));
    BITPLAN_ASSIGN_OR_RETURN(r.c, u.Add(kept, added));
    BITPLAN_ASSIGN_OR_RETURN(const ValueId squashed, u.Activate(r.activations[2], r.c));
    BITPLAN_ASSIGN_OR_RETURN(r.h, u.Mul(out, squashed));
    states.push_back(r.h);
  }
  return u.Outputs(r, states, r.c);
}

// z, r, h in ONNX's order;  z = f(Wz x + Rz h + ..), r = f(Wr x + Rr h + ..), and
//   linear_before_reset:  n = g(Wh x + Wbh + r (Rh h + Rbh))
//   else:                 n = g(Wh x + Wbh + Rh (r h) + Rbh)
//   h = (1 - z) n + z h.
absl::StatusOr<std::vector<ValueId>> LowerGru(const Node& node, NodeWriter& writer) {
  Unroller u(node, writer);
  BITPLAN_ASSIGN_OR_RETURN(Recurrence r, u.Prepare({.num_gates = 3, .activations = {"Sigmoid", "Tanh"}}));
  BITPLAN_ASSIGN_OR_RETURN(const int64_t linear, IntAttribute(node, "linear_before_reset", 0));
  BITPLAN_ASSIGN_OR_RETURN(const ValueId candidate_bias, u.Gates(r, r.recurrent_bias, 2, 1));
  // R as a whole gives all gates in one product; without linear_before_reset its last third reads another vector, so R
  // is read twice and each time only a part of the product is kept.
  const ValueId one = writer.AddConstant(Tensor{.shape = {}, .data = {1.0F}});
  std::vector<ValueId> states;
  for (int64_t t = 0; t < r.steps; ++t) {
    BITPLAN_ASSIGN_OR_RETURN(const ValueId wx, u.Step(r, t));
    BITPLAN_ASSIGN_OR_RETURN(ValueId rh, u.Product(r.r, r.h, (linear != 0 ? 3 : 2) * r.hidden));
    BITPLAN_ASSIGN_OR_RETURN(rh, u.Add(rh, r.recurrent_bias));
    BITPLAN_ASSIGN_OR_RETURN(const ValueId sum, u.Add(wx, rh));
    BITPLAN_ASSIGN_OR_RETURN(ValueId gates, u.Gates(r, sum, 0, 2));
    BITPLAN_ASSIGN_OR_RETURN(gates, u.Activate(r.activations[0], gates));
    BITPLAN_ASSIGN_OR_RETURN(const ValueId update, u.Gates(r, gates, 0, 1));
    BITPLAN_ASSIGN_OR_RETURN(const ValueId reset, u.Gates(r, gates, 1, 1));
    ValueId recurrent = kNoValue;
    if (linear != 0) {
      BITPLAN_ASSIGN_OR_RETURN(recurrent, u.Gates(r, rh, 2, 1));
      BITPLAN_ASSIGN_OR_RETURN(recurrent, u.Mul(reset, recurrent));
    } else {
      BITPLAN_ASSIGN_OR_RETURN(const ValueId kept, u.Mul(reset, r.h));
      BITPLAN_ASSIGN_OR_RETURN(recurrent, u.Product(r.r, kept, r.hidden));
      BITPLAN_ASSIGN_OR_RETURN(recurrent, u.Gates(r, recurrent, 2, 1));
      BITPLAN_ASSIGN_OR_RETURN(recurrent, u.Add(recurrent, candidate_bias));
    }
    BITPLAN_ASSIGN_OR_RETURN(ValueId candidate, u.Gates(r, wx, 2, 1));
    BITPLAN_ASSIGN_OR_RETURN(candidate, u.Add(candidate, recurrent));
    BITPLAN_ASSIGN_OR_RETURN(candidate, u.Activate(r.activations[1], candidate));
    BITPLAN_ASSIGN_OR_RETURN(const ValueId rest, u.Sub(one, update));
    BITPLAN_ASSIGN_OR_RETURN(const ValueId renewed, u.Mul(rest, candidate));
    BITPLAN_ASSIGN_OR_RETURN(const ValueId carried, u.Mul(update, r.h));
    BITPLAN_ASSIGN_OR_RETURN(r.h, u.Add(renewed, carried));
    states.push_back(r.h);
  }
  return u.Outputs(r, states, kNoValue);
}

// h = f(W x + R h + b).
absl::StatusOr<std::vector<ValueId>> LowerRnn(const Node& node, NodeWriter& writer) {
  Unroller u(node, writer);
  BITPLAN_ASSIGN_OR_RETURN(Recurrence r, u.Prepare({.num_gates = 1, .activations = {"Tanh"}}));
  std::vector<ValueId> states;
  for (int64_t t = 0; t < r.steps; ++t) {
    BITPLAN_ASSIGN_OR_RETURN(ValueId sum, u.Step(r, t));
    BITPLAN_ASSIGN_OR_RETURN(const ValueId rh, u.Product(r.r, r.h, r.hidden));
    BITPLAN_ASSIGN_OR_RETURN(sum, u.Add(sum, rh));
    BITPLAN_ASSIGN_OR_RETURN(sum, u.Add(sum, r.recurrent_bias));
    BITPLAN_ASSIGN_OR_RETURN(r.h, u.Activate(r.activations[0], sum));
    states.push_back(r.h);
  }
  return u.Outputs(r, states, kNoValue);
}

}  // namespace bitplan::ops
