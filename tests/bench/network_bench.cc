// Our side of compare_torch.py: runs passes over a network on demand.
//
//   network_bench model.onnx data.npz [samples_per_shard]
//
// Reads one command a line, answers each with one line "cpu_ms wall_ms peak_kib [more]", where peak_kib is the largest
// resident set since the start or the last ready:
//
//   ready            nothing, but the peak starts anew from the current resident set
//   loss | gradient  at the network's own weights
//   product          Hessian times a Rademacher vector, all layers; ggn: Gauss-Newton matrix times one
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
  explicit Commands(const Objective& objective) : objective_(objective), v_(objective.num_weights()) {
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
  RunContext context_;
  std::vector<float> v_;
  std::vector<double> out_;
  std::string more_;
};

absl::Status Run(int argc, char** argv) {
  if (argc < 3) return bitplan::InvalidArgument("usage: network_bench model.onnx data.npz [samples_per_shard]");
  BITPLAN_ASSIGN_OR_RETURN(const bitplan::Graph graph, bitplan::onnx::ParseModel(ReadAll(argv[1])));
  BITPLAN_ASSIGN_OR_RETURN(const bitplan::Dataset data, bitplan::data::ParseNpz(ReadAll(argv[2])));
  bitplan::ObjectiveOptions options;
  if (argc > 3) options.samples_per_shard = std::stoll(argv[3]);
  BITPLAN_ASSIGN_OR_RETURN(const auto objective, Objective::Create(graph, data, options));
  Commands commands(*objective);
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
