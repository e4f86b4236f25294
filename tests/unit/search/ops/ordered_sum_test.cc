#include "search/ops/ordered_sum.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>
#include <span>
#include <thread>
#include <vector>

namespace bitplan::ops {
namespace {

constexpr int kTerms = 12;

// Terms of very different size, so that another order of additions gives other bits. Entry 0 stays zero in odd terms.
std::vector<std::vector<float>> Terms() {
  std::mt19937 random(1);
  std::vector<std::vector<float>> terms;
  for (int i = 0; i < kTerms; ++i) {
    std::vector<float>& term = terms.emplace_back(5);
    for (float& value : term) value = std::ldexp(static_cast<float>(random()), static_cast<int>(random() % 60) - 60);
  }
  return terms;
}

void AddTerm(OrderedSum& sum, int i, const std::vector<float>& term) {
  const std::span<const float> values(term);
  if (i % 2 == 1) return sum.Add(i, i + 0.1, std::vector<Piece>{{1, values.subspan(1)}});
  sum.Add(i, i + 0.1, std::vector<Piece>{{0, values.first(2)}, {2, values.subspan(2)}});
}

std::vector<double> InOrder() {
  const auto terms = Terms();
  std::vector<double> sum(5, 0.0);
  for (int i = 0; i < kTerms; ++i) {
    for (size_t k = i % 2; k < sum.size(); ++k) sum[k] += terms[i][k];
  }
  return sum;
}

TEST(OrderedSum, GivesTheSameBitsInAnyOrder) {
  const auto terms = Terms();
  std::vector<int> order(kTerms);
  std::iota(order.begin(), order.end(), 0);
  std::mt19937 random(2);
  for (int trial = 0; trial < 50; ++trial) {
    std::vector<double> values(5, 7.0);  // overwritten
    OrderedSum sum(values);
    for (const int i : order) AddTerm(sum, i, terms[i]);
    EXPECT_EQ(values, InOrder());
    EXPECT_DOUBLE_EQ(sum.number(), kTerms * (kTerms - 1) / 2 + 0.1 * kTerms);
    std::ranges::shuffle(order, random);
  }
}

TEST(OrderedSum, TakesTermsFromSeveralThreads) {
  const auto terms = Terms();
  for (int trial = 0; trial < 50; ++trial) {
    std::vector<double> values(5);
    OrderedSum sum(values);
    std::vector<std::thread> threads;
    for (int t = 0; t < 3; ++t) {
      threads.emplace_back([&, t] {
        for (int i = t; i < kTerms; i += 3) AddTerm(sum, i, terms[i]);
      });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(values, InOrder());
  }
}

TEST(OrderedSum, OfNothingIsZero) {
  std::vector<double> values(3, 7.0);
  OrderedSum sum(values);
  sum.Add(0, 0, {});
  EXPECT_EQ(values, std::vector<double>(3, 0.0));
}

}  // namespace
}  // namespace bitplan::ops
