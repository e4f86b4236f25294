#ifndef BITPLAN_SEARCH_ALLOCATION_QUADRATIC_EXCHANGE_H_
#define BITPLAN_SEARCH_ALLOCATION_QUADRATIC_EXCHANGE_H_

#include <cstdint>
#include <span>
#include <vector>

#include "search/allocation/convex_instance.h"
#include "search/base/run_context.h"

namespace bitplan::allocation {

// Local search on a quadratic f(y) = linear'y + y'My / 2 over choices: the best change of one group or of two together,
// as long as f falls. All pairs are looked at; with M at hand one costs a few additions.
// `linear` and `matrix` (by rows) must outlive it, and so must the instance.
class QuadraticExchange {
 public:
  QuadraticExchange(const ConvexInstance& instance, std::span<const double> linear, std::span<const double> matrix)
      : instance_(instance), linear_(linear), matrix_(matrix) {}

  // `option` of each group keeps the rows before and after. Stops early when the context says so.
  void Improve(std::vector<int>& option, const RunContext& context) const;

 private:
  struct Move {
    int group = 0;
    int to = 0;         // entry
    double change = 0;  // of f
  };

  std::vector<Move> MovesFrom(std::span<const int> taken, std::span<const double> gradient) const;
  bool Fits(const Move& a, const Move* b, std::span<const int> taken, std::span<const int64_t> spare) const;
  bool ImproveOnce(std::vector<int>& taken, std::vector<double>& gradient, std::vector<int64_t>& spare) const;
  double At(int row, int column) const { return matrix_[static_cast<size_t>(row) * instance_.size() + column]; }

  const ConvexInstance& instance_;
  std::span<const double> linear_;
  std::span<const double> matrix_;
};

}  // namespace bitplan::allocation

#endif  // BITPLAN_SEARCH_ALLOCATION_QUADRATIC_EXCHANGE_H_
