#ifndef BITPLAN_SEARCH_ALLOCATION_CONVEX_OBJECTIVE_H_
#define BITPLAN_SEARCH_ALLOCATION_CONVEX_OBJECTIVE_H_

#include <limits>
#include <span>

#include "search/base/run_context.h"

namespace bitplan {

// A convex function f of a whole choice, extended to mixtures of choices: x holds one number an option, layer by layer
// in the order of Problem::layers and their options, >= 0 with sum 1 in each layer; a choice is one-hot in each layer.
class ConvexObjective {
 public:
  virtual ~ConvexObjective() = default;

  // f(x); units of loss.
  virtual double Value(std::span<const double> x) const = 0;
  // f(x), and df/dx into `gradient`, as long as x.
  virtual double ValueAndGradient(std::span<const double> x, std::span<double> gradient) const = 0;
  // Fills `floor`, J x J by rows for x of J entries, with a symmetric matrix M >= 0 that f'' never falls below:
  //   f(y) >= f(x) + df(x)'(y - x) + (y - x)'M(y - x) / 2    for all mixtures x and y.
  // False: nothing is known, it would take too long, or the context says stop; `floor` means nothing then. Proofs rest
  // on it: an M that is not certain must not be given.
  virtual bool CurvatureFloor(std::span<double> floor, const RunContext& context) const {
    static_cast<void>(floor);
    static_cast<void>(context);
    return false;
  }
  // Whether f is a quadratic, so that CurvatureFloor gives f'' itself.
  virtual bool is_quadratic() const { return false; }
  // No choice has a smaller value, whatever the budgets; -infinity where nothing is known.
  virtual double least() const { return -std::numeric_limits<double>::infinity(); }
  // About how far rounding may move a value: differences below this mean nothing.
  virtual double tolerance() const = 0;
};

}  // namespace bitplan

#endif  // BITPLAN_SEARCH_ALLOCATION_CONVEX_OBJECTIVE_H_
