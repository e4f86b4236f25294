#include "search/curvature/products.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <optional>
#include <string_view>
#include <utility>

#include "search/base/digest.h"
#include "search/base/status.h"

namespace bitplan::curvature {
namespace {

std::string DigestOf(std::span<const float> v) {
  Sha256 digest;
  digest.Update(std::string_view(reinterpret_cast<const char*>(v.data()), v.size_bytes()));
  return digest.FinishHex();
}

std::string Pack(std::span<const float> v, std::span<const double> product) {
  std::string bytes = DigestOf(v);
  bytes.append(reinterpret_cast<const char*>(product.data()), product.size_bytes());
  return bytes;
}

}  // namespace

Products::Products(const LinearOperator& A, ProductsOptions options) : A_(A), options_(std::move(options)) {}

std::string Products::KeyOf(int64_t product) const {
  return fmt::format("{}/product/{}", options_.checkpoint_key, product);
}

bool Products::IsKept(int64_t product, const RunContext& context) const {
  const auto bytes_each = static_cast<int64_t>(sizeof(double)) * A_.dimension();
  return context.checkpoints != nullptr && !options_.checkpoint_key.empty() &&
         product < options_.max_checkpoint_bytes / std::max<int64_t>(bytes_each, 1);
}

bool Products::Replay(std::span<const float> v, std::span<double> out, const RunContext& context) const {
  const std::optional<std::string> bytes = context.checkpoints->Load(KeyOf(count_));
  if (!bytes) return false;
  const std::string digest = DigestOf(v);
  if (bytes->size() != digest.size() + out.size_bytes() || !bytes->starts_with(digest)) return false;
  std::memcpy(out.data(), bytes->data() + digest.size(), out.size_bytes());
  return true;
}

absl::Status Products::Multiply(std::span<const float> v, std::span<double> out, const RunContext& context) {
  BITPLAN_RETURN_IF_ERROR(context.CheckStop());
  const bool kept = IsKept(count_, context);
  if (!kept || !Replay(v, out, context)) {
    BITPLAN_RETURN_IF_ERROR(A_.Apply(v, out, context));
    if (!std::ranges::all_of(out, [](double x) { return std::isfinite(x); })) {
      return InvalidArgument("{}: product {} with the operator is not finite", options_.estimator, count_ + 1);
    }
    if (kept) context.checkpoints->Save(KeyOf(count_), Pack(v, out));
  }
  ++count_;
  return absl::OkStatus();
}

void Products::Forget(const RunContext& context) const {
  for (int64_t product = 0; product < count_ && IsKept(product, context); ++product) {
    context.checkpoints->Save(KeyOf(product), {});
  }
}

}  // namespace bitplan::curvature
