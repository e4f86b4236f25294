#ifndef BITPLAN_SEARCH_BASE_PARALLEL_H_
#define BITPLAN_SEARCH_BASE_PARALLEL_H_

#include <functional>

#include "absl/status/status.h"
#include "search/base/run_context.h"

namespace bitplan {

// Runs work(0), .., work(num_shards - 1), each once, on context.num_threads threads.
//
// Determinism: num_shards must come from the problem, never from the thread count. Each shard writes its own result;
//              the caller adds the results in shard order afterwards. Then the same input gives the same bits on any
//              number of threads.
// Errors:      that of the lowest failing shard; kCancelled or kDeadlineExceeded if the context says stop between
// shards.
//              After an error the shards that have not begun are skipped.
// Threads:     inside a shard OpenMP and oneDNN see one thread (no nested parallelism). An exception inside a shard is
// a
//              bug and ends the process, except std::bad_alloc, which becomes kResourceExhausted.
absl::Status ParallelShards(const RunContext& context, int num_shards, const std::function<absl::Status(int)>& work);

}  // namespace bitplan

#endif  // BITPLAN_SEARCH_BASE_PARALLEL_H_
