#include "search/base/parallel.h"

#include <omp.h>

#include <algorithm>
#include <atomic>
#include <new>
#include <vector>

#include "search/base/status.h"

namespace bitplan {
namespace {

absl::Status RunShard(const RunContext& context, int shard, const std::function<absl::Status(int)>& work) {
  BITPLAN_RETURN_IF_ERROR(context.CheckStop());
  try {
    return work(shard);
  } catch (const std::bad_alloc&) {
    return ResourceExhausted("shard {}: out of memory", shard);
  }
}

}  // namespace

absl::Status ParallelShards(const RunContext& context, int num_shards, const std::function<absl::Status(int)>& work) {
  std::vector<absl::Status> statuses(num_shards);
  std::atomic<int> lowest_failed = num_shards;
  const int num_threads = std::clamp(context.num_threads, 1, std::max(num_shards, 1));
#pragma omp parallel num_threads(num_threads)
  {
    const int outer_threads = omp_get_max_threads();
    omp_set_num_threads(1);  // a team of one does not count as parallel for oneDNN: pin it by hand
#pragma omp for schedule(dynamic, 1)
    for (int shard = 0; shard < num_shards; ++shard) {
      // Shards below a failed one still run, so that the lowest failing shard is found on any number of threads.
      if (shard > lowest_failed.load(std::memory_order_relaxed)) continue;
      statuses[shard] = RunShard(context, shard, work);
      if (!statuses[shard].ok()) {
        int seen = lowest_failed.load(std::memory_order_relaxed);
        while (shard < seen && !lowest_failed.compare_exchange_weak(seen, shard)) {
        }
      }
    }
    omp_set_num_threads(outer_threads);
  }
  for (absl::Status& status : statuses) {
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

}  // namespace bitplan
