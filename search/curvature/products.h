#ifndef BITPLAN_SEARCH_CURVATURE_PRODUCTS_H_
#define BITPLAN_SEARCH_CURVATURE_PRODUCTS_H_

#include <cstdint>
#include <span>
#include <string>

#include "absl/status/status.h"
#include "search/base/run_context.h"
#include "search/curvature/linear_operator.h"

namespace bitplan::curvature {

struct ProductsOptions {
  std::string estimator;       // for messages
  std::string checkpoint_key;  // of operator and options; empty: products are not kept
  // Products that do not fit are not kept and are made again after a restart.
  int64_t max_checkpoint_bytes = int64_t{256} << 20;
};

// The products of one run of an estimator, counted. An estimator that is a fixed function of its products is resumed by
// replaying them: run it again from the start, and the products that were made before come out of context.checkpoints
// bit for bit, each guarded by the SHA-256 of the vector it belongs to. What the store lost is made again.
//
// Memory in the store: 8 n bytes a product until Forget.
class Products {
 public:
  // `A` must outlive the object.
  Products(const LinearOperator& A, ProductsOptions options);

  // out = A v. Errors: kInvalidArgument (a product that is not finite), kCancelled, kDeadlineExceeded.
  absl::Status Multiply(std::span<const float> v, std::span<double> out, const RunContext& context);

  // Products so far, replayed ones included.
  int64_t count() const { return count_; }
  int64_t dimension() const { return A_.dimension(); }

  // Frees the kept products: the estimator's result is kept instead.
  void Forget(const RunContext& context) const;

 private:
  std::string KeyOf(int64_t product) const;
  bool IsKept(int64_t product, const RunContext& context) const;
  bool Replay(std::span<const float> v, std::span<double> out, const RunContext& context) const;

  const LinearOperator& A_;
  ProductsOptions options_;
  int64_t count_ = 0;
};

}  // namespace bitplan::curvature

#endif  // BITPLAN_SEARCH_CURVATURE_PRODUCTS_H_
