#ifndef BITPLAN_SEARCH_OPS_DNNL_SUPPORT_H_
#define BITPLAN_SEARCH_OPS_DNNL_SUPPORT_H_

#include <cstdint>

namespace bitplan::ops {

// While it lives, OpenMP (and with it oneDNN) uses one thread in the calling thread: kernels are built for and run on
// one thread wherever they are called from, so their results do not depend on the machine's thread count.
class ScopedSingleThread {
 public:
  ScopedSingleThread();
  ~ScopedSingleThread();
  ScopedSingleThread(const ScopedSingleThread&) = delete;
  ScopedSingleThread& operator=(const ScopedSingleThread&) = delete;

 private:
  int outer_threads_;
};

// c = op(a) op(b), or c += .. where `accumulate`, by oneDNN. Row-major without gaps; op transposes where its flag is
// set: op(a) is m x k, op(b) is k x n, c is m x n.
struct MatrixProduct {
  int64_t m = 0;
  int64_t n = 0;
  int64_t k = 0;
  bool transpose_a = false;
  bool transpose_b = false;
  float scale = 1;  // factor of the product
  bool accumulate = false;
};
void Multiply(const MatrixProduct& product, const float* a, const float* b, float* c);

}  // namespace bitplan::ops

#endif  // BITPLAN_SEARCH_OPS_DNNL_SUPPORT_H_
