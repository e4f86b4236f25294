// The ONNX project's own tests (Debian package libonnx-testdata, onnx 1.12, opsets 1 to 17): over a thousand models of
// one or a few operators with inputs and outputs. Each whose operators our table claims is run, and what became of each
// is compared with a list, so that neither a wrong value nor a model that is silently left out goes unseen:
//
//   passed         every output that was asked for is right
//   refused        kUnimplemented, with the message
//   disputed       ONNX Runtime and PyTorch give what we give, the stored output is another (kDisputed)
//   outside        the data are no tensors of finite numbers: strings, sequences, NaN, empty tensors
//   not supported  models by the first operator that the table does not have
//
// A model's float inputs are computed values first; where an operator wants constants, all but the first become
// constants. Integer and boolean inputs are always constants. Further outputs are asked for if the operator has them.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "search/base/status.h"
#include "search/onnx/attributes.h"
#include "search/onnx/onnx_wire.pb.h"
#include "search/onnx/tensor_decode.h"
#include "search/ops/infer_shapes.h"
#include "search/ops/lowering.h"
#include "search/ops/op_table.h"
#include "tests/testing/golden_file.h"

namespace bitplan {
namespace {

namespace fs = std::filesystem;
using onnx::Constant;
using onnx_wire::ModelProto;
using onnx_wire::NodeProto;
using onnx_wire::TensorProto;

constexpr const char* kModels = "/usr/share/libonnx-testdata/data";

// Float kernels against references that were computed in float or double: relative to values above 1.
constexpr double kTolerance = 1e-4;
// Results stored in half precision have 10 bits of mantissa.
constexpr double kHalfTolerance = 1e-3;

// Stored outputs that divide by the fractional size scale * input where ONNX Runtime and PyTorch take the real size.
constexpr auto kDisputed = std::to_array<std::string_view>({"node/test_resize_downsample_scales_cubic_align_corners",
                                                            "node/test_resize_downsample_scales_linear_align_corners"});

// One model with its first data set. Inputs and outputs are by position; an input may be left out.
struct NodeTest {
  ModelProto model;
  std::vector<TensorProto> inputs;
  std::vector<TensorProto> outputs;
};

// Tensors that stand for something else (sequences, optional values) have no type.
std::vector<TensorProto> ReadTensors(const fs::path& folder, const std::string& kind) {
  std::vector<TensorProto> tensors;
  for (int i = 0;; ++i) {
    const fs::path file = folder / fmt::format("{}_{}.pb", kind, i);
    if (!fs::exists(file)) return tensors;
    tensors.emplace_back();
    if (!tensors.back().ParseFromString(testing::ReadFile(file.string()))) tensors.back().Clear();
  }
}

std::optional<NodeTest> ReadNodeTest(const fs::path& folder) {
  NodeTest test;
  if (!test.model.ParseFromString(testing::ReadFile((folder / "model.onnx").string()))) return std::nullopt;
  test.inputs = ReadTensors(folder / "test_data_set_0", "input");
  test.outputs = ReadTensors(folder / "test_data_set_0", "output");
  return test;
}

int64_t OpsetOf(const ModelProto& model) {
  for (const auto& import : model.opset_import()) {
    if (import.domain().empty() || import.domain() == "ai.onnx") return import.version();
  }
  return 1;
}

// How a model is tried.
struct Attempt {
  bool constant_inputs = false;    // float inputs but the first are constants
  bool first_output_only = false;  // later outputs are not asked for
};

// The model as a graph for one attempt, and the values of the graph's inputs.
struct Program {
  Graph graph;
  std::map<std::string, ValueId> ids;
  std::vector<Tensor> inputs;

