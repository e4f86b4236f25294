// Times the allocation solvers on instance files (schema bitplan.mmkp.v1, plain or gzipped JSON):
//
//   allocation_bench [--solver NAME] [--limit SECONDS] [--repeat N] file...
//
// One line a file: name, layers, options, budgets, termination, objective, gap, nodes, and the CPU milliseconds of
// Solve (best of N), reading not counted.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <string>
#include <vector>

#include "search/allocation/solve.h"
#include "tests/bench/instance_file.h"

namespace {

using bitplan::Problem;
using bitplan::Solution;
using bitplan::SolverOptions;

void Report(const std::string& name, const Problem& problem, const Solution& solution, double best_ms) {
  size_t options = 0;
  for (const auto& layer : problem.layers) options = std::max(options, layer.options.size());
  std::printf("%s\t%zu\t%zu\t%zu\t%s\t%s\t%.16g\t%.3g\t%lld\t%.3f\n", name.c_str(), problem.layers.size(), options,
              problem.budgets.size(), solution.solver.c_str(),
              std::string(bitplan::allocation::TerminationName(solution.termination)).c_str(), solution.objective,
              solution.gap, static_cast<long long>(solution.nodes), best_ms);
  std::fflush(stdout);
}

int Bench(const std::string& path, const SolverOptions& options, int repeat) {
  const auto read = bitplan::bench::ReadInstance(path);
  if (!read.has_value()) {
    std::fprintf(stderr, "%s: not JSON\n", path.c_str());
    return 1;
  }
  const Problem& problem = read->problem;
  double best_ms = INFINITY;
  for (int i = 0; i < repeat; ++i) {
    const std::clock_t start = std::clock();
    const auto solution = bitplan::allocation::Solve(problem, options, {});
    best_ms = std::min(best_ms, 1000.0 * static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC);
    if (!solution.ok()) {
      std::fprintf(stderr, "%s: %s\n", path.c_str(), std::string(solution.status().message()).c_str());
      return 1;
    }
    if (i + 1 == repeat) Report(read->name, problem, *solution, best_ms);
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  SolverOptions options;
  int repeat = 1;
  int failures = 0;
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    if (argument == "--solver" && i + 1 < argc) {
      options.solver = argv[++i];
    } else if (argument == "--limit" && i + 1 < argc) {
      options.time_limit_s = std::atof(argv[++i]);
    } else if (argument == "--repeat" && i + 1 < argc) {
      repeat = std::max(1, std::atoi(argv[++i]));
    } else {
      failures += Bench(argument, options, repeat);
    }
  }
  return failures == 0 ? 0 : 1;
}
