// Every operator against the reference network, which knows nothing of the kernels: values, derivatives and the
// identities between them, for the cases of tests/testing/op_cases.cc.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <type_traits>

#include "search/base/rng.h"
#include "search/ops/infer_shapes.h"
#include "search/ops/op_table.h"
#include "tests/testing/op_cases.h"
#include "tests/testing/reference_network.h"

namespace bitplan {
namespace {

using testing::OpCase;
using Vector = std::vector<float>;

// Float kernels against double: a few hundred roundings of 6e-8, relative to the largest entry.
constexpr double kFloatTolerance = 2e-5;
// Central differences in double with step 1e-5 of functions with third derivatives of order 10.
constexpr double kDifferenceStep = 1e-5;
constexpr double kDifferenceTolerance = 1e-6;

std::vector<std::span<const float>> Reads(const std::vector<Vector>& vectors) {
  return {vectors.begin(), vectors.end()};
}

double Dot(const Vector& a, const Vector& b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += static_cast<double>(a[i]) * b[i];
  return sum;
}

double Norm(const Vector& a) { return std::sqrt(Dot(a, a)); }

std::vector<double> Doubles(const Vector& v) { return {v.begin(), v.end()}; }

void ExpectClose(const Vector& got, const std::vector<double>& want, double tolerance, const std::string& what) {
  ASSERT_EQ(got.size(), want.size()) << what;
  double largest = 1;
  for (const double w : want) largest = std::max(largest, std::abs(w));
  for (size_t i = 0; i < got.size(); ++i) ASSERT_NEAR(got[i], want[i], tolerance * largest) << what << "[" << i << "]";
}

// The operator of a case with its tensors by position of the node's inputs.
class OpOnCase : public ::testing::TestWithParam<OpCase> {
 protected:
  // The outputs one after the other, cut apart.
  template <typename V>
  auto Outputs(V& all) const {
    std::vector<std::span<std::remove_reference_t<decltype(all[0])>>> parts;
    size_t first = 0;
    for (const Shape& shape : op_->output_shapes()) {
      parts.push_back(std::span(all).subspan(first, NumElements(shape)));
      first += NumElements(shape);
    }
    return parts;
  }

  void SetUp() override {
    Graph graph = GetParam().graph;
    graph.outputs.clear();  // results that a loss must not read are made, too
    const auto shapes = ops::InferShapes(graph, 1);
    ASSERT_TRUE(shapes.ok()) << shapes.status();
    auto made = ops::MakeOperator(graph, 0, *shapes);
    ASSERT_TRUE(made.ok()) << made.status();
    op_ = std::move(made).value();
    const size_t num_inputs = graph.nodes[0].inputs.size();
    for (const GraphInput& input : graph.inputs) {
      const auto& ids = graph.nodes[0].inputs;
      position_.push_back(std::ranges::find(ids, input.value) - ids.begin());
    }
    x_.resize(num_inputs);
    for (size_t i = 0; i < num_inputs; ++i) x_[i] = ConstantData(i);
    for (size_t k = 0; k < num_differentiable(); ++k) {
      x_[position_[k]] = {GetParam().inputs[k].data.begin(), GetParam().inputs[k].data.end()};
    }
    int64_t num_outputs = 0;
    for (const Shape& shape : op_->output_shapes()) num_outputs += NumElements(shape);
    y_.assign(num_outputs, NAN);
    op_->Forward(Reads(x_), Outputs(y_));
    Rng rng(7, 0);
    x_dot_.resize(num_inputs);
    for (const size_t i : position_) x_dot_[i] = Random(x_[i].size(), rng);
    u_ = Random(y_.size(), rng);
    u_dot_ = Random(y_.size(), rng);
  }

  size_t num_differentiable() const { return GetParam().inputs.size(); }

  // Integers have no data.
  Vector ConstantData(size_t i) const {
    const ValueId id = GetParam().graph.nodes[0].inputs[i];
    const Tensor* tensor = id == kNoValue ? nullptr : std::get_if<Tensor>(&GetParam().graph.values[id].constant);
    return tensor == nullptr ? Vector() : Vector(tensor->data.begin(), tensor->data.end());
  }

  static Vector Random(size_t size, Rng& rng) {
    Vector v(size);
    rng.FillGaussian(v);
    return v;
  }

  // Tangents of the differentiable inputs in `mask` only.
  std::vector<Vector> Masked(unsigned mask) const {
    std::vector<Vector> tangents = x_dot_;
    for (size_t k = 0; k < num_differentiable(); ++k) {
      if (((mask >> k) & 1U) == 0) tangents[position_[k]].clear();
    }
    return tangents;
  }
  // Every non-empty set of differentiable inputs.
  std::vector<unsigned> Masks() const {
    std::vector<unsigned> masks;
    for (unsigned mask = 1; mask < (1U << num_differentiable()); ++mask) masks.push_back(mask);
    return masks;
  }

