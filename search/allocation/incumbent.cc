#include "search/allocation/incumbent.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace bitplan::allocation {

bool Incumbent::KeepsRows(const std::vector<int>& option) const {
  const int num_rows = instance_.num_rows();
  for (int r = 0; r < num_rows; ++r) {
    int64_t sum = 0;
    for (size_t g = 0; g < option.size(); ++g) {
      sum += instance_.groups[g].cost[static_cast<size_t>(option[g]) * num_rows + r];
    }
    if (sum > instance_.limits[r]) return false;
  }
  return true;
}

bool Incumbent::Offer(const MultiKnapsack& knapsack, std::span<const int> item) {
  std::vector<int> option = knapsack.fixed_option;
  for (size_t g = 0; g < item.size(); ++g) option[knapsack.group[g]] = knapsack.option[item[g]];
  return OfferOptions(std::move(option));
}

bool Incumbent::OfferOptions(std::vector<int> option) {
  Int128 value = 0;
  for (size_t g = 0; g < option.size(); ++g) value += instance_.groups[g].value[option[g]];
  if ((exists() && value >= value_) || !KeepsRows(option)) return false;
  option_ = std::move(option);
  value_ = value;
  return true;
}

double Incumbent::scaled_value() const {
  if (!exists()) return std::numeric_limits<double>::infinity();
  return scale_.Scaled(value_ - scale_.least);
}

double Incumbent::cutoff() const { return scaled_value() - std::max(scale_.tolerance, scale_.step - scale_.tolerance); }

}  // namespace bitplan::allocation
