#include "search/sensitivity/given.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <set>
#include <span>
#include <utility>

#include "search/base/status.h"
#include "search/quantization/quantizer_table.h"
#include "search/quantization/range_rule_table.h"
#include "search/sensitivity/method_table.h"
#include "search/sensitivity/plan_predictor.h"
#include "search/tensor/tensor.h"

namespace bitplan::sensitivity {
namespace {

std::string PathOf(const LayerTable& layers, size_t l) {
  return fmt::format("layers[{}] '{}'", l, layers.layers[l].name);
}

// `status` of a field below `path`.
absl::Status Within(const absl::Status& status, std::string_view path) {
  return status.ok() ? status : absl::Status(status.code(), fmt::format("{}.{}", path, MessageOf(status)));
}

absl::Status CheckLayer(const Layer& layer) {
  if (layer.name.empty()) return InvalidArgument("name: is empty");
  if (layer.num_weights < 1) return InvalidArgument("num_weights: got {}, want at least 1", layer.num_weights);
  if (layer.macs < 0) return InvalidArgument("macs: got {}, want at least 0", layer.macs);
  if (layer.input_elements < 0) return InvalidArgument("input_elements: got {}, want at least 0", layer.input_elements);
  if (layer.output_elements < 0) {
    return InvalidArgument("output_elements: got {}, want at least 0", layer.output_elements);
  }
  if (layer.weight_shape.empty()) {
    if (layer.output_channel_axis == 0) return absl::OkStatus();
    return InvalidArgument("output_channel_axis: got {} without a weight_shape", layer.output_channel_axis);
  }
  if (CheckedNumElements(layer.weight_shape, layer.num_weights) != layer.num_weights) {
    return InvalidArgument("weight_shape: got {}, want a product of num_weights, {}", ToString(layer.weight_shape),
                           layer.num_weights);
  }
  if (layer.output_channel_axis < 0 || layer.output_channel_axis >= std::ssize(layer.weight_shape)) {
    return InvalidArgument("output_channel_axis: got {}, want an axis of weight_shape {}", layer.output_channel_axis,
                           ToString(layer.weight_shape));
  }
  return absl::OkStatus();
}

absl::Status CheckLayers(const LayerTable& table) {
  const std::vector<Layer>& layers = table.layers;
  if (layers.empty()) return InvalidArgument("layers: is empty, want at least one");
  if (std::ssize(layers) > kMaxGivenLayers) {
    return InvalidArgument("layers: got {}, want at most {}", layers.size(), kMaxGivenLayers);
  }
  std::set<std::string_view> names;
  for (size_t l = 0; l < layers.size(); ++l) {
    BITPLAN_RETURN_IF_ERROR(Within(CheckLayer(layers[l]), PathOf(table, l)));
    if (!names.insert(layers[l].name).second) {
      return InvalidArgument("{}.name: repeats an earlier layer's", PathOf(table, l));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckOption(const Option& option) {
  BITPLAN_RETURN_IF_ERROR(ValidateOption(option));
  const absl::Status rule = quantization::FindRangeRule(option.range).status();
  if (!rule.ok()) return InvalidArgument("{}", MessageOf(rule));
  if (option.scheme == "given") return absl::OkStatus();
  const absl::Status known = quantization::FindQuantizer(option.scheme).status();
  return known.ok() ? known : InvalidArgument("{} or given", MessageOf(known));
}

absl::Status CheckOptions(const std::vector<Option>& options) {
  if (options.empty()) return InvalidArgument("options: is empty, want at least one");
  if (std::ssize(options) > kMaxGivenOptionsPerLayer) {
    return InvalidArgument("options: got {}, want at most {}", options.size(), kMaxGivenOptionsPerLayer);
  }
  std::set<std::string> labels;
  for (size_t o = 0; o < options.size(); ++o) {
    BITPLAN_RETURN_IF_ERROR(Within(CheckOption(options[o]), fmt::format("options[{}]", o)));
    if (!labels.insert(Label(options[o])).second) {
      return InvalidArgument("options[{}]: repeats an earlier option, {}", o, Label(options[o]));
    }
  }
  return absl::OkStatus();
}

enum class Sign { kAny, kNotNegative };

// One number an option: the shape of the option table, finite, and of the wanted sign.
absl::Status CheckNumbers(const GivenSensitivities& given, const std::vector<std::vector<double>>& numbers, Sign sign,
                          std::string_view name) {
  if (numbers.size() != given.options.options.size()) {
    return InvalidArgument("{}: got {} layers, want {}", name, numbers.size(), given.options.options.size());
  }
  for (size_t l = 0; l < numbers.size(); ++l) {
    if (numbers[l].size() != given.options.options[l].size()) {
      return InvalidArgument("{}: got {} of {}, want one for each of {} options", PathOf(given.layers, l),
                             numbers[l].size(), name, given.options.options[l].size());
    }
    for (size_t o = 0; o < numbers[l].size(); ++o) {
      const double number = numbers[l][o];
      if (std::isfinite(number) && (sign == Sign::kAny || number >= 0)) continue;
      return InvalidArgument("{}.options[{}].{}: got {}, want a finite number{}", PathOf(given.layers, l), o, name,
                             number, sign == Sign::kAny ? "" : " of at least 0");
    }
  }
  return absl::OkStatus();
}

absl::Status CheckSensitivity(const GivenSensitivities& given) {
  const SensitivityTable& table = given.sensitivity;
  const absl::Status method = FindMethod(table.method).status();
  if (!method.ok()) return absl::InvalidArgumentError(method.message());
  BITPLAN_RETURN_IF_ERROR(CheckNumbers(given, table.score, Sign::kAny, "score"));
  BITPLAN_RETURN_IF_ERROR(CheckNumbers(given, table.standard_error, Sign::kNotNegative, "standard_error"));
  if (!table.perturbation_sq.empty()) {
    BITPLAN_RETURN_IF_ERROR(CheckNumbers(given, table.perturbation_sq, Sign::kNotNegative, "perturbation_sq"));
  }
  if (table.responses) {
    BITPLAN_RETURN_IF_ERROR(CheckPlanResponses(*table.responses, given.options));
    const absl::Status fit = PlanPredictor::CheckTargets(*table.responses);
    if (!fit.ok()) return InvalidArgument("responses: {}", MessageOf(fit));
  }
  if (!table.curvature.empty() && table.curvature.size() != given.layers.layers.size()) {
    return InvalidArgument("curvature: got {} layers, want {}", table.curvature.size(), given.layers.layers.size());
  }
  return absl::OkStatus();
}

std::string ResourceKeys(const Costs& costs) {
  std::string keys;
  for (const auto& [resource, amount] : costs)
    keys += fmt::format("{}{}", keys.empty() ? "" : ", ", ResourceKey(resource));
  return keys.empty() ? "none" : keys;
}

bool SameResources(const Costs& a, const Costs& b) {
  return std::ranges::equal(a, b, {}, &Costs::value_type::first, &Costs::value_type::first);
}

absl::Status CheckOptionCosts(const Costs& costs, const Costs& first) {
  for (const auto& [resource, amount] : costs) {
    if (amount < 0) return InvalidArgument("costs.{}: got {}, want at least 0", ResourceKey(resource), amount);
  }
  if (SameResources(costs, first)) return absl::OkStatus();
  return InvalidArgument("costs: got {}, the first option has {}: a resource is given for every option or for none",
                         ResourceKeys(costs), ResourceKeys(first));
}

absl::Status CheckCosts(const GivenSensitivities& given) {
  if (given.costs.empty()) return absl::OkStatus();
  if (given.costs.size() != given.options.options.size()) {
    return InvalidArgument("costs: got {} layers, want {}", given.costs.size(), given.options.options.size());
  }
  for (size_t l = 0; l < given.costs.size(); ++l) {
    if (given.costs[l].size() != given.options.options[l].size()) {
      return InvalidArgument("{}: got {} of costs, want one for each of {} options", PathOf(given.layers, l),
                             given.costs[l].size(), given.options.options[l].size());
    }
    for (size_t o = 0; o < given.costs[l].size(); ++o) {
      BITPLAN_RETURN_IF_ERROR(Within(CheckOptionCosts(given.costs[l][o], given.costs.front().front()),
                                     fmt::format("{}.options[{}]", PathOf(given.layers, l), o)));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckTies(const GivenSensitivities& given) {
  std::set<std::string_view> known;
  for (const Layer& layer : given.layers.layers) known.insert(layer.name);
  std::set<std::string_view> tied;
  for (size_t t = 0; t < given.ties.size(); ++t) {
    if (given.ties[t].size() < 2)
      return InvalidArgument("ties[{}]: got {}, want two layers or more", t, given.ties[t].size());
    for (const std::string& name : given.ties[t]) {
      if (!known.contains(name)) return InvalidArgument("ties[{}]: there is no layer '{}'", t, name);
      if (!tied.insert(name).second) return InvalidArgument("ties[{}]: layer '{}' is in a tie already", t, name);
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status Validate(const GivenSensitivities& given) {
  BITPLAN_RETURN_IF_ERROR(CheckLayers(given.layers));
  if (given.options.options.size() != given.layers.layers.size()) {
    return InvalidArgument("options: got {} layers, want {}", given.options.options.size(), given.layers.layers.size());
  }
  for (size_t l = 0; l < given.options.options.size(); ++l) {
    BITPLAN_RETURN_IF_ERROR(Within(CheckOptions(given.options.options[l]), PathOf(given.layers, l)));
  }
  BITPLAN_RETURN_IF_ERROR(CheckSensitivity(given));
  BITPLAN_RETURN_IF_ERROR(CheckCosts(given));
  return CheckTies(given);
}

}  // namespace bitplan::sensitivity
