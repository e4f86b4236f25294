#ifndef BITPLAN_SEARCH_PIPELINE_MODEL_OPTIONS_H_
#define BITPLAN_SEARCH_PIPELINE_MODEL_OPTIONS_H_

#include "search/data/dataset.h"
#include "search/onnx/parse_limits.h"
#include "search/onnx/parse_options.h"

namespace bitplan::pipeline {

// How to read a model for these data: what they say about its inputs.
onnx::ParseOptions ModelOptionsFor(const Dataset& data, const onnx::ParseLimits& limits);

}  // namespace bitplan::pipeline

#endif  // BITPLAN_SEARCH_PIPELINE_MODEL_OPTIONS_H_
