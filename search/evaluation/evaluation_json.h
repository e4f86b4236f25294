#ifndef BITPLAN_SEARCH_EVALUATION_EVALUATION_JSON_H_
#define BITPLAN_SEARCH_EVALUATION_EVALUATION_JSON_H_

#include <string>
#include <string_view>

#include "search/evaluation/evaluate_plan.h"

namespace bitplan::evaluation {

inline constexpr std::string_view kEvaluationFormat = "bitplan.evaluation/1";

// The document of docs/formats/evaluation.md: two blanks a level, a newline at the end. Doubles read back exactly.
std::string ToJson(const Evaluation& evaluation);

}  // namespace bitplan::evaluation

#endif  // BITPLAN_SEARCH_EVALUATION_EVALUATION_JSON_H_
