// Times loss, gradient and Hessian products of a network on calibration data:
//
//   objective_bench model.onnx data.npz [samples [repeat]]
//
// Prints CPU milliseconds (best of `repeat`), for 1 and 2 threads: the whole network, then the block of each layer.
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <functional>
#include <iterator>
#include <limits>
#include <string>
#include <vector>

#include "search/base/rng.h"
#include "search/base/status.h"
#include "search/data/npz.h"
#include "search/onnx/parse_model.h"
#include "search/ops/objective.h"

namespace {

using bitplan::Objective;
using bitplan::RunContext;

std::string ReadAll(const char* path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

double BestCpuMillis(int repeat, const std::function<absl::Status()>& work) {
  double best = std::numeric_limits<double>::infinity();
  for (int i = 0; i < repeat; ++i) {
    const std::clock_t start = std::clock();
    if (const absl::Status status = work(); !status.ok()) {
      fmt::print(stderr, "{}\n", bitplan::MessageOf(status));
      std::exit(1);
    }
    best = std::min(best, static_cast<double>(std::clock() - start) * 1e3 / CLOCKS_PER_SEC);
  }
  return best;
}

double TimeProduct(const Objective& objective, std::optional<int> layer, const RunContext& context, int repeat) {
  const int64_t size = layer ? objective.slices()[*layer].size : objective.num_weights();
  std::vector<float> v(size);
  bitplan::Rng(1, 0).FillRademacher(v);
  std::vector<double> out(size);
  return BestCpuMillis(repeat, [&] { return objective.HessianVectorProduct(v, layer, out, context); });
}

void TimeAll(const Objective& objective, const bitplan::Graph& graph, int num_threads, int repeat) {
  const RunContext context{.num_threads = num_threads};
  const double loss = BestCpuMillis(repeat, [&] { return objective.Loss({}, context).status(); });
  const double gradient = BestCpuMillis(repeat, [&] { return objective.Gradient({}, context).status(); });
  const double product = TimeProduct(objective, std::nullopt, context, repeat);
  fmt::print("threads {}: loss {:.1f}, gradient {:.1f}, Hessian product {:.1f} ({:.2f} gradients)\n", num_threads, loss,
             gradient, product, product / gradient);
  double sum = 0;
  for (int i = 0; i < static_cast<int>(objective.slices().size()); ++i) {
    const double block = TimeProduct(objective, i, context, repeat);
    fmt::print("  block {:<24} {:8.2f}\n", graph.layers.layers[i].name, block);
    sum += block;
  }
  fmt::print("  all blocks               {:8.2f}\n", sum);
}

absl::Status Run(int argc, char** argv) {
  if (argc < 3) return bitplan::InvalidArgument("usage: objective_bench model.onnx data.npz [samples [repeat]]");
  BITPLAN_ASSIGN_OR_RETURN(const bitplan::Graph graph, bitplan::onnx::ParseModel(ReadAll(argv[1])));
  BITPLAN_ASSIGN_OR_RETURN(const bitplan::Dataset data, bitplan::data::ParseNpz(ReadAll(argv[2])));
  const int64_t samples = argc > 3 ? std::atoll(argv[3]) : 128;
  const int repeat = argc > 4 ? std::atoi(argv[4]) : 5;
  BITPLAN_ASSIGN_OR_RETURN(const auto objective, Objective::Create(graph, data, {.max_samples = samples}));
  for (const int num_threads : {1, 2}) TimeAll(*objective, graph, num_threads, repeat);
  return absl::OkStatus();
}

}  // namespace

int main(int argc, char** argv) {
  const absl::Status status = Run(argc, argv);
  if (!status.ok()) fmt::print(stderr, "{}\n", bitplan::MessageOf(status));
  return status.ok() ? 0 : 1;
}
