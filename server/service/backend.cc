#include "server/service/backend.h"

#include <utility>

#include "search/base/status.h"

namespace bitplan::service {

absl::StatusOr<Slot> Slot::Take(std::atomic<int>& used, int limit, std::string_view what) {
  Slot slot(&used);
  if (used.fetch_add(1) >= limit) return ResourceExhausted("{} of {} {} are taken", limit, limit, what);
  return slot;
}

Slot::Slot(Slot&& other) noexcept : used_(std::exchange(other.used_, nullptr)) {}

Slot::~Slot() {
  if (used_ != nullptr) used_->fetch_sub(1);
}

}  // namespace bitplan::service
