// Times what shares work between solves on instance files (instance_file.h), the first resource swept:
//
//   frontier_bench [--points N] [--repeat N] [--top DISTANCE] file...
//
// One line a file, CPU milliseconds of one thread, the best of N runs each: the frontier of N even limits and how many
// of them are proven; the complete front and its points (one budget only; "-": given up); what-if answers with a
// changed limit, one pinned and one forbidden option (median and worst of 40, and a fresh Solve's median beside it);
// the five best choices at a distance, if asked for.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <functional>
#include <string>
#include <vector>

#include "search/allocation/frontier.h"
#include "search/allocation/solve.h"
#include "search/allocation/top_choices.h"
#include "search/allocation/what_if.h"
#include "search/base/rng.h"
#include "tests/bench/instance_file.h"

namespace {

using bitplan::Problem;
namespace allocation = bitplan::allocation;

struct Settings {
  int points = 100;
  int repeat = 3;
  int distance = 0;
};

double Milliseconds(const std::function<void()>& work) {
  const std::clock_t start = std::clock();
  work();
  return 1000.0 * static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
}

double Best(int repeat, const std::function<void()>& work) {
  double best = INFINITY;
  for (int i = 0; i < repeat; ++i) best = std::min(best, Milliseconds(work));
  return best;
}

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

void BenchFrontiers(const Problem& given, const Settings& settings) {
  Problem problem = given;
  std::erase_if(problem.budgets, [](const auto& budget) { return budget.resource == 0; });
  bitplan::Frontier frontier;
  const auto run = [&](const bitplan::FrontierRequest& request) {
    return Best(settings.repeat, [&] { frontier = allocation::ComputeFrontier(problem, request, {}, {}, {}).value(); });
  };
  const double even_ms = run({.num_points = settings.points});
  const auto proven = std::ranges::count_if(frontier.points, [](const bitplan::FrontierPoint& point) {
    return point.termination == bitplan::Termination::kOptimal;
  });
  std::printf("\t%.2f\t%zd/%zu", even_ms, proven, frontier.points.size());
  if (!problem.budgets.empty()) {
    std::printf("\t-\t-");
    return;
  }
  const double complete_ms = run({.num_points = 2, .complete = true});
  if (frontier.complete) {
    std::printf("\t%.2f\t%zu", complete_ms, frontier.points.size());
  } else {
    std::printf("\t-\t-");
  }
}

void BenchWhatIf(const Problem& problem) {
  auto what_if = allocation::WhatIf::Create(problem).value();
  (void)what_if.Solve({}, {}, {});
  bitplan::Rng rng(1, 2);
  std::vector<double> asked;
  std::vector<double> fresh;
  for (int i = 0; i < 40; ++i) {
    const int64_t limit = problem.budgets[0].limit / 1000 * static_cast<int64_t>(900 + rng.NextBelow(200));
    const int pinned = static_cast<int>(rng.NextBelow(problem.layers.size()));
    const int options = static_cast<int>(std::ssize(problem.layers[pinned].options));
    const int option = static_cast<int>(rng.NextBelow(options));
    bitplan::ProblemChange change{.limits = {{0, limit}}, .layers = {{pinned, {option}}}};
    bitplan::LayerOptions allowed{.layer = static_cast<int>(rng.NextBelow(problem.layers.size())), .options = {}};
    if (allowed.layer != pinned) {
      for (int k = 0; k < std::ssize(problem.layers[allowed.layer].options); ++k) {
        if (k != option) allowed.options.push_back(k);
      }
      if (!allowed.options.empty()) change.layers.push_back(allowed);
    }
    asked.push_back(Milliseconds([&] { (void)what_if.Solve(change, {.time_limit_s = 5}, {}); }));
    if (i % 8 != 0) continue;
    Problem changed = problem;
    changed.budgets[0].limit = limit;
    fresh.push_back(Milliseconds([&] { (void)allocation::Solve(changed, {.time_limit_s = 5}, {}); }));
  }
  std::printf("\t%.2f\t%.2f\t%.2f", Median(asked), *std::ranges::max_element(asked), Median(fresh));
}

int Bench(const std::string& path, const Settings& settings) {
  const auto read = bitplan::bench::ReadInstance(path);
  if (!read.has_value()) {
    std::fprintf(stderr, "%s: not JSON\n", path.c_str());
    return 1;
  }
  std::printf("%s", read->name.c_str());
  BenchFrontiers(read->problem, settings);
  BenchWhatIf(read->problem);
  if (settings.distance > 0) {
    const double top_ms = Milliseconds([&] {
      (void)allocation::FindTopChoices(read->problem, {.count = 5, .distance = settings.distance}, {.time_limit_s = 20},
                                       {});
    });
    std::printf("\t%.2f", top_ms);
  }
  std::printf("\n");
  std::fflush(stdout);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  Settings settings;
  int failures = 0;
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    if (argument == "--points" && i + 1 < argc) {
      settings.points = std::atoi(argv[++i]);
    } else if (argument == "--repeat" && i + 1 < argc) {
      settings.repeat = std::max(1, std::atoi(argv[++i]));
    } else if (argument == "--top" && i + 1 < argc) {
      settings.distance = std::atoi(argv[++i]);
    } else {
      failures += Bench(argument, settings);
    }
  }
  return failures == 0 ? 0 : 1;
}
