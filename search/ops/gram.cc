#include "search/ops/gram.h"

#include "search/ops/dnnl_support.h"
#include "search/tensor/tensor.h"

namespace bitplan::ops {
namespace {

double SquaredLength(const float* v, int64_t size) {
  double sum = 0;
  for (int64_t i = 0; i < size; ++i) sum += static_cast<double>(v[i]) * v[i];
  return sum;
}

}  // namespace

double SquaredNormByGram(int64_t rows, const float* a, int64_t a_width, const float* b, int64_t b_width, bool columns) {
  if (rows == 1) return SquaredLength(a, a_width) * SquaredLength(b, b_width);
  thread_local FloatVector gram_a;
  thread_local FloatVector gram_b;
  gram_a.resize(rows * rows);
  gram_b.resize(rows * rows);
  Multiply({.m = rows, .n = rows, .k = a_width, .transpose_a = columns, .transpose_b = !columns}, a, a, gram_a.data());
  Multiply({.m = rows, .n = rows, .k = b_width, .transpose_a = columns, .transpose_b = !columns}, b, b, gram_b.data());
  double sum = 0;
  for (int64_t i = 0; i < rows * rows; ++i) sum += static_cast<double>(gram_a[i]) * gram_b[i];
  return sum;
}

}  // namespace bitplan::ops