  // What is kept for the derivatives: nothing that the operator says it does not read.
  auto KeptX() const {
    auto x = Reads(x_);
    for (const size_t i : position_) {
      if (!op_->reads_x()) x[i] = {};
    }
    return x;
  }
  auto KeptY() const {
    auto y = Outputs(y_);
    if (!op_->reads_y()) std::ranges::fill(y, decltype(y)::value_type());
    return y;
  }

  Vector Jvp(const std::vector<Vector>& x_dot) const {
    Vector y_dot(y_.size(), NAN);
    const auto x = KeptX();
    const auto y = KeptY();
    op_->Jvp({x, y}, Reads(x_dot), Outputs(y_dot));
    return y_dot;
  }

  // Buffers of NaN for the inputs that have a tangent: whatever is not written shows.
  std::vector<Vector> Unwritten(const std::vector<Vector>& x_dot) const {
    std::vector<Vector> buffers = x_dot;
    for (Vector& buffer : buffers) std::fill(buffer.begin(), buffer.end(), NAN);
    return buffers;
  }

  std::vector<Vector> Vjp(const std::vector<Vector>& x_dot, const Vector& y_bar) const {
    std::vector<Vector> x_bar = Unwritten(x_dot);
    const auto x = KeptX();
    const auto y = KeptY();
    const std::vector<std::span<float>> out(x_bar.begin(), x_bar.end());
    op_->Vjp({x, y}, Outputs(y_bar), out);
    return x_bar;
  }

  std::vector<Vector> VjpTangent(const std::vector<Vector>& x_dot) const {
    std::vector<Vector> x_bar_dot = Unwritten(x_dot);
    const auto x = KeptX();
    const auto y = KeptY();
    const std::vector<std::span<float>> out(x_bar_dot.begin(), x_bar_dot.end());
    auto tangents = Reads(x_dot);
    auto y_bar = Outputs(u_);
    if (!op_->bends()) {
      std::ranges::fill(tangents, decltype(tangents)::value_type());
      std::ranges::fill(y_bar, decltype(y_bar)::value_type());
    }
    op_->VjpTangent({x, y}, tangents, y_bar, Outputs(u_dot_), out);
    return x_bar_dot;
  }

  testing::ReferenceDerivatives Reference(unsigned mask) const {
    const std::vector<Vector> tangents = Masked(mask);
    std::vector<std::vector<double>> x_dot;
    for (size_t i = 0; i < num_differentiable(); ++i) x_dot.push_back(Doubles(tangents[position_[i]]));
    return testing::Differentiate(GetParam().graph, Point(0), x_dot, Doubles(u_), Doubles(u_dot_));
  }

  // The inputs moved by `step` along their tangents.
  std::vector<testing::DoubleTensor> Point(double step) const {
    std::vector<testing::DoubleTensor> point;
    for (size_t i = 0; i < num_differentiable(); ++i) {
      const size_t at = position_[i];
      point.push_back({.shape = GetParam().inputs[i].shape, .data = Doubles(x_[at])});
      for (size_t k = 0; k < x_[at].size(); ++k) point[i].data[k] += step * x_dot_[at][k];
    }
    return point;
  }

