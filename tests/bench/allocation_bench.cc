// Times the allocation solvers on instance files (schema bitplan.mmkp.v1, plain or gzipped JSON):
//
//   allocation_bench [--solver NAME] [--limit SECONDS] [--repeat N] file...
//
// One line a file: name, layers, options, budgets, termination, objective, gap, nodes, and the CPU milliseconds of
// Solve (best of N), reading not counted. Costs in the files are real numbers: a row that is whole after multiplication
// by a power of ten up to 10^9 is taken exactly, any other is rounded up to 10^-9 (limits are rounded down).
#include <zlib.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "search/allocation/solve.h"

namespace {

using bitplan::Problem;
using bitplan::Solution;
using bitplan::SolverOptions;

constexpr int kMostDigits = 9;
constexpr double kWhole = 1e-6;

std::string ReadAll(const std::string& path) {
  std::string text;
  std::vector<char> buffer(1 << 16);
  gzFile file = gzopen(path.c_str(), "rb");
  if (file == nullptr) return text;
  for (int got = 0; (got = gzread(file, buffer.data(), static_cast<unsigned>(buffer.size()))) > 0;) {
    text.append(buffer.data(), static_cast<size_t>(got));
  }
  gzclose(file);
  return text;
}

double UnitOfRow(const nlohmann::json& groups, size_t row) {
  double scale = 1;
  for (int digits = 0; digits < kMostDigits; ++digits, scale *= 10) {
    bool whole = true;
    for (const auto& group : groups) {
      for (const auto& cost : group["cost"]) {
        const double scaled = cost[row].get<double>() * scale;
        whole = whole && std::abs(scaled - std::round(scaled)) < kWhole;
      }
    }
    if (whole) return scale;
  }
  return scale;
}

Problem Parse(const nlohmann::json& json) {
  Problem problem;
  const auto& groups = json["groups"];
  std::vector<double> scale;
  for (size_t r = 0; r < json["budget"].size(); ++r) {
    scale.push_back(UnitOfRow(groups, r));
    problem.resources.push_back("r" + std::to_string(r));
    const double limit = json["budget"][r].get<double>() * scale[r];
    problem.budgets.push_back({static_cast<int>(r), static_cast<int64_t>(std::floor(limit + kWhole))});
  }
  for (const auto& group : groups) {
    auto& layer = problem.layers.emplace_back();
    for (size_t k = 0; k < group["obj"].size(); ++k) {
      auto& option = layer.options.emplace_back();
      option.objective = group["obj"][k].get<double>();
      for (size_t r = 0; r < scale.size(); ++r) {
        option.cost.push_back(static_cast<int64_t>(std::ceil(group["cost"][k][r].get<double>() * scale[r] - kWhole)));
      }
    }
  }
  problem.ties = json["ties"].get<std::vector<std::vector<int>>>();
  return problem;
}

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
  const nlohmann::json json = nlohmann::json::parse(ReadAll(path), nullptr, false);
  if (json.is_discarded()) {
    std::fprintf(stderr, "%s: not JSON\n", path.c_str());
    return 1;
  }
  const Problem problem = Parse(json);
  double best_ms = INFINITY;
  for (int i = 0; i < repeat; ++i) {
    const std::clock_t start = std::clock();
    const auto solution = bitplan::allocation::Solve(problem, options, {});
    best_ms = std::min(best_ms, 1000.0 * static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC);
    if (!solution.ok()) {
      std::fprintf(stderr, "%s: %s\n", path.c_str(), std::string(solution.status().message()).c_str());
      return 1;
    }
    if (i + 1 == repeat) Report(json["name"].get<std::string>(), problem, *solution, best_ms);
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
