#ifndef BITPLAN_SEARCH_ALLOCATION_CONVEX_OBJECTIVE_H_
#define BITPLAN_SEARCH_ALLOCATION_CONVEX_OBJECTIVE_H_

#include <span>

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
  // About how far rounding may move a value: differences below this mean nothing.
  virtual double tolerance() const = 0;
};

}  // namespace bitplan

#endif  // BITPLAN_SEARCH_ALLOCATION_CONVEX_OBJECTIVE_H_
