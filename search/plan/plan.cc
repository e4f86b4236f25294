#include "search/plan/plan.h"

#include <tuple>

namespace bitplan {
namespace {

auto Fields(const Layer& layer) {
  return std::tie(layer.name, layer.kind, layer.weight_shape, layer.output_channel_axis, layer.num_weights, layer.macs,
                  layer.input_elements, layer.output_elements);
}

}  // namespace

bool PlanLayer::operator==(const PlanLayer& other) const {
  return Fields(layer) == Fields(other.layer) && chosen == other.chosen && alternatives == other.alternatives &&
         keep_probability == other.keep_probability && value_of_information == other.value_of_information;
}

}  // namespace bitplan
