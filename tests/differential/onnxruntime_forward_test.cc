// The forward pass of real networks against ONNX Runtime (npm onnxruntime-node): every output that is floating point,
// to 1e-4 of the output's largest value. Networks and runtime are downloaded (onnxruntime_forward/fetch) into
// $BITPLAN_NETWORKS or a folder under the temporary one; without npm or a network the test is skipped, with a message.

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "search/base/rng.h"
#include "search/base/status.h"
#include "search/onnx/parse_model.h"
#include "search/ops/executor.h"
#include "tests/testing/golden_file.h"
#include "tests/testing/subprocess.h"

namespace bitplan {
namespace {

namespace fs = std::filesystem;

// Float kernels in another order of additions, through up to 200 nodes.
constexpr double kTolerance = 1e-4;

const std::string kScripts = std::string(BITPLAN_SOURCE_DIR) + "/tests/differential/onnxruntime_forward";

struct Network {
  std::string file;
  std::map<std::string, Shape> inputs;  // with a number of samples
  std::map<std::string, onnx::Constant> constants = {};
  size_t num_layers = 0;
  float largest_input = 1;  // inputs are uniform between 0 and this, or its negative and this
  bool positive = false;
  // The last output is x where x equals the largest of its neighbours, else 0: a jump, which rounding may take or not.
  bool keeps_maxima = false;
};

Tensor Zeros(const Shape& shape) { return Tensor::Zeros(shape); }
IntTensor Number(int64_t value) { return {.shape = {}, .data = {value}}; }

std::vector<Network> AllNetworks() {
  const Shape state = {2, 1, 128};
  const Shape legacy = {2, 1, 64};
  return {
      {.file = "ch_PP-OCRv4_det_infer.onnx", .inputs = {{"x", {1, 3, 96, 160}}}, .num_layers = 64},
      {.file = "ch_PP-OCRv4_rec_infer.onnx", .inputs = {{"x", {2, 3, 48, 160}}}, .num_layers = 47},
      {.file = "ch_ppocr_mobile_v2.0_cls_infer.onnx", .inputs = {{"x", {2, 3, 48, 192}}}, .num_layers = 54},
      {.file = "face_detection_front_128x128_barracuda.onnx",
       .inputs = {{"input:0", {1, 128, 128, 3}}},
       .num_layers = 37},
      {.file = "face_detection_back_256x256_barracuda.onnx",
       .inputs = {{"input:0", {1, 256, 256, 3}}},
       .num_layers = 69},
      {.file = "mlsd_320x320_tiny.onnx",
       .inputs = {{"input_image_with_alpha:0", {1, 320, 320, 4}}},
       .num_layers = 41,
       .largest_input = 255,
       .positive = true,
       .keeps_maxima = true},
      {.file = "mlsd_320x320_large.onnx",
       .inputs = {{"input_image_with_alpha:0", {1, 320, 320, 4}}},
       .num_layers = 58,
       .largest_input = 255,
       .positive = true,
       .keeps_maxima = true},
      {.file = "mlsd_512x512_tiny.onnx",
       .inputs = {{"input_image_with_alpha:0", {1, 512, 512, 4}}},
       .num_layers = 41,
       .largest_input = 255,
       .positive = true,
       .keeps_maxima = true},
      {.file = "mlsd_512x512_large.onnx",
       .inputs = {{"input_image_with_alpha:0", {1, 512, 512, 4}}},
       .num_layers = 58,
       .largest_input = 255,
       .positive = true,
       .keeps_maxima = true},
      {.file = "silero_vad_legacy.onnx",
       .inputs = {{"input", {1, 1536}}},
       .constants = {{"sr", Number(16000)}, {"h", Zeros(legacy)}, {"c", Zeros(legacy)}},
       .num_layers = 22},
      {.file = "silero_vad_v5.onnx",
       .inputs = {{"input", {1, 512}}},
       .constants = {{"sr", Number(16000)}, {"state", Zeros(state)}},
       .num_layers = 8},
      {.file = "silero_vad_v6.onnx",
       .inputs = {{"input", {1, 256}}},
       .constants = {{"sr", Number(8000)}, {"state", Zeros(state)}},
       .num_layers = 8},
  };
}

fs::path Folder() {
  const char* given = std::getenv("BITPLAN_NETWORKS");
  return given != nullptr ? fs::path(given) : fs::temp_directory_path() / "bitplan_onnxruntime_forward";
}

template <typename T>
void WriteBytes(const fs::path& file, const T& data) {
  std::ofstream(file, std::ios::binary)
      .write(reinterpret_cast<const char*>(data.data()), static_cast<std::streamsize>(data.size() * sizeof(data[0])));
}

std::string Join(const Shape& shape) { return fmt::format("{}", fmt::join(shape, " ")); }

struct Output {
  std::string name;
  Shape shape;
  FloatVector data;
};

// What ONNX Runtime makes of the inputs.
std::vector<Output> RunReference(const Network& network, const std::map<std::string, Tensor>& inputs) {
  const fs::path work = Folder() / ("work_" + network.file);
  fs::create_directories(work);
  std::ofstream list(work / "inputs.txt");
  int count = 0;
  const auto add = [&](const std::string& name, const char* type, const Shape& shape, const auto& data) {
    const fs::path file = work / fmt::format("input_{}.bin", count++);
    WriteBytes(file, data);
    list << fmt::format("{} {} {} {}\n", name, type, file.string(), Join(shape));
  };
  for (const auto& [name, tensor] : inputs) add(name, "float32", tensor.shape, tensor.data);
  for (const auto& [name, constant] : network.constants) {
    if (const auto* floats = std::get_if<Tensor>(&constant)) add(name, "float32", floats->shape, floats->data);
    if (const auto* ints = std::get_if<IntTensor>(&constant)) add(name, "int64", ints->shape, ints->data);
  }
  list.close();
  const testing::ProcessResult run =
      testing::RunProcess({"/usr/bin/env", "node", kScripts + "/forward.js", Folder().string(),
                           (Folder() / network.file).string(), work.string()});
  EXPECT_EQ(run.exit_code, 0) << run.err;
  std::vector<Output> outputs;
  std::istringstream lines(run.out);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    Output output;
    std::string file;
    words >> output.name >> file;
    for (int64_t size = 0; words >> size;) output.shape.push_back(size);
    const std::string bytes = testing::ReadFile(file);
    output.data.resize(bytes.size() / sizeof(float));
    std::copy_n(bytes.data(), bytes.size(), reinterpret_cast<char*>(output.data.data()));
    outputs.push_back(std::move(output));
  }
  return outputs;
}

// Below this an output counts as this large: ONNX Runtime's sigmoid is off by 2 % at 4e-7.
constexpr double kSmallOutput = 1e-3;

// An output that jumps may be 0 on one side where it is below this part of its largest value: ONNX Runtime's sigmoid is
// a step function down there, so that neighbours are equal which are not.
constexpr double kLargestJump = 2e-3;

// Largest difference relative to the output's largest value.
double Difference(std::span<const float> got, const FloatVector& want, bool jumps) {
  double largest = kSmallOutput;
  for (const float w : want) largest = std::max(largest, std::abs(static_cast<double>(w)));
  double worst = 0;
  for (size_t i = 0; i < want.size(); ++i) {
    if (std::isnan(got[i]) != std::isnan(want[i])) return HUGE_VAL;
    const double difference = std::abs(static_cast<double>(got[i]) - want[i]) / largest;
    const bool jumped = jumps && (got[i] == 0) != (want[i] == 0);
    if (jumped) {
      EXPECT_LE(difference, kLargestJump);
    } else {
      worst = std::max(worst, difference);
    }
  }
  return worst;
}

Tensor RandomInput(const Network& network, const Shape& shape, uint64_t seed) {
  Tensor tensor = Tensor::Zeros(shape);
  Rng rng(seed, 0);
  for (float& value : tensor.data) {
    value =
        network.largest_input * static_cast<float>(network.positive ? rng.NextUniform() : 2 * rng.NextUniform() - 1);
  }
  return tensor;
}

class OnnxRuntimeForward : public ::testing::TestWithParam<Network> {
 protected:
  static void SetUpTestSuite() {
    const testing::ProcessResult fetched = testing::RunProcess({"/bin/sh", kScripts + "/fetch", Folder().string()});
    if (fetched.exit_code != 0)
      missing_ = fmt::format("no networks to compare, npm or the network is missing: {}", fetched.err);
  }
  static std::string missing_;
};
std::string OnnxRuntimeForward::missing_;

TEST_P(OnnxRuntimeForward, EveryOutputAgrees) {
  if (!missing_.empty()) GTEST_SKIP() << missing_;
  const Network& network = GetParam();
  onnx::ParseOptions options{.constants = {network.constants.begin(), network.constants.end()}};
  for (const auto& [name, shape] : network.inputs) options.input_shapes[name] = shape;
  const absl::StatusOr<Graph> graph = onnx::ParseModel(testing::ReadFile((Folder() / network.file).string()), options);
  ASSERT_TRUE(graph.ok()) << graph.status();

  std::map<std::string, Tensor> inputs;
  ops::Feed feed;
  for (const GraphInput& input : graph->inputs) {
    const std::string& name = graph->values[input.value].name;
    inputs[name] = RandomInput(network, input.shape, inputs.size());
  }
  for (const GraphInput& input : graph->inputs) feed.inputs.push_back(inputs[graph->values[input.value].name].data);
  const std::vector<Output> wanted = RunReference(network, inputs);
  ASSERT_EQ(wanted.size(), graph->outputs.size());

  int64_t macs = 0;
  for (const Layer& layer : graph->layers.layers) macs += layer.macs;
  double worst = 0;
  for (size_t i = 0; i < wanted.size(); ++i) {
    absl::StatusOr<ops::Program> program = ops::Program::Compile(*graph, graph->inputs[0].shape[0], graph->outputs[i]);
    ASSERT_TRUE(program.ok()) << program.status();
    ops::Primals primals(*program);
    ops::Forward(*program, feed, ops::KeepValues::kNone, primals);
    EXPECT_EQ(program->shapes[program->output], wanted[i].shape) << wanted[i].name;
    const std::span<const float> got = primals.values.view(program->output);
    ASSERT_EQ(got.size(), wanted[i].data.size()) << wanted[i].name;
    const double difference = Difference(got, wanted[i].data, network.keeps_maxima && i + 1 == wanted.size());
    EXPECT_LE(difference, kTolerance) << wanted[i].name;
    worst = std::max(worst, difference);
  }
  EXPECT_EQ(graph->layers.layers.size(), network.num_layers);
  fmt::print("| `{}` | {} | {} | {:.1f} M | {} | {:.1e} |\n", network.file, graph->nodes.size(),
             graph->layers.layers.size(), static_cast<double>(macs) / 1e6, wanted.size(), worst);
}

std::string NameOf(const ::testing::TestParamInfo<Network>& info) {
  std::string name = fs::path(info.param.file).stem().string();
  std::ranges::replace_if(
      name, [](unsigned char c) { return std::isalnum(c) == 0; }, '_');
  return name;
}

INSTANTIATE_TEST_SUITE_P(Networks, OnnxRuntimeForward, ::testing::ValuesIn(AllNetworks()), NameOf);

}  // namespace
}  // namespace bitplan
