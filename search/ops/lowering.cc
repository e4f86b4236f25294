#include "search/ops/lowering.h"

#include <algorithm>
#include <array>
#include <map>
#include <utility>

#include "search/base/status.h"
#include "search/ops/op_table.h"

namespace bitplan::ops {
namespace {

constexpr int64_t kAxesAreInputs = 13;

Shape VectorShape(const std::vector<int64_t>& data) { return {static_cast<int64_t>(data.size())}; }

// Shapes of what is there before any node runs.
std::vector<Shape> KnownShapes(const Graph& graph, int64_t batch) {
  std::vector<Shape> shapes(graph.values.size());
  for (size_t id = 0; id < graph.values.size(); ++id) {
    if (const auto* floats = std::get_if<Tensor>(&graph.values[id].constant)) shapes[id] = floats->shape;
    if (const auto* ints = std::get_if<IntTensor>(&graph.values[id].constant)) shapes[id] = ints->shape;
  }
  for (const GraphInput& input : graph.inputs) {
    shapes[input.value] = input.shape;
    if (!input.shape.empty() && input.shape[0] == kDynamic) shapes[input.value][0] = batch;
  }
  return shapes;
}

// Writes at the end of a graph, with shapes for two numbers of samples: sizes that differ depend on it.
class GraphWriter final : public NodeWriter {
 public:
  explicit GraphWriter(Graph& graph)
      : NodeWriter(graph.opset_version), graph_(graph), shapes_{KnownShapes(graph, 2), KnownShapes(graph, 3)} {}

  Shape shape(ValueId id) const override {
    Shape shape = shapes_[0][id];
    for (size_t i = 0; i < shape.size(); ++i) {
      if (shape[i] != shapes_[1][id][i]) shape[i] = kDynamic;
    }
    return shape;
  }
  const Value& value(ValueId id) const override { return graph_.values[id]; }

  ValueId AddConstant(std::variant<Tensor, IntTensor> constant) override {
    const ValueId id = AddValue(std::visit([](const auto& tensor) { return tensor.shape; }, constant));
    std::visit([&](auto& tensor) { graph_.values[id].constant = std::move(tensor); }, constant);
    return id;
  }

  absl::StatusOr<ValueId> AddNode(const std::string& op_type, std::vector<ValueId> inputs,
                                  Attributes attributes) override {
    const ValueId output = AddValue({});
    BITPLAN_RETURN_IF_ERROR(Place(Node{.name = fmt::format("{}_lowered_{}", op_type, output),
                                       .op_type = op_type,
                                       .inputs = std::move(inputs),
                                       .outputs = {output},
                                       .attributes = std::move(attributes)}));
    return output;
  }

  absl::Status Place(Node node) {
    graph_.nodes.push_back(std::move(node));
    const std::vector<ValueId>& outputs = graph_.nodes.back().outputs;
    for (std::vector<Shape>& shapes : shapes_) {
      BITPLAN_ASSIGN_OR_RETURN(const auto made,
                               MakeUnpreparedOperator(graph_, static_cast<int>(graph_.nodes.size()) - 1, shapes));
      for (size_t i = 0; i < std::min(outputs.size(), made->output_shapes().size()); ++i) {
        if (outputs[i] != kNoValue) shapes[outputs[i]] = made->output_shapes()[i];
      }
    }
    return absl::OkStatus();
  }

 private:
  ValueId AddValue(const Shape& shape) {
    const auto id = static_cast<ValueId>(graph_.values.size());
    graph_.values.push_back({.name = fmt::format("lowered_{}", id)});
    for (std::vector<Shape>& shapes : shapes_) shapes.push_back(shape);
    return id;
  }

  Graph& graph_;
  std::array<std::vector<Shape>, 2> shapes_;
};

}  // namespace

absl::StatusOr<ValueId> NodeWriter::Transpose(ValueId x, std::vector<int64_t> perm) {
  return AddNode("Transpose", {x}, {{"perm", std::move(perm)}});
}

absl::StatusOr<ValueId> NodeWriter::Unsqueeze(ValueId x, std::vector<int64_t> axes) {
  if (opset_version_ < kAxesAreInputs) return AddNode("Unsqueeze", {x}, {{"axes", std::move(axes)}});
  const Shape shape = VectorShape(axes);
  return AddNode("Unsqueeze", {x, AddConstant(IntTensor{.shape = shape, .data = std::move(axes)})}, {});
}

absl::StatusOr<ValueId> NodeWriter::Pick(ValueId x, int64_t axis, std::vector<int64_t> indices) {
  const Shape shape = VectorShape(indices);
  return AddNode("Gather", {x, AddConstant(IntTensor{.shape = shape, .data = std::move(indices)})}, {{"axis", axis}});
}

absl::StatusOr<ValueId> NodeWriter::PickOne(ValueId x, int64_t axis, int64_t index) {
  return AddNode("Gather", {x, AddConstant(IntTensor{.shape = {}, .data = {index}})}, {{"axis", axis}});
}

absl::StatusOr<ValueId> NodeWriter::Concat(std::vector<ValueId> parts, int64_t axis) {
  if (parts.size() == 1) return parts[0];
  return AddNode("Concat", std::move(parts), {{"axis", axis}});
}

absl::StatusOr<ValueId> NodeWriter::Reshape(ValueId x, std::vector<int64_t> target) {
  const Shape shape = VectorShape(target);
  return AddNode("Reshape", {x, AddConstant(IntTensor{.shape = shape, .data = std::move(target)})}, {});
}

absl::StatusOr<Graph> LowerAll(Graph graph) {
  std::vector<Node> nodes = std::exchange(graph.nodes, {});
  std::map<ValueId, ValueId> stands_for;
  const auto replace = [&](ValueId& id) {
    if (const auto found = stands_for.find(id); found != stands_for.end()) id = found->second;
  };
  GraphWriter writer(graph);
  for (Node& node : nodes) {
    for (ValueId& id : node.inputs) replace(id);
    const OpEntry* entry = FindOp(node.op_type);
    if (entry == nullptr || entry->lower == nullptr) {
      BITPLAN_RETURN_IF_ERROR(writer.Place(std::move(node)));
      continue;
    }
    BITPLAN_ASSIGN_OR_RETURN(const std::vector<ValueId> outputs, entry->lower(node, writer));
    for (size_t i = 0; i < node.outputs.size(); ++i) {
      if (node.outputs[i] != kNoValue) stands_for[node.outputs[i]] = outputs.at(i);
    }
  }
  for (ValueId& id : graph.outputs) replace(id);
  return graph;
}

}  // namespace bitplan::ops
