#include "search/pipeline/version.h"

namespace bitplan::pipeline {
namespace {

// Goes up whenever the same request would give other numbers: estimators, methods, quantizers, operators.
constexpr std::string_view kEstimators = "2";
// Goes up whenever the same problem could give another choice.
constexpr std::string_view kSolvers = "2";

}  // namespace

std::string_view BitplanVersion() { return BITPLAN_VERSION; }

std::map<std::string, std::string> MeasureVersions() {
  return {{"estimators", std::string(kEstimators)}, {"onednn", BITPLAN_DNNL_VERSION}};
}

std::map<std::string, std::string> SolveVersions() {
  return {{"solvers", std::string(kSolvers)}, {"cbc", BITPLAN_CBC_VERSION}};
}

}  // namespace bitplan::pipeline
