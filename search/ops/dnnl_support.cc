#include "search/ops/dnnl_support.h"

#include <dnnl.h>
#include <omp.h>

#include <new>

#include "search/base/check.h"

namespace bitplan::ops {

ScopedSingleThread::ScopedSingleThread() : outer_threads_(omp_get_max_threads()) { omp_set_num_threads(1); }
ScopedSingleThread::~ScopedSingleThread() { omp_set_num_threads(outer_threads_); }

// The only failures dnnl_sgemm has for valid sizes are those of memory.
void Multiply(const MatrixProduct& product, const float* a, const float* b, float* c) {
  const ScopedSingleThread single_thread;
  const auto& [m, n, k, transpose_a, transpose_b, scale, accumulate] = product;
  const dnnl_status_t status = dnnl_sgemm(transpose_a ? 'T' : 'N', transpose_b ? 'T' : 'N', m, n, k, scale, a,
                                          transpose_a ? m : k, b, transpose_b ? k : n, accumulate ? 1.0F : 0.0F, c, n);
  if (status == dnnl_out_of_memory) throw std::bad_alloc();
  BITPLAN_CHECK(status == dnnl_success);
}

}  // namespace bitplan::ops
