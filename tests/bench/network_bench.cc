// Our side of compare_torch.py and export_networks.py: runs passes over a network on demand.
//
//   network_bench model.onnx data.npz [samples_per_shard]
//
// Reads one command a line, answers each with one line "cpu_ms wall_ms peak_kib [more]", where peak_kib is the largest
// resident set since the start or the last ready:
//
//   ready            nothing, but the peak starts anew from the current resident set
//   loss | gradient  at the network's own weights
//   product          Hessian times a Rademacher vector, all layers; ggn: Gauss-Newton matrix times one
//   network          more = layers, weights, multiply-accumulates of one sample, ms it took to load the model
//   outputs FILE     f(x) of all samples, written as float32
//   traces ERROR     EstimateGaussNewton: traces of all layers to a relative error; more = draws, converged, then the
//                    trace of each layer
//   threads N        for the commands that follow
#include <fmt/format.h>

#include <chrono>
#include <ctime>
#include <fstream>
#include <functional>
#include <iostream>
#include <iterator>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "search/base/rng.h"
#include "search/base/status.h"
#include "search/curvature/gauss_newton.h"
#include "search/data/npz.h"
#include "search/onnx/parse_model.h"
#include "search/ops/objective.h"

namespace {

using bitplan::CurvatureMatrix;
using bitplan::Objective;
using bitplan::RunContext;

std::string ReadAll(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

int64_t PeakResidentKib() {
  const std::string field = "VmHWM:";
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with(field)) return std::stoll(line.substr(field.size()));
  }
  return 0;
}

void ResetPeak() { std::ofstream("/proc/self/clear_refs") << "5"; }

class Commands {
 public:
  Commands(const Objective& objective, std::string network)
      : objective_(objective), network_(std::move(network)), v_(objective.num_weights()) {
    bitplan::Rng(1, 0).FillRademacher(v_);
    out_.resize(v_.size());
  }

  absl::Status Run(const std::string& line) {
    std::istringstream words(line);
    std::string name;
    words >> name;
    if (name == "ready") {
      ResetPeak();
      return Answer({});
    }
    if (name == "threads") {
      words >> context_.num_threads;
      return Answer({});
    }
    if (name == "network") return Answer([&] { return Network(); });
    if (name == "outputs") {
      std::string path;
      words >> path;
      return Answer([&] { return WriteOutputs(path); });
    }
    if (name == "loss") return Answer([&] { return objective_.Loss({}, context_).status(); });
    if (name == "gradient") return Answer([&] { return objective_.GradientInto({}, out_, context_).status(); });
    if (name == "product") return Answer([&] { return Product(CurvatureMatrix::kHessian); });
    if (name == "ggn") return Answer([&] { return Product(CurvatureMatrix::kGaussNewton); });
    if (name == "traces") {
      bitplan::GaussNewtonOptions options{.small_fraction = 0};  // small layers are no excuse
      words >> options.relative_error;
      return Answer([&] { return Traces(options); });
    }
    return bitplan::InvalidArgument("unknown command '{}'", line);
  }

 private:
  absl::Status Answer(const std::function<absl::Status()>& work) {
    more_.clear();
    const std::clock_t cpu = std::clock();
    const auto wall = std::chrono::steady_clock::now();
    if (work) BITPLAN_RETURN_IF_ERROR(work());
    const double cpu_ms = static_cast<double>(std::clock() - cpu) * 1e3 / CLOCKS_PER_SEC;
    const std::chrono::duration<double, std::milli> wall_ms = std::chrono::steady_clock::now() - wall;
    fmt::print("{:.3f} {:.3f} {}{}\n", cpu_ms, wall_ms.count(), PeakResidentKib(), more_);
    std::fflush(stdout);
    return absl::OkStatus();
  }

  absl::Status Network() {
    more_ = network_;
    return absl::OkStatus();
  }

  absl::Status WriteOutputs(const std::string& path) {
    BITPLAN_ASSIGN_OR_RETURN(const bitplan::Tensor outputs, objective_.Outputs({}, context_));
    std::ofstream file(path, std::ios::binary);
    file.write(reinterpret_cast<const char*>(outputs.data.data()),
               static_cast<std::streamsize>(outputs.data.size() * sizeof(float)));
    return file.good() ? absl::OkStatus() : bitplan::InvalidArgument("cannot write '{}'", path);
  }

  absl::Status Product(CurvatureMatrix matrix) {
    return objective_.VectorProduct(matrix, v_, std::nullopt, out_, context_);
  }

  absl::Status Traces(const bitplan::GaussNewtonOptions& options) {
    BITPLAN_ASSIGN_OR_RETURN(const auto estimate,
                             bitplan::curvature::EstimateGaussNewton(objective_, {}, options, context_));
    more_ = fmt::format(" {} {}", estimate.num_draws, estimate.converged ? 1 : 0);
    for (const bitplan::TraceEstimate& trace : estimate.traces) more_ += fmt::format(" {:.9g}", trace.trace);
    return absl::OkStatus();
  }

  const Objective& objective_;
  std::string network_;
  RunContext context_;
  std::vector<float> v_;
  std::vector<double> out_;
  std::string more_;
};

std::string Describe(const bitplan::Graph& graph, double load_ms) {
  int64_t weights = 0;
  int64_t macs = 0;
  for (const bitplan::Layer& layer : graph.layers.layers) {
    weights += layer.num_weights;
    macs += layer.macs;
  }
  return fmt::format(" {} {} {} {:.1f}", graph.layers.layers.size(), weights, macs, load_ms);
}

absl::Status Run(int argc, char** argv) {
  if (argc < 3) return bitplan::InvalidArgument("usage: network_bench model.onnx data.npz [samples_per_shard]");
  const auto start = std::chrono::steady_clock::now();
  BITPLAN_ASSIGN_OR_RETURN(const bitplan::Graph graph, bitplan::onnx::ParseModel(ReadAll(argv[1])));
  const std::chrono::duration<double, std::milli> load_ms = std::chrono::steady_clock::now() - start;
  BITPLAN_ASSIGN_OR_RETURN(const bitplan::Dataset data, bitplan::data::ParseNpz(ReadAll(argv[2])));
  bitplan::ObjectiveOptions options;
  if (argc > 3) options.samples_per_shard = std::stoll(argv[3]);
  BITPLAN_ASSIGN_OR_RETURN(const auto objective, Objective::Create(graph, data, options));
  Commands commands(*objective, Describe(graph, load_ms.count()));
  for (std::string line; std::getline(std::cin, line) && line != "quit";) {
    BITPLAN_RETURN_IF_ERROR(commands.Run(line));
  }
  return absl::OkStatus();
}

}  // namespace

int main(int argc, char** argv) {
  const absl::Status status = Run(argc, argv);
  if (!status.ok()) fmt::print(stderr, "{}\n", bitplan::MessageOf(status));
  return status.ok() ? 0 : 1;
}
