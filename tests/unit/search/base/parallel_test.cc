#include "search/base/parallel.h"

#include <gtest/gtest.h>
#include <omp.h>

#include <atomic>
#include <cmath>
#include <new>
#include <numeric>
#include <vector>

#include "search/base/status.h"

namespace bitplan {
namespace {

TEST(ParallelShards, RunsEachShardOnceOnAnyNumberOfThreads) {
  for (const int threads : {1, 2, 4, 100}) {
    std::vector<std::atomic<int>> runs(37);
    const RunContext context{.num_threads = threads};
    ASSERT_TRUE(ParallelShards(context, 37, [&](int shard) {
                  ++runs[shard];
                  return absl::OkStatus();
                }).ok());
    for (const auto& count : runs) EXPECT_EQ(count, 1);
  }
}

TEST(ParallelShards, SumsInShardOrderGiveTheSameBitsOnAnyNumberOfThreads) {
  const auto sum = [](int threads) {
    std::vector<double> partial(16);
    EXPECT_TRUE(ParallelShards(RunContext{.num_threads = threads}, 16, [&](int shard) {
                  for (int i = 0; i < 1000; ++i) partial[shard] += std::sin(shard * 1000.0 + i);
                  return absl::OkStatus();
                }).ok());
    return std::accumulate(partial.begin(), partial.end(), 0.0);
  };
  EXPECT_EQ(sum(1), sum(2));
  EXPECT_EQ(sum(1), sum(4));
}

TEST(ParallelShards, ReturnsTheErrorOfTheLowestFailingShard) {
  for (const int threads : {1, 2, 4}) {
    for (int repeat = 0; repeat < 50; ++repeat) {
      const absl::Status status = ParallelShards(RunContext{.num_threads = threads}, 20, [](int shard) {
        return shard % 7 == 3 ? Internal("shard {}", shard) : absl::OkStatus();
      });
      EXPECT_EQ(MessageOf(status), "shard 3");
    }
  }
}

TEST(ParallelShards, StopsBetweenShardsOnRequest) {
  std::stop_source stop;
  std::atomic<int> runs = 0;
  const absl::Status status = ParallelShards(RunContext{.stop = stop.get_token()}, 100, [&](int shard) {
    ++runs;
    if (shard == 4) stop.request_stop();
    return absl::OkStatus();
  });
  EXPECT_EQ(status.code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(runs, 5);
}

TEST(ParallelShards, ReportsAPassedDeadline) {
  const RunContext context{.deadline = std::chrono::steady_clock::now() - std::chrono::seconds(1)};
  const absl::Status status = ParallelShards(context, 1, [](int) { return absl::OkStatus(); });
  EXPECT_EQ(status.code(), absl::StatusCode::kDeadlineExceeded);
}

TEST(ParallelShards, TurnsOutOfMemoryIntoAStatus) {
  const absl::Status status = ParallelShards(RunContext{}, 3, [](int) -> absl::Status { throw std::bad_alloc(); });
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(MessageOf(status), "shard 0: out of memory");
}

TEST(ParallelShards, HidesItsThreadsFromNestedRegions) {
  const int before = omp_get_max_threads();
  std::vector<int> inside(4);
  ASSERT_TRUE(ParallelShards(RunContext{.num_threads = 1}, 4, [&](int shard) {
                inside[shard] = omp_get_max_threads();
                return absl::OkStatus();
              }).ok());
  EXPECT_EQ(inside, std::vector<int>({1, 1, 1, 1}));
  EXPECT_EQ(omp_get_max_threads(), before);
}

TEST(ParallelShards, AcceptsNoShards) {
  EXPECT_TRUE(ParallelShards(RunContext{}, 0, [](int) { return absl::OkStatus(); }).ok());
}

}  // namespace
}  // namespace bitplan
