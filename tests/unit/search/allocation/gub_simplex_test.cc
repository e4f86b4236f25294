#include "search/allocation/gub_simplex.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "search/base/rng.h"
#include "tests/testing/allocation_problems.h"
#include "tests/testing/brute_force_allocation.h"

namespace bitplan::allocation {
namespace {

using ::bitplan::testing::Describe;
using ::bitplan::testing::NetworkLikeProblem;
using ::bitplan::testing::RandomProblem;
using ::bitplan::testing::SolveByBruteForce;

constexpr double kNoCutoff = std::numeric_limits<double>::infinity();

// A problem with its reduced form and everything open.
struct Fixture {
  explicit Fixture(const Problem& problem) {
    const auto groups = TieGroups(problem);
    instance = BuildInstance(problem, groups, BindingBudgets(problem, groups), std::nullopt);
    scale = ScaleOfValues(instance);
    knapsack = Reduce(instance, scale, AllOptions(instance), {});
    if (knapsack.infeasible) return;
    alive = ItemSet(knapsack.num_items());
    for (int i = 0; i < knapsack.num_items(); ++i) alive.Add(i);
    fits = OpenWhatFits(knapsack, {shapes, counts}, std::vector<bool>(knapsack.num_groups(), false), alive, open);
  }
  double Unscaled(double value) const {
    return FromFixedPoint(scale.least, instance.shift) + std::ldexp(value, scale.exponent - instance.shift);
  }

  Instance instance;
  ValueScale scale;
  MultiKnapsack knapsack;
  GroupShapes shapes;
  std::vector<CountRow> counts;
  ItemSet alive;
  OpenItems open;
  bool fits = false;
};

// L(u) of the header by its formula, item by item.
double Lagrangian(const MultiKnapsack& knapsack, const std::vector<double>& price) {
  double sum = knapsack.fixed_value;
  for (int g = 0; g < knapsack.num_groups(); ++g) {
    double least = std::numeric_limits<double>::infinity();
    for (int i = knapsack.first[g]; i < knapsack.first[g + 1]; ++i) {
      double priced = knapsack.value[i];
      for (int r = 0; r < knapsack.num_rows; ++r) priced += price[r] * knapsack.ScaledCostOf(i)[r];
      least = std::min(least, priced);
    }
    sum += least;
  }
  for (int r = 0; r < knapsack.num_rows; ++r) {
    sum -= price[r] * static_cast<double>(knapsack.capacity[r]) * knapsack.row_factor[r];
  }
  return sum;
}

// L is concave, so prices from which no small step up or down of any direction helps are best.
TEST(GubSimplex, FindsTheBestPrices) {
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    const Fixture fixture(NetworkLikeProblem(seed, 10 + static_cast<int>(seed), 2 + seed % 6, 3, 0.01 * seed + 0.1));
    GubSimplex simplex(fixture.knapsack);
    Basis basis;
    ASSERT_EQ(simplex.Solve(fixture.open, {fixture.shapes, fixture.counts}, kNoCutoff, {}, basis),
              RelaxationStatus::kSolved);
    const double best = simplex.bound();
    EXPECT_NEAR(best, Lagrangian(fixture.knapsack, simplex.prices()), 1e-13);
    Rng rng(seed, 1);
    for (int step = 0; step < 300; ++step) {
      std::vector<double> price = simplex.prices();
      const double size = std::pow(10.0, -6 * rng.NextUniform());
      for (double& entry : price) entry = std::max(0.0, entry + size * rng.NextGaussian() * (entry + 0.01));
      ASSERT_LE(Lagrangian(fixture.knapsack, price), best + 1e-12) << "seed " << seed;
    }
  }
}

TEST(GubSimplex, NeverExceedsTheOptimumAndProvesOnlyTrueConflicts) {
  int conflicts = 0;
  for (uint64_t seed = 1; seed <= 3000; ++seed) {
    const Problem problem = RandomProblem({.seed = seed, .min_budgets = 1, .max_budgets = 4});
    const Fixture fixture(problem);
    if (!fixture.fits) continue;
    GubSimplex simplex(fixture.knapsack);
    Basis basis;
    const RelaxationStatus status = simplex.Solve(fixture.open, {fixture.shapes, fixture.counts}, kNoCutoff, {}, basis);
    const auto truth = SolveByBruteForce(problem);
    if (status == RelaxationStatus::kInfeasible) {
      ++conflicts;
      ASSERT_FALSE(truth.feasible) << Describe(problem);
    } else if (truth.feasible) {
      ASSERT_LE(fixture.Unscaled(simplex.bound()), truth.objective + 1e-12 * std::abs(truth.objective))
          << Describe(problem);
    }
  }
  EXPECT_GT(conflicts, 0);  // most conflicts are found before, by what fits
}

TEST(GubSimplex, AChildStartsFromItsParentsBasis) {
  Fixture fixture(NetworkLikeProblem(7, 60, 6, 3, 0.4));
  GubSimplex simplex(fixture.knapsack);
  Basis basis;
  const CountLimits limits{fixture.shapes, fixture.counts};
  ASSERT_EQ(simplex.Solve(fixture.open, limits, kNoCutoff, {}, basis), RelaxationStatus::kSolved);
  const double parent = simplex.bound();
  for (const BasicColumn& column : basis.columns) {  // forbid a basic item
    if (column.row < 0) {
      fixture.alive.Remove(column.item);
      break;
    }
  }
  std::vector<bool> keep(fixture.knapsack.num_groups(), true);
  ASSERT_TRUE(OpenWhatFits(fixture.knapsack, limits, keep, fixture.alive, fixture.open));
  ASSERT_EQ(simplex.Solve(fixture.open, limits, kNoCutoff, {}, basis), RelaxationStatus::kSolved);
  const double warm = simplex.bound();
  const int warm_pivots = simplex.pivots();
  Basis fresh;
  ASSERT_EQ(simplex.Solve(fixture.open, limits, kNoCutoff, {}, fresh), RelaxationStatus::kSolved);
  EXPECT_NEAR(warm, simplex.bound(), 1e-12);
  EXPECT_GE(warm, parent - 1e-12);
  EXPECT_LT(warm_pivots, simplex.pivots());
}

TEST(GubSimplex, StopsAtTheCutoff) {
  const Fixture fixture(NetworkLikeProblem(7, 60, 6, 3, 0.4));
  GubSimplex simplex(fixture.knapsack);
  Basis basis;
  EXPECT_EQ(simplex.Solve(fixture.open, {fixture.shapes, fixture.counts}, 0, {}, basis), RelaxationStatus::kCutOff);
  EXPECT_GE(simplex.bound(), 0);
}

}  // namespace
}  // namespace bitplan::allocation
