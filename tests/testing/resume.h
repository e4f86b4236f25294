#ifndef BITPLAN_TESTS_TESTING_RESUME_H_
#define BITPLAN_TESTS_TESTING_RESUME_H_

#include <gtest/gtest.h>

#include <span>
#include <stop_token>

#include "search/curvature/linear_operator.h"
#include "tests/testing/memory_checkpoints.h"

namespace bitplan::testing {

// An operator that asks for a stop while it makes its num_products-th product.
class InterruptingOperator final : public LinearOperator {
 public:
  InterruptingOperator(const LinearOperator& A, int64_t num_products, std::stop_source& source)
      : A_(A), left_(num_products), source_(source) {}

  int64_t dimension() const override { return A_.dimension(); }
  absl::Status Apply(std::span<const float> v, std::span<double> out, const RunContext& context) const override {
    if (--left_ == 0) source_.request_stop();
    return A_.Apply(v, out, context);
  }

 private:
  const LinearOperator& A_;
  mutable int64_t left_;
  std::stop_source& source_;
};

// `run` estimates with a checkpoint key. Stopped after each of the given numbers of products, it must be cancelled, and
// resumed from its checkpoints give the bits of the run that was never stopped, on another number of threads.
template <typename Run>
void ExpectResumesBitForBit(const LinearOperator& A, std::span<const int64_t> stops, const Run& run) {
  const auto whole = run(A, RunContext{});
  ASSERT_TRUE(whole.ok()) << whole.status();
  for (const int64_t stop : stops) {
    MemoryCheckpoints checkpoints;
    std::stop_source source;
    const InterruptingOperator interrupted(A, stop, source);
    const auto stopped = run(interrupted, RunContext{.stop = source.get_token(), .checkpoints = &checkpoints});
    ASSERT_EQ(stopped.status().code(), absl::StatusCode::kCancelled) << "after " << stop;
    const auto resumed = run(A, RunContext{.checkpoints = &checkpoints, .num_threads = 3});
    ASSERT_TRUE(resumed.ok()) << resumed.status();
    EXPECT_EQ(*resumed, *whole) << "stopped after " << stop;
    const auto again = run(A, RunContext{.checkpoints = &checkpoints});
    ASSERT_TRUE(again.ok()) << again.status();
    EXPECT_EQ(*again, *whole);
  }
}

}  // namespace bitplan::testing

#endif  // BITPLAN_TESTS_TESTING_RESUME_H_