  ValueId Id(const std::string& name) {
    if (name.empty()) return kNoValue;
    const auto [found, is_new] = ids.try_emplace(name, static_cast<ValueId>(graph.values.size()));
    if (is_new) graph.values.push_back({.name = name});
    return found->second;
  }
};

void SetConstant(Value& value, Constant constant) {
  std::visit([&](auto& tensor) { value.constant = std::move(tensor); }, constant);
}

absl::Status AddInputs(const NodeTest& test, const Attempt& attempt, Program& program) {
  const auto& declared = test.model.graph().input();
  for (int i = 0; i < std::min<int>(declared.size(), static_cast<int>(test.inputs.size())); ++i) {
    BITPLAN_ASSIGN_OR_RETURN(Constant constant, onnx::DecodeTensor(test.inputs[i], {}));
    const ValueId id = program.Id(declared[i].name());
    const Tensor* floats = std::get_if<Tensor>(&constant);
    if (floats == nullptr || (attempt.constant_inputs && i > 0)) {
      SetConstant(program.graph.values[id], std::move(constant));
    } else {
      program.graph.inputs.push_back({.value = id, .shape = floats->shape});
      program.inputs.push_back(*floats);
    }
  }
  for (const TensorProto& initializer : test.model.graph().initializer()) {
    BITPLAN_ASSIGN_OR_RETURN(Constant constant, onnx::DecodeTensor(initializer, {}));
    SetConstant(program.graph.values[program.Id(initializer.name())], std::move(constant));
  }
  return absl::OkStatus();
}

// Constant nodes of float or integer tensors become constants of the graph.
bool TakeConstant(const Node& node, Graph& graph) {
  const auto value = node.attributes.find("value");
  if (node.op_type != "Constant" || value == node.attributes.end()) return false;
  if (const auto* floats = std::get_if<Tensor>(&value->second)) graph.values[node.outputs[0]].constant = *floats;
  if (const auto* ints = std::get_if<IntTensor>(&value->second)) graph.values[node.outputs[0]].constant = *ints;
  return graph.values[node.outputs[0]].is_constant();
}

// The program with simpler nodes in place of those that have no kernel of their own.
absl::StatusOr<Program> Lowered(Program program, const NodeTest& test) {
  const auto is_lowered = [](const Node& node) {
    const ops::OpEntry* entry = ops::FindOp(node.op_type);
    return entry != nullptr && entry->lower != nullptr;
  };
  if (std::ranges::none_of(program.graph.nodes, is_lowered)) return program;
  for (const auto& output : test.model.graph().output()) program.graph.outputs.push_back(program.Id(output.name()));
  BITPLAN_ASSIGN_OR_RETURN(program.graph, ops::LowerAll(std::move(program.graph)));
  for (size_t i = 0; i < program.graph.outputs.size(); ++i) {
    program.ids[test.model.graph().output(static_cast<int>(i)).name()] = program.graph.outputs[i];
  }
  return program;
}

absl::StatusOr<Program> MakeProgram(const NodeTest& test, const Attempt& attempt) {
  Program program{.graph = {.opset_version = OpsetOf(test.model)}};
  BITPLAN_RETURN_IF_ERROR(AddInputs(test, attempt, program));
  for (const NodeProto& proto : test.model.graph().node()) {
    BITPLAN_ASSIGN_OR_RETURN(Attributes attributes, onnx::DecodeAttributes(proto, {}));
    Node node{.name = "node", .op_type = proto.op_type(), .attributes = std::move(attributes)};
    for (const std::string& name : proto.input()) node.inputs.push_back(program.Id(name));
    for (const std::string& name : proto.output()) {
      const bool asked_for = node.outputs.empty() || !attempt.first_output_only;
      node.outputs.push_back(asked_for ? program.Id(name) : kNoValue);
    }
    if (!TakeConstant(node, program.graph)) program.graph.nodes.push_back(std::move(node));
  }
  return Lowered(std::move(program), test);
}

// All values that the program computes, by ValueId; empty where there is none.
absl::StatusOr<std::vector<FloatVector>> Run(const Program& program, std::vector<Shape>& shapes) {
  const Graph& graph = program.graph;
  BITPLAN_ASSIGN_OR_RETURN(shapes, ops::InferShapes(graph, 1));
  std::vector<FloatVector> values(graph.values.size());
  for (size_t id = 0; id < values.size(); ++id) {
    if (const auto* tensor = std::get_if<Tensor>(&graph.values[id].constant)) values[id] = tensor->data;
  }
  for (size_t i = 0; i < graph.inputs.size(); ++i) values[graph.inputs[i].value] = program.inputs[i].data;
  for (int i = 0; i < static_cast<int>(graph.nodes.size()); ++i) {
    BITPLAN_ASSIGN_OR_RETURN(const auto op, ops::MakeOperator(graph, i, shapes));
    std::vector<std::span<const float>> reads;
    for (const ValueId id : graph.nodes[i].inputs) {
      reads.push_back(id == kNoValue ? std::span<const float>() : std::span<const float>(values[id]));
    }
    std::vector<std::span<float>> writes;
    for (const ValueId id : graph.nodes[i].outputs) {
      if (id != kNoValue) values[id].assign(NumElements(shapes[id]), NAN);
      writes.push_back(id == kNoValue ? std::span<float>() : std::span<float>(values[id]));
    }
    op->Forward(reads, writes);
  }
  return values;
}

bool Agrees(double got, double want, double tolerance) {
  if (std::isnan(want) || std::isinf(want)) return std::isnan(want) ? std::isnan(got) : got == want;
  return std::abs(got - want) <= tolerance * std::max(1.0, std::abs(want));
}

// "" or what is different.
std::string Compare(const FloatVector& got, const Shape& got_shape, const TensorProto& proto) {
  const absl::StatusOr<Constant> decoded = onnx::DecodeTensor(proto, {});
  if (!decoded.ok()) return fmt::format("expected output not read: {}", MessageOf(decoded.status()));
  const bool half = proto.data_type() == onnx::kTypeFloat16 || proto.data_type() == onnx::kTypeBFloat16;
  return std::visit(
      [&](const auto& want) -> std::string {
        if (got_shape != want.shape) return fmt::format("shape {}, want {}", ToString(got_shape), ToString(want.shape));
        for (size_t i = 0; i < want.data.size(); ++i) {
          const auto wanted = static_cast<double>(want.data[i]);
          if (Agrees(got[i], wanted, half ? kHalfTolerance : kTolerance)) continue;
          return fmt::format("element {}: {}, want {}", i, got[i], wanted);
        }
        return "";
      },
      *decoded);
}

// What became of one model.
struct Outcome {
  enum class Kind { kPassed, kRefused, kDisputed, kOutside, kWrong } kind = Kind::kPassed;
  std::string note;
};

Outcome Try(const NodeTest& test, const Attempt& attempt) {
  absl::StatusOr<Program> program = MakeProgram(test, attempt);
  std::vector<Shape> shapes;
  absl::StatusOr<std::vector<FloatVector>> values = program.ok() ? Run(*program, shapes) : program.status();
  if (!values.ok()) {
    const bool clear = absl::IsUnimplemented(values.status());
    return {.kind = clear ? Outcome::Kind::kRefused : Outcome::Kind::kWrong, .note = MessageOf(values.status())};
  }
  const auto& declared = test.model.graph().output();
  const int count = attempt.first_output_only ? 1 : static_cast<int>(test.outputs.size());
  for (int i = 0; i < std::min<int>(count, declared.size()); ++i) {
    const ValueId id = program->Id(declared[i].name());
    const std::string difference = Compare((*values)[id], shapes[id], test.outputs[i]);
    if (!difference.empty())
      return {.kind = Outcome::Kind::kWrong, .note = fmt::format("output {}: {}", i, difference)};
  }
  std::string note;
  if (attempt.constant_inputs) note = "inputs after the first are constants";
  if (attempt.first_output_only) note += note.empty() ? "first output only" : ", first output only";
  return {.note = note};
}

absl::Status CheckIsTensor(const onnx_wire::ValueInfoProto& declared, const TensorProto& data) {
  if (!declared.type().has_tensor_type()) return InvalidArgument("'{}' is no tensor", declared.name());
  BITPLAN_ASSIGN_OR_RETURN(const Constant constant, onnx::DecodeTensor(data, {}));
  const auto* floats = std::get_if<Tensor>(&constant);
  return floats != nullptr && floats->data.empty() ? InvalidArgument("'{}' has no elements", declared.name())
                                                   : absl::OkStatus();
}

// Whether all data are what the engine works on.
absl::Status CheckData(const NodeTest& test) {
  const auto& inputs = test.model.graph().input();
  const auto& outputs = test.model.graph().output();
  for (int i = 0; i < std::min<int>(inputs.size(), static_cast<int>(test.inputs.size())); ++i) {
    BITPLAN_RETURN_IF_ERROR(CheckIsTensor(inputs[i], test.inputs[i]));
  }
  for (int i = 0; i < std::min<int>(outputs.size(), static_cast<int>(test.outputs.size())); ++i) {
    BITPLAN_RETURN_IF_ERROR(CheckIsTensor(outputs[i], test.outputs[i]));
  }
  return absl::OkStatus();
}

// The first attempt that is not refused, else the refusal of the first.
Outcome RunNodeTest(const NodeTest& test) {
  if (const absl::Status data = CheckData(test); !data.ok()) {
    return {.kind = Outcome::Kind::kOutside, .note = MessageOf(data)};
  }
  const Outcome first = Try(test, {});
  if (first.kind != Outcome::Kind::kRefused) return first;
  for (const Attempt& attempt : {Attempt{.constant_inputs = true}, Attempt{.first_output_only = true},
                                 Attempt{.constant_inputs = true, .first_output_only = true}}) {
    Outcome outcome = Try(test, attempt);
    if (outcome.kind != Outcome::Kind::kRefused) return outcome;
  }
  return first;
}

// "shape: got .." of "nodes[0] 'node' (Op): shape: got ..".
std::string WithoutNode(std::string message) {
  const size_t end = message.find("): ");
  if (message.starts_with("node") && end != std::string::npos) message.erase(0, end + 3);
  return message;
}

// The operator of the model that the table does not have, if there is one.
std::string UnclaimedOperator(const ModelProto& model) {
  for (const NodeProto& node : model.graph().node()) {
    const bool standard = node.domain().empty() || node.domain() == "ai.onnx";
    if (!standard || ops::FindOp(node.op_type()) == nullptr) {
      return standard ? node.op_type() : node.domain() + "." + node.op_type();
    }
  }
  return "";
}

std::vector<fs::path> ModelFolders() {
  std::vector<fs::path> folders;
  for (const char* suite : {"node", "pytorch-converted", "pytorch-operator", "simple"}) {
    for (const auto& entry : fs::directory_iterator(fs::path(kModels) / suite)) {
      if (fs::exists(entry.path() / "model.onnx")) folders.push_back(entry.path());
    }
  }
  std::ranges::sort(folders);
  return folders;
}

// Lines about the models, by what became of them.
struct Report {
  std::map<Outcome::Kind, std::string> lines;
  std::map<Outcome::Kind, int> counts;
  std::map<std::string, int> unclaimed;