  std::unique_ptr<ops::Operator> op_;
  std::vector<size_t> position_;  // of each graph input among the node's inputs
  std::vector<Vector> x_;         // by position
  Vector y_;
  std::vector<Vector> x_dot_;
  Vector u_;
  Vector u_dot_;
};

TEST_P(OpOnCase, ForwardEqualsReference) {
  const testing::DoubleTensor expected = testing::ReferenceForward(GetParam().graph, Point(0));
  if (GetParam().graph.nodes.size() == 1) {
    EXPECT_EQ(op_->output_shapes()[0], expected.shape);
  }
  ExpectClose(y_, expected.data, kFloatTolerance, "y");
}

TEST_P(OpOnCase, JvpEqualsCentralDifferences) {
  if (num_differentiable() == 0) return;
  const std::vector<double> plus = testing::ReferenceForward(GetParam().graph, Point(kDifferenceStep)).data;
  const std::vector<double> minus = testing::ReferenceForward(GetParam().graph, Point(-kDifferenceStep)).data;
  std::vector<double> difference(plus.size());
  for (size_t i = 0; i < plus.size(); ++i) difference[i] = (plus[i] - minus[i]) / (2 * kDifferenceStep);
  ExpectClose(Jvp(x_dot_), difference, kFloatTolerance + kDifferenceTolerance, "y_dot");
}

TEST_P(OpOnCase, JvpEqualsReferenceForEverySetOfInputs) {
  for (const unsigned mask : Masks()) {
    ExpectClose(Jvp(Masked(mask)), Reference(mask).y_dot, kFloatTolerance, "y_dot, inputs " + std::to_string(mask));
  }
}

TEST_P(OpOnCase, VjpEqualsReferenceForEverySetOfInputs) {
  for (const unsigned mask : Masks()) {
    const std::vector<Vector> x_bar = Vjp(Masked(mask), u_);
    const testing::ReferenceDerivatives expected = Reference(mask);
    for (size_t i = 0; i < num_differentiable(); ++i) {
      ExpectClose(x_bar[position_[i]], expected.x_bar[i], kFloatTolerance, "x_bar, inputs " + std::to_string(mask));
    }
  }
}

// d/dt of <u, f(x + t e_k)> for some k, by central differences.
TEST_P(OpOnCase, VjpEqualsCentralDifferences) {
  if (num_differentiable() == 0) return;
  const std::vector<Vector> x_bar = Vjp(x_dot_, u_);
  const auto weighted = [&](const std::vector<testing::DoubleTensor>& at) {
    const std::vector<double> y = testing::ReferenceForward(GetParam().graph, at).data;
    double sum = 0;
    for (size_t k = 0; k < y.size(); ++k) sum += u_[k] * y[k];
    return sum;
  };
  for (size_t i = 0; i < num_differentiable(); ++i) {
    const Vector& gradient = x_bar[position_[i]];
    const double scale = std::max(1.0, Norm(gradient));
    for (size_t k = 0; k < gradient.size(); k += 1 + gradient.size() / 8) {
      auto plus = Point(0);
      auto minus = Point(0);
      plus[i].data[k] += kDifferenceStep;
      minus[i].data[k] -= kDifferenceStep;
      const double difference = (weighted(plus) - weighted(minus)) / (2 * kDifferenceStep);
      EXPECT_NEAR(gradient[k], difference, (kFloatTolerance + kDifferenceTolerance) * scale) << i << " " << k;
    }
  }
}

TEST_P(OpOnCase, VjpIsTransposeOfJvp) {
  for (const unsigned mask : Masks()) {
    const std::vector<Vector> x_dot = Masked(mask);
    const std::vector<Vector> x_bar = Vjp(x_dot, u_);
    const Vector y_dot = Jvp(x_dot);
    double right = 0;
    for (size_t i = 0; i < x_dot.size(); ++i) right += Dot(x_bar[i], x_dot[i]);
    EXPECT_NEAR(Dot(u_, y_dot), right, kFloatTolerance * (1 + Norm(u_) * Norm(y_dot))) << mask;
  }
}

TEST_P(OpOnCase, VjpTangentEqualsReferenceForEverySetOfInputs) {
  for (const unsigned mask : Masks()) {
    const std::vector<Vector> x_bar_dot = VjpTangent(Masked(mask));
    const testing::ReferenceDerivatives expected = Reference(mask);
    for (size_t i = 0; i < num_differentiable(); ++i) {
      ExpectClose(x_bar_dot[position_[i]], expected.x_bar_dot[i], kFloatTolerance,
                  "x_bar_dot, inputs " + std::to_string(mask));
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Ops, OpOnCase, ::testing::ValuesIn(testing::AllOpCases()),
                         [](const auto& info) { return info.param.name; });

TEST(OpTable, EveryRowHasACase) {
  std::set<std::string> covered;
  for (const OpCase& op_case : testing::AllOpCases()) covered.insert(op_case.graph.nodes[0].op_type);
  for (const ops::OpEntry& entry : ops::OpTable()) {
    if (entry.lower != nullptr) continue;  // made of the others; tests/property/lowering_test.cc
    EXPECT_TRUE(covered.contains(std::string(entry.name))) << entry.name;
  }
}

// The tape itself against central differences of the plain double program.
TEST(ReferenceNetwork, TapeAgreesWithCentralDifferences) {
  for (const OpCase& op_case : testing::AllOpCases()) {
    if (op_case.inputs.empty()) continue;
    Rng rng(8, 0);
    std::vector<testing::DoubleTensor> at;
    std::vector<testing::DoubleTensor> plus;
    std::vector<testing::DoubleTensor> minus;
    std::vector<std::vector<double>> x_dot;
    for (const Tensor& input : op_case.inputs) {
      at.push_back({.shape = input.shape, .data = {input.data.begin(), input.data.end()}});
      plus.push_back(at.back());
      minus.push_back(at.back());
      x_dot.emplace_back();
      for (size_t k = 0; k < input.data.size(); ++k) {
        x_dot.back().push_back(rng.NextGaussian());
        plus.back().data[k] += kDifferenceStep * x_dot.back()[k];
        minus.back().data[k] -= kDifferenceStep * x_dot.back()[k];
      }
    }
    const size_t size = testing::ReferenceForward(op_case.graph, at).data.size();
    std::vector<double> u(size);
    for (double& value : u) value = rng.NextGaussian();
    const std::vector<double> zero(size, 0.0);
    const auto here = testing::Differentiate(op_case.graph, at, x_dot, u, zero);
    const auto ahead = testing::Differentiate(op_case.graph, plus, x_dot, u, zero);
    const auto behind = testing::Differentiate(op_case.graph, minus, x_dot, u, zero);
    for (size_t i = 0; i < here.x_bar.size(); ++i) {
      for (size_t k = 0; k < here.x_bar[i].size(); ++k) {
        const double difference = (ahead.x_bar[i][k] - behind.x_bar[i][k]) / (2 * kDifferenceStep);
        EXPECT_NEAR(here.x_bar_dot[i][k], difference, 1e-6 * (1 + std::abs(difference))) << op_case.name;
      }
    }
  }
}

}  // namespace
}  // namespace bitplan
