// Times operators: nanoseconds an element (of the larger of first input and output) on one core for the four passes of
// search/ops/operator.h, best of seven runs.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include "search/base/rng.h"
#include "search/ops/dnnl_support.h"
#include "search/ops/infer_shapes.h"
#include "search/ops/op_table.h"

namespace {

using namespace bitplan;  // NOLINT(google-build-using-namespace)
using List = std::vector<int64_t>;
using Buffers = std::vector<std::vector<float>>;

double BestSeconds(const std::function<void()>& work) {
  double best = std::numeric_limits<double>::infinity();
  for (int i = 0; i < 7; ++i) {
    const auto start = std::chrono::steady_clock::now();
    work();
    best = std::min(best, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  }
  return best;
}

struct Case {
  std::string op_type;
  std::vector<Shape> inputs;
  Attributes attributes;
  std::vector<List> ints;  // constant inputs behind the others
  std::string remark;
  size_t num_active = 9;  // inputs with a derivative; scales and shifts of normalisations are no layer weights
};

Graph MakeGraph(const Case& c) {
  Graph graph{.opset_version = 23};
  Node node{.name = c.op_type, .op_type = c.op_type, .attributes = c.attributes};
  const auto add = [&](Value value) {
    node.inputs.push_back(static_cast<ValueId>(graph.values.size()));
    graph.values.push_back(std::move(value));
  };
  for (const Shape& shape : c.inputs) {
    add({.name = "x"});
    graph.inputs.push_back({.value = node.inputs.back(), .shape = shape});
  }
  for (const List& ints : c.ints) {
    add({.name = "c", .constant = IntTensor{.shape = {static_cast<int64_t>(ints.size())}, .data = ints}});
  }
  node.outputs = {static_cast<ValueId>(graph.values.size())};
  graph.values.push_back({.name = "y"});
  graph.nodes.push_back(std::move(node));
  return graph;
}

Buffers RandomBuffers(const std::vector<Shape>& shapes) {
  Buffers buffers;
  Rng rng(1, 0);
  for (const Shape& shape : shapes) {
    buffers.emplace_back(NumElements(shape));
    rng.FillGaussian(buffers.back());
  }
  return buffers;
}

std::vector<std::span<const float>> Reads(const Buffers& buffers, size_t count) {
  std::vector<std::span<const float>> spans(buffers.begin(), buffers.end());
  spans.resize(std::max(count, spans.size()));
  return spans;
}

std::vector<std::span<float>> Writes(Buffers& buffers, size_t count) {
  std::vector<std::span<float>> spans(buffers.begin(), buffers.end());
  spans.resize(std::max(count, spans.size()));
  return spans;
}

void Time(const Case& c) {
  const Graph graph = MakeGraph(c);
  const auto shapes = ops::InferShapes(graph, 1).value();
  const auto op = ops::MakeOperator(graph, 0, shapes).value();
  const size_t count = graph.nodes[0].inputs.size();
  Buffers x = RandomBuffers(c.inputs);
  Buffers x_out = x;
  Buffers y = RandomBuffers(op->output_shapes());
  Buffers y_out = y;
  const auto in = Reads(x, count);
  const auto out = Reads(y, 1);
  auto x_dot = in;
  auto x_bar = Writes(x_out, count);
  for (size_t i = c.num_active; i < count; ++i) {
    x_dot[i] = {};
    x_bar[i] = {};
  }
  const auto y_dot = Writes(y_out, 1);
  const auto elements = static_cast<double>(std::max(x[0].size(), y[0].size()));
  const auto nanos = [&](const std::function<void()>& work) { return 1e9 * BestSeconds(work) / elements; };
  const double forward = nanos([&] { op->Forward(in, y_dot); });
  const double jvp = nanos([&] { op->Jvp({in, out}, x_dot, y_dot); });
  const double vjp = nanos([&] { op->Vjp({in, out}, out, x_bar); });
  const double tangent = nanos([&] { op->VjpTangent({in, out}, x_dot, out, out, x_bar); });
  fmt::print("| {}{} | {:.2f} | {:.2f} | {:.2f} | {:.2f} |\n", c.op_type, c.remark, forward, jvp, vjp, tangent);
}

}  // namespace

int main() {
  const ops::ScopedSingleThread single_thread;
  const Shape tokens = {64, 64, 256};
  const Shape images = {16, 64, 32, 32};
  fmt::print("| operator | forward | jvp | vjp | tangent of vjp |\n| --- | --- | --- | --- | --- |\n");
  for (const char* op : {"Relu", "Sigmoid", "Tanh", "Erf", "Exp", "Softplus", "Gelu", "Mish", "Elu", "HardSwish"}) {
    Time({.op_type = op, .inputs = {tokens}});
  }
  Time({.op_type = "Add", .inputs = {tokens, tokens}});
  Time({.op_type = "Mul", .inputs = {tokens, {256}}, .remark = ", a row"});
  Time({.op_type = "PRelu", .inputs = {images, {64, 1, 1}}});
  Time({.op_type = "Where", .inputs = {tokens, tokens, tokens}});
  Time({.op_type = "Softmax", .inputs = {tokens}});
  Time({.op_type = "LayerNormalization", .inputs = {tokens, {256}, {256}}, .num_active = 1});
  Time({.op_type = "RMSNormalization", .inputs = {tokens, {256}}, .num_active = 1});
  Time({.op_type = "InstanceNormalization", .inputs = {images, {64}, {64}}, .num_active = 1});
  Time({.op_type = "GroupNormalization",
        .inputs = {images, {64}, {64}},
        .attributes = {{"num_groups", int64_t{8}}},
        .num_active = 1});
  Time({.op_type = "ReduceMean", .inputs = {tokens}, .ints = {{2}}});
  Time({.op_type = "ReduceL2", .inputs = {tokens}, .ints = {{2}}});
  Time({.op_type = "ReduceMax", .inputs = {tokens}, .ints = {{2}}});
  Time({.op_type = "Transpose", .inputs = {tokens}, .attributes = {{"perm", List{0, 2, 1}}}});
  Time({.op_type = "Slice", .inputs = {tokens}, .ints = {{0}, {256}, {2}, {2}}, .remark = ", every second"});
  Time({.op_type = "DepthToSpace", .inputs = {images}, .attributes = {{"blocksize", int64_t{2}}}});
}