  void Add(const fs::path& folder) {
    const std::string name = (folder.parent_path().filename() / folder.filename()).string();
    const std::optional<NodeTest> test = ReadNodeTest(folder);
    ASSERT_TRUE(test) << name << ": the model does not parse";
    if (const std::string op = UnclaimedOperator(test->model); !op.empty()) {
      ++unclaimed[op];
      return;
    }
    Outcome outcome = RunNodeTest(*test);
    const bool disputed = std::ranges::find(kDisputed, name) != kDisputed.end();
    if (disputed && outcome.kind == Outcome::Kind::kWrong) outcome = {.kind = Outcome::Kind::kDisputed};
    EXPECT_NE(outcome.kind, Outcome::Kind::kWrong) << name << ": " << outcome.note;
    const std::map<Outcome::Kind, std::string> words = {{Outcome::Kind::kPassed, "passed"},
                                                        {Outcome::Kind::kRefused, "refused"},
                                                        {Outcome::Kind::kDisputed, "disputed"},
                                                        {Outcome::Kind::kOutside, "outside"},
                                                        {Outcome::Kind::kWrong, "WRONG"}};
    const std::string colon = outcome.note.empty() ? "" : ": ";
    lines[outcome.kind] += words.at(outcome.kind) + " " + name + colon + WithoutNode(outcome.note) + "\n";
    ++counts[outcome.kind];
  }

  std::string Text() {
    int others = 0;
    std::string list;
    for (const auto& [op, count] : unclaimed) {
      list += fmt::format("not supported {}: {}\n", op, count);
      others += count;
    }
    return fmt::format("{} passed, {} refused, {} disputed, {} outside, {} of operators that are not supported\n",
                       counts[Outcome::Kind::kPassed], counts[Outcome::Kind::kRefused],
                       counts[Outcome::Kind::kDisputed], counts[Outcome::Kind::kOutside], others) +
           lines[Outcome::Kind::kPassed] + lines[Outcome::Kind::kRefused] + lines[Outcome::Kind::kDisputed] +
           lines[Outcome::Kind::kOutside] + list;
  }
};

TEST(OnnxConformance, EveryModelPassesOrIsRefused) {
  ASSERT_TRUE(fs::exists(kModels)) << "install libonnx-testdata (deploy/packages.txt)";
  Report report;
  for (const fs::path& folder : ModelFolders()) report.Add(folder);
  fmt::print("{}", report.Text());
  testing::ExpectGolden(report.Text(), std::string(BITPLAN_TEST_DATA_DIR) + "/onnx_models.txt");
}

}  // namespace
}  // namespace bitplan
