#ifndef BITPLAN_SEARCH_PIPELINE_VERSION_H_
#define BITPLAN_SEARCH_PIPELINE_VERSION_H_

#include <map>
#include <string>
#include <string_view>

namespace bitplan::pipeline {

// Version of bitplan, "0.1.0".
std::string_view BitplanVersion();

// Versions of what a measurement's numbers depend on: {"estimators": "2", "onednn": "2.6.3"}. A number here that goes
// up makes old measurements findable no more.
std::map<std::string, std::string> MeasureVersions();
// Of what a plan's choice depends on: {"solvers": "1", "cbc": "2.10.8"}.
std::map<std::string, std::string> SolveVersions();

}  // namespace bitplan::pipeline

#endif  // BITPLAN_SEARCH_PIPELINE_VERSION_H_
