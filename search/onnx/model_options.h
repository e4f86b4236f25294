#ifndef BITPLAN_SEARCH_ONNX_MODEL_OPTIONS_H_
#define BITPLAN_SEARCH_ONNX_MODEL_OPTIONS_H_

#include "search/data/dataset.h"
#include "search/onnx/parse_limits.h"
#include "search/onnx/parse_options.h"

namespace bitplan::onnx {

// How to read a model for these data: what they say about its inputs.
ParseOptions ModelOptionsFor(const Dataset& data, const ParseLimits& limits);

}  // namespace bitplan::onnx

#endif  // BITPLAN_SEARCH_ONNX_MODEL_OPTIONS_H_
