// What the per-layer traces of a network cost, to a relative standard error, by every estimator:
//
//   trace_bench model.onnx data.npz [error [max_probes [estimator..]]]
//
// Prints CPU time in gradients on the same data (one thread, both in this run), the number of passes or draws, and the
// median and worst deviation from the Gauss-Newton traces without sampling.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "search/base/status.h"
#include "search/data/npz.h"
#include "search/onnx/parse_model.h"
#include "search/ops/objective.h"
#include "search/sensitivity/trace_estimators.h"

namespace {

using bitplan::Objective;
using bitplan::TraceEstimate;
using bitplan::TraceOptions;

std::string ReadAll(const char* path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

double Millis(std::clock_t start) { return static_cast<double>(std::clock() - start) * 1e3 / CLOCKS_PER_SEC; }

double GradientMillis(const Objective& objective) {
  double best = 1e300;
  for (int i = 0; i < 5; ++i) {
    const std::clock_t start = std::clock();
    if (!objective.Gradient({}, {}).ok()) std::exit(1);
    best = std::min(best, Millis(start));
  }
  return best;
}

std::vector<TraceEstimate> Run(const Objective& objective, const bitplan::TraceEstimatorEntry& row,
                               const TraceOptions& options) {
  auto traces = row.estimate(objective, options, {});
  if (traces.ok()) return *std::move(traces);
  fmt::print(stderr, "{}: {}\n", row.name, bitplan::MessageOf(traces.status()));
  std::exit(1);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    fmt::print(stderr, "usage: trace_bench model.onnx data.npz [error [max_probes [estimator..]]]\n");
    return 2;
  }
  const auto graph = bitplan::onnx::ParseModel(ReadAll(argv[1]));
  const auto data = bitplan::data::ParseNpz(ReadAll(argv[2]));
  if (!graph.ok() || !data.ok()) return 1;
  const auto objective = Objective::Create(*graph, *data, {});
  if (!objective.ok()) {
    fmt::print(stderr, "{}\n", bitplan::MessageOf(objective.status()));
    return 1;
  }
  const TraceOptions options{.seed = 1,
                             .relative_error = argc > 3 ? std::atof(argv[3]) : 0.05,
                             .max_probes = argc > 4 ? std::atoll(argv[4]) : 512};
  const std::vector<std::string> wanted(argv + std::min(argc, 5), argv + argc);
  const double gradient = GradientMillis(**objective);
  const auto exact = Run(**objective, *bitplan::sensitivity::FindTraceEstimator("gauss_newton_exact"), options);
  fmt::print("gradient {:.1f} ms, {} samples, {} layers, target {}\n", gradient, (*objective)->num_samples(),
             exact.size(), options.relative_error);
  fmt::print("| estimator | gradients | passes or draws | layers in target | median, worst deviation |\n");
  for (const auto& row : bitplan::sensitivity::TraceEstimators()) {
    if (!wanted.empty() && std::ranges::find(wanted, row.name) == wanted.end()) continue;
    const std::clock_t start = std::clock();
    const auto traces = Run(**objective, row, options);
    const double millis = Millis(start);
    std::vector<double> deviations;
    int64_t most = 0;
    for (size_t l = 0; l < traces.size(); ++l) {
      deviations.push_back(std::abs(traces[l].trace / exact[l].trace - 1));
      most = std::max(most, traces[l].num_probes);
    }
    std::ranges::sort(deviations);
    fmt::print("| {} | {:.2f} | {} | {} of {} | {:.1f} %, {:.1f} % |\n", row.name, millis / gradient, most,
               std::ranges::count(traces, true, &TraceEstimate::converged), traces.size(),
               100 * deviations[deviations.size() / 2], 100 * deviations.back());
  }
  return 0;
}
