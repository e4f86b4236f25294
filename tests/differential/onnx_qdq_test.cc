// The QDQ export of real networks in ONNX Runtime (npm onnxruntime-node) against our simulated quantization, on
// held-out data. The runtime is downloaded (onnx_qdq/fetch) into $BITPLAN_ONNXRUNTIME or a folder under the temporary
// one; without npm and without that folder the tests are skipped, with a message. $BITPLAN_QDQ_NETWORKS names another
// folder with networks (*.onnx), calibration.npz and held_out.npz.

#include "search/exporters/onnx_qdq.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "search/base/rng.h"
#include "search/base/status.h"
#include "search/data/npz.h"
#include "search/exporters/exporter_table.h"
#include "search/hardware/shipped_profiles.h"
#include "search/onnx/parse_model.h"
#include "search/ops/objective.h"
#include "search/pipeline/budget.h"
#include "search/pipeline/run_search.h"
#include "search/quantization/quantizer.h"
#include "search/quantization/quantizer_table.h"
#include "search/sensitivity/activation_ranges.h"
#include "tests/testing/golden_file.h"
#include "tests/testing/subprocess.h"

namespace bitplan {
namespace {

namespace fs = std::filesystem;

// Share of samples whose largest logit must be the same.
constexpr double kLeastAgreement = 0.995;

const std::string kScripts = std::string(BITPLAN_SOURCE_DIR) + "/tests/differential/onnx_qdq";

fs::path FolderOf(const char* variable, const fs::path& otherwise) {
  const char* given = std::getenv(variable);
  return given != nullptr ? fs::path(given) : otherwise;
}

fs::path Runtime() { return FolderOf("BITPLAN_ONNXRUNTIME", fs::temp_directory_path() / "bitplan_onnxruntime"); }

struct Data {
  fs::path networks;
  std::string calibration;
  std::string held_out;
};

Data LoadData() {
  const fs::path bundled = fs::path(BITPLAN_TEST_DATA_DIR) / "models";
  const fs::path folder = FolderOf("BITPLAN_QDQ_NETWORKS", bundled);
  const bool own = folder != bundled;
  return {.networks = folder,
          .calibration = testing::ReadFile(folder / (own ? "calibration.npz" : "fmnist_calibration_128.npz")),
          .held_out = testing::ReadFile(folder / (own ? "held_out.npz" : "fmnist_held_out_500.npz"))};
}

std::vector<std::string> NetworkNames() {
  std::vector<std::string> names;
  for (const auto& file : fs::directory_iterator(LoadData().networks)) {
    if (file.path().extension() == ".onnx") names.push_back(file.path().stem().string());
  }
  std::ranges::sort(names);
  return names;
}

// A way to choose options, layer by layer.
struct Case {
  std::string name;
  Option (*option)(int64_t layer, const Layer& of);
  bool activations = false;
  // Differences allowed, of the largest logit. Weights only: float sums in another order, 1e-4 as in
  // onnxruntime_forward_test. With activations, such a difference may move a value across a rounding threshold: one
  // step of its grid, which the layers behind spread. Then only the mean over samples is held to a bound.
};

Option Uniform(int bits, Granularity granularity = Granularity::kPerChannel, std::string scheme = "symmetric") {
  return {.weight_bits = bits, .activation_bits = 8, .scheme = std::move(scheme), .granularity = granularity};
}

Option WithActivations(Option option, int bits) {
  option.activation_bits = bits;
  return option;
}

// What a search may choose: all widths, both uniform schemes, all granularities.
Option Mixed(int64_t layer, const Layer& of) {
  constexpr std::array kBits = {8, 4, 3, 6, 5, 2, 7};
  const int64_t of_channel = of.num_weights / of.num_output_channels();
  Option option{.weight_bits = kBits[layer % kBits.size()],
                .activation_bits = layer % 3 == 1 ? 6 : 8,
                .scheme = layer % 2 == 0 ? "symmetric" : "affine",
                .granularity = kGranularities[layer % kGranularities.size()]};
  if (option.granularity == Granularity::kPerGroup) {
    option.group_size = of_channel % 8 == 0 ? 8 : of_channel % 9 == 0 ? 9 : 1;
  }
  if (option.granularity == Granularity::kPerChannelGroup) option.group_size = 4;
  if (option.weight_bits <= 3) option.scheme = "symmetric_full";
  return option;
}

// Schemes that are no uniform grids.
Option OtherSchemes(int64_t layer, const Layer& of) {
  constexpr std::array<std::string_view, 8> kSchemes = {"fp8_e4m3", "kmeans", "fp8_e5m2",     "ternary",
                                                        "fp8_e4m3", "binary", "power_of_two", "additive_power_of_two"};
  const bool is_small = of.num_weights < 2000;  // a network of binary layers alone knows nothing
  const std::string scheme(is_small ? "fp8_e5m2" : kSchemes[layer % kSchemes.size()]);
  const auto entry = quantization::FindQuantizer(scheme);
  return {.weight_bits = std::clamp(5, entry->min_bits, entry->max_bits), .activation_bits = 8, .scheme = scheme};
}

std::vector<Case> Cases() {
  std::vector<Case> cases = {
      {.name = "w8", .option = [](int64_t, const Layer&) { return Uniform(8); }},
      {.name = "w4", .option = [](int64_t, const Layer&) { return Uniform(4); }},
      {.name = "w4 affine",
       .option = [](int64_t, const Layer&) { return Uniform(4, Granularity::kPerTensor, "affine"); }},
      {.name = "mixed", .option = &Mixed},
      {.name = "other schemes", .option = &OtherSchemes},
      {.name = "w8a8", .option = [](int64_t, const Layer&) { return Uniform(8); }, .activations = true},
      {.name = "w4a8", .option = [](int64_t, const Layer&) { return Uniform(4); }, .activations = true},
      {.name = "w8a16",
       .option = [](int64_t, const Layer&) { return WithActivations(Uniform(8), 16); },
       .activations = true},
      {.name = "w4a4",
       .option = [](int64_t, const Layer&) { return WithActivations(Uniform(4), 4); },
       .activations = true},
      {.name = "mixed, activations", .option = &Mixed, .activations = true}};
  return cases;
}

// What a search finds at half the size of uniform 8 bit, of 2 to 8 bits, symmetric and affine.
Plan Searched(const std::string& onnx, const std::string& calibration) {
  const MeasureRequest measure{.onnx = onnx,
                               .dataset = calibration,
                               .quantization = {.group_sizes = {8}},
                               .sensitivity = {.method = "gauss_newton_direct", .max_samples = 16}};
  const auto measured = pipeline::Measure(measure, {});
  EXPECT_TRUE(measured.ok()) << measured.status();
  SearchRequest request{.profile = hardware::FindShippedProfile("generic").value(),
                        .budgets = {pipeline::ParseBudget("size=0.5x").value()}};
  const auto plan = pipeline::Search(*measured, request, {});
  EXPECT_TRUE(plan.ok()) << plan.status();
  return *plan;
}

struct PlannedRun {
  std::string name;
  Plan plan;
  bool activations = false;
};

Plan PlanFor(const Graph& graph, const Case& of) {
  Plan plan{.termination = Termination::kOptimal};
  for (int64_t l = 0; l < std::ssize(graph.layers.layers); ++l) {
    const Layer& layer = graph.layers.layers[l];
    plan.layers.push_back({.layer = layer, .chosen = PlanOption{.option = of.option(l, layer)}});
  }
  return plan;
}

// Logits of all samples under the plan, simulated.
FloatVector Simulate(const Graph& graph, const Dataset& held_out, const ActivationCalibration* activations,
                     const Plan& plan) {
  Substitution substitution;
  std::vector<std::vector<float>> weights;
  std::vector<const Option*> options;
  for (size_t l = 0; l < plan.layers.size(); ++l) {
    const auto& tensor = std::get<Tensor>(graph.values[graph.layer_weights[l].weight].constant);
    options.push_back(&plan.layers[l].chosen->option);
    const auto quantized =
        quantization::Quantize(TensorView(tensor.data, tensor.shape), graph.layers.layers[l].output_channel_axis,
                               *options.back(), {.seed = plan.provenance.seed, .stream = l});
    EXPECT_TRUE(quantized.ok()) << quantized.status();
    weights.push_back(quantization::Dequantize(*quantized, tensor.shape));
  }
  for (size_t l = 0; l < weights.size(); ++l) substitution.weights[static_cast<int>(l)] = weights[l];
  if (activations != nullptr) {
    substitution.transforms =
        *sensitivity::ActivationTransforms(*activations, sensitivity::WidthsOfPoints(*activations, options));
  }
  const auto objective = Objective::Create(graph, held_out, {});
  EXPECT_TRUE(objective.ok()) << objective.status();
  FloatVector logits((*objective)->num_samples() * (*objective)->num_outputs());
  const auto visit = [&](int, int64_t first, std::span<const float> outputs, std::span<const double>) {
    std::ranges::copy(outputs, logits.begin() + first * (*objective)->num_outputs());
  };
  EXPECT_TRUE((*objective)->RunSubstituted({&substitution, 1}, visit, {}).ok());
  return logits;
}

struct Comparison {
  double agreement = 0;  // share of samples with the same largest logit
  double largest = 0;    // difference, of the largest logit of all
  double mean = 0;
};

Comparison Compare(const FloatVector& want, const FloatVector& got, int64_t classes) {
  Comparison comparison;
  float largest = 0;
  for (const float w : want) largest = std::max(largest, std::abs(w));
  const int64_t samples = std::ssize(want) / classes;
  for (int64_t n = 0; n < samples; ++n) {
    const auto own = want.begin() + n * classes;
    const auto theirs = got.begin() + n * classes;
    comparison.agreement +=
        std::max_element(own, own + classes) - own == std::max_element(theirs, theirs + classes) - theirs ? 1 : 0;
  }
  comparison.agreement /= static_cast<double>(samples);
  for (size_t i = 0; i < want.size(); ++i) {
    const double difference = std::abs(static_cast<double>(want[i]) - got[i]) / largest;
    comparison.largest = std::max(comparison.largest, difference);
    comparison.mean += difference / static_cast<double>(want.size());
  }
  return comparison;
}

// Share of samples whose largest logit is that of their label.
double Accuracy(const FloatVector& logits, const ClassLabels& labels) {
  const int64_t classes = std::ssize(logits) / std::ssize(labels);
  int64_t right = 0;
  for (int64_t n = 0; n < std::ssize(labels); ++n) {
    const auto row = logits.begin() + n * classes;
    right += std::max_element(row, row + classes) - row == labels[n] ? 1 : 0;
  }
  return static_cast<double>(right) / static_cast<double>(labels.size());
}

void WriteBytes(const fs::path& file, const void* data, size_t size) {
  std::ofstream(file, std::ios::binary).write(static_cast<const char*>(data), static_cast<std::streamsize>(size));
}

FloatVector ReadFloats(const fs::path& file) {
  const std::string bytes = testing::ReadFile(file);
  FloatVector floats(bytes.size() / sizeof(float));
  std::copy_n(bytes.data(), bytes.size(), reinterpret_cast<char*>(floats.data()));
  return floats;
}

class OnnxQdq : public ::testing::TestWithParam<std::string> {
 protected:
  static void SetUpTestSuite() {
    const testing::ProcessResult fetched = testing::RunProcess({"/bin/sh", kScripts + "/fetch", Runtime().string()});
    if (fetched.exit_code != 0)
      missing_ = fmt::format("no ONNX Runtime, npm or the network is missing: {}", fetched.err);
  }
  static std::string missing_;
};
std::string OnnxQdq::missing_;

// Differences allowed, of the largest logit. Weights only: float sums in another order, as in onnxruntime_forward_test.
constexpr double kLargestOfWeights = 1e-4;
// With activations such a difference may move a value across a rounding threshold: by a step of its grid, 1/255 of the
// tensor's range at 8 bits and 1/15 at 4, which the layers behind spread. Few values are that near a threshold, so the
// mean is held to half a step of 8 bits.
constexpr double kMeanWithActivations = 2e-3;

TEST_P(OnnxQdq, RunsAsSimulated) {
  if (!missing_.empty()) GTEST_SKIP() << missing_;
  const Data data = LoadData();
  const std::string onnx = testing::ReadFile(data.networks / (GetParam() + ".onnx"));
  const absl::StatusOr<Graph> graph = onnx::ParseModel(onnx);
  ASSERT_TRUE(graph.ok()) << graph.status();
  const Dataset held_out = *data::ParseNpz(data.held_out);
  const auto calibration_data = data::ParseNpz(data.calibration);
  const auto objective = Objective::Create(*graph, *calibration_data, {});
  const auto calibration = sensitivity::CalibrateActivations(*graph, **objective, "minmax", {});
  ASSERT_TRUE(calibration.ok()) << calibration.status();

  const fs::path work = fs::temp_directory_path() / fmt::format("bitplan_onnx_qdq_{}_{}", GetParam(), getpid());
  fs::create_directories(work);
  const Tensor& inputs = held_out.inputs[0].values;
  WriteBytes(work / "inputs.bin", inputs.data.data(), inputs.data.size() * sizeof(float));
  std::ofstream(work / "shape.txt") << fmt::format("{}\n", fmt::join(inputs.shape, " "));
  std::vector<PlannedRun> cases;
  for (const Case& of : Cases()) {
    cases.push_back({.name = of.name, .plan = PlanFor(*graph, of), .activations = of.activations});
  }
  const Plan searched = Searched(onnx, data.calibration);
  cases.push_back({.name = "searched", .plan = searched});
  cases.push_back({.name = "searched, activations", .plan = searched, .activations = true});
  const std::vector<std::string> levels = {"disabled", "all"};
  std::ofstream runs(work / "runs.txt");
  for (size_t c = 0; c < cases.size(); ++c) {
    const auto exported =
        exporters::WriteOnnxQdq({.plan = cases[c].plan,
                                 .onnx = onnx,
                                 .calibration = cases[c].activations ? data.calibration : std::string_view()},
                                {});
    ASSERT_TRUE(exported.ok()) << cases[c].name << ": " << exported.status();
    const fs::path model = work / fmt::format("{}.onnx", c);
    WriteBytes(model, exported->bytes.data(), exported->bytes.size());
    for (const std::string& level : levels) {
      runs << fmt::format("{} {} {}/{}_{}.bin\n", model.string(), level, work.string(), c, level);
    }
  }
  runs.close();
  const testing::ProcessResult run =
      testing::RunProcess({"/usr/bin/env", "node", kScripts + "/run.js", Runtime().string(), work.string()});
  ASSERT_EQ(run.exit_code, 0) << run.err;

  for (size_t c = 0; c < cases.size(); ++c) {
    SCOPED_TRACE(cases[c].name);
    const FloatVector want = Simulate(*graph, held_out, cases[c].activations ? &*calibration : nullptr, cases[c].plan);
    const int64_t classes = std::ssize(want) / inputs.shape[0];
    std::string row = fmt::format("| {} | {} | {:.2f} % |", GetParam(), cases[c].name,
                                  100 * Accuracy(want, std::get<ClassLabels>(held_out.targets)));
    for (const std::string& level : levels) {
      SCOPED_TRACE(level);
      const FloatVector got = ReadFloats(work / fmt::format("{}_{}.bin", c, level));
      ASSERT_EQ(got.size(), want.size());
      const Comparison comparison = Compare(want, got, classes);
      EXPECT_GE(comparison.agreement, kLeastAgreement);
      if (!cases[c].activations) {
        EXPECT_LE(comparison.largest, kLargestOfWeights);
      } else {
        EXPECT_LE(comparison.mean, kMeanWithActivations);
      }
      row +=
          fmt::format(" {:.2f} % | {:.1e} | {:.1e} |", 100 * comparison.agreement, comparison.largest, comparison.mean);
    }
    fmt::print("{}\n", row);
  }
  fs::remove_all(work);
}

INSTANTIATE_TEST_SUITE_P(Networks, OnnxQdq, ::testing::ValuesIn(NetworkNames()),
                         [](const ::testing::TestParamInfo<std::string>& info) { return info.param; });

}  // namespace
}  // namespace bitplan
