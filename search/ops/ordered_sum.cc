#include "search/ops/ordered_sum.h"

#include <algorithm>
#include <utility>

namespace bitplan::ops {

OrderedSum::Waiting OrderedSum::Copy(double number, std::span<const Piece> pieces) {
  Waiting copy{.number = number};
  for (const Piece& piece : pieces) {
    copy.offsets.push_back(piece.offset);
    copy.values.emplace_back(piece.values.begin(), piece.values.end());
  }
  return copy;
}

void OrderedSum::AddNow(int i, double number, std::span<const Piece> pieces) {
  number_ += number;
  if (i == 0) {
    int64_t end = 0;
    for (const auto& [offset, values] : pieces) {
      std::ranges::fill(sum_.subspan(end, offset - end), 0.0);
      std::ranges::copy(values, sum_.begin() + offset);
      end = offset + static_cast<int64_t>(values.size());
    }
    std::ranges::fill(sum_.subspan(end), 0.0);
    return;
  }
  for (const auto& [offset, values] : pieces) {
    double* sum = &sum_[offset];
    for (size_t k = 0; k < values.size(); ++k) sum[k] += values[k];
  }
}

void OrderedSum::Add(int i, double number, std::span<const Piece> pieces) {
  std::unique_lock lock(mutex_);
  if (i != next_) {
    lock.unlock();
    Waiting copy = Copy(number, pieces);
    lock.lock();
    if (i != next_) {
      waiting_.emplace(i, std::move(copy));
      return;
    }
  }
  lock.unlock();
  AddNow(i, number, pieces);
  lock.lock();
  ++next_;
  while (!waiting_.empty() && waiting_.begin()->first == next_) {
    const Waiting term = std::move(waiting_.extract(waiting_.begin()).mapped());
    lock.unlock();
    std::vector<Piece> copied;
    for (size_t k = 0; k < term.offsets.size(); ++k) copied.push_back({term.offsets[k], term.values[k]});
    AddNow(next_, term.number, copied);
    lock.lock();
    ++next_;
  }
}

}  // namespace bitplan::ops
