#include "search/onnx/model_options.h"

#include <variant>
#include <vector>

namespace bitplan::onnx {
namespace {

Constant ToConstant(const DatasetConstant& constant) {
  if (const auto* floats = std::get_if<FloatVector>(&constant.data)) return Tensor{constant.shape, *floats};
  return IntTensor{constant.shape, std::get<std::vector<int64_t>>(constant.data)};
}

}  // namespace

ParseOptions ModelOptionsFor(const Dataset& data, const ParseLimits& limits) {
  ParseOptions options{.limits = limits};
  for (const DatasetInput& input : data.inputs) options.data_shapes[input.name] = input.values.shape;
  for (const DatasetConstant& constant : data.constants) {
    options.data_constants[constant.name] = ToConstant(constant);
  }
  return options;
}

}  // namespace bitplan::onnx
