#ifndef BITPLAN_SEARCH_ONNX_PARSE_OPTIONS_H_
#define BITPLAN_SEARCH_ONNX_PARSE_OPTIONS_H_

#include <functional>
#include <map>
#include <string>

#include "search/onnx/constant.h"
#include "search/onnx/parse_limits.h"

namespace bitplan::onnx {

// What a model leaves open and its user decides, by name of the graph's input. Names of no input are kInvalidArgument.
struct ParseOptions {
  ParseLimits limits;
  // Sizes for dimensions that the model does not fix, as many as the input has; kDynamic leaves one open, which only
  // the first may be. A size that the model does fix must be the same.
  std::map<std::string, Shape, std::less<>> input_shapes;
  // The same from the data that will be fed, whose first sizes count samples: used where the model leaves a size open
  // and ignored elsewhere, names included. "images" and "inputs" feed the only input.
  std::map<std::string, Shape, std::less<>> data_shapes;
  // Inputs that become constants: a sampling rate, an initial state. They are no inputs of the graph any more.
  // Their sizes must be those that the model fixes; numbers become floats or integers as the model's input wants.
  std::map<std::string, Constant, std::less<>> constants;
  // The same from the data that will be fed: arrays that do not count samples. Only for inputs that are single numbers
  // or whose first size the model fixes: elsewhere such an array has a wrong number of samples.
  std::map<std::string, Constant, std::less<>> data_constants;
};

}  // namespace bitplan::onnx

#endif  // BITPLAN_SEARCH_ONNX_PARSE_OPTIONS_H_
