#include "proto/convert/options.h"

#include "proto/convert/field_path.h"
#include "search/base/status.h"

namespace bitplan::convert {
namespace {

constexpr int kDefaultActivationBits = 8;

}  // namespace

absl::StatusOr<Option> ToOption(const v1::Option& message) {
  Option option{.weight_bits = message.weight_bits(),
                .activation_bits = message.activation_bits() == 0 ? kDefaultActivationBits : message.activation_bits(),
                .scheme = message.scheme().empty() ? "given" : message.scheme()};
  if (!message.granularity().empty()) {
    BITPLAN_ASSIGN_OR_RETURN(option.granularity, ParseGranularity(message.granularity()));
  }
  option.group_size = message.group_size();
  if (!message.range().empty()) option.range = message.range();
  if (!message.rounding().empty()) {
    BITPLAN_ASSIGN_OR_RETURN(option.rounding, ParseRounding(message.rounding()));
  }
  BITPLAN_RETURN_IF_ERROR(ValidateOption(option));
  return option;
}

v1::Option FromOption(const Option& option) {
  v1::Option message;
  message.set_weight_bits(option.weight_bits);
  message.set_activation_bits(option.activation_bits);
  message.set_scheme(option.scheme);
  message.set_granularity(std::string(ToString(option.granularity)));
  message.set_group_size(option.group_size);
  if (option.range != Option{}.range) message.set_range(option.range);
  if (option.rounding != Option{}.rounding) message.set_rounding(std::string(ToString(option.rounding)));
  return message;
}

absl::StatusOr<Layer> ToLayer(const v1::Layer& message) {
  Layer layer{.name = message.name(),
              .weight_shape = {message.weight_shape().begin(), message.weight_shape().end()},
              .output_channel_axis = message.output_channel_axis(),
              .num_weights = message.num_weights(),
              .macs = message.macs(),
              .input_elements = message.input_elements(),
              .output_elements = message.output_elements()};
  if (!message.kind().empty()) {
    BITPLAN_ASSIGN_OR_RETURN(layer.kind, ParseLayerKind(message.kind()));
  }
  return layer;
}

v1::Layer FromLayer(const Layer& layer) {
  v1::Layer message;
  message.set_name(layer.name);
  message.set_kind(std::string(ToString(layer.kind)));
  message.mutable_weight_shape()->Add(layer.weight_shape.begin(), layer.weight_shape.end());
  message.set_output_channel_axis(layer.output_channel_axis);
  message.set_num_weights(layer.num_weights);
  message.set_macs(layer.macs);
  message.set_input_elements(layer.input_elements);
  message.set_output_elements(layer.output_elements);
  return message;
}

absl::StatusOr<Costs> ToCosts(const google::protobuf::RepeatedPtrField<v1::Cost>& messages) {
  Costs costs;
  for (int i = 0; i < messages.size(); ++i) {
    auto resource = ParseResource(messages[i].resource());
    if (!resource.ok()) return AtField(fmt::format("costs[{}]", i), resource.status());
    if (messages[i].amount() < 0)
      return InvalidArgument("costs[{}].amount: got {}, want >= 0", i, messages[i].amount());
    if (!costs.emplace(*resource, messages[i].amount()).second) {
      return InvalidArgument("costs[{}].resource: '{}' is given twice", i, messages[i].resource());
    }
  }
  return costs;
}

void FromCosts(const Costs& costs, google::protobuf::RepeatedPtrField<v1::Cost>* messages) {
  for (const auto& [resource, amount] : costs) {
    auto* message = messages->Add();
    message->set_resource(std::string(ToString(resource)));
    message->set_amount(amount);
  }
}

}  // namespace bitplan::convert
