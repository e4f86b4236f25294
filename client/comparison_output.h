#ifndef BITPLAN_CLIENT_COMPARISON_OUTPUT_H_
#define BITPLAN_CLIENT_COMPARISON_OUTPUT_H_

#include <string>

#include "search/evaluation/compare_methods.h"

namespace bitplan::client {

// For people: a row a method, then the methods' scores against each other.
std::string RenderComparison(const MethodComparison& comparison);
// One JSON object, members named as in MethodComparison.
std::string ComparisonJson(const MethodComparison& comparison);

}  // namespace bitplan::client

#endif  // BITPLAN_CLIENT_COMPARISON_OUTPUT_H_
