#include <algorithm>
#include <cmath>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "search/base/status.h"
#include "search/data/npz.h"

namespace bitplan::data {
namespace {

absl::Status CheckFinite(const std::string& name, const FloatVector& values) {
  const auto bad = std::ranges::find_if_not(values, [](float value) { return std::isfinite(value); });
  if (bad == values.end()) return absl::OkStatus();
  return InvalidArgument("dataset: array '{}': element {} is {}, want finite numbers", name, bad - values.begin(),
                         *bad);
}

absl::StatusOr<Tensor> ToFiniteTensor(const std::string& name, Array array) {
  if (!array.is_float()) {
    const auto& ints = std::get<std::vector<int64_t>>(array.data);
    return Tensor{.shape = std::move(array.shape), .data = FloatVector(ints.begin(), ints.end())};
  }
  Tensor tensor{.shape = std::move(array.shape), .data = std::get<FloatVector>(std::move(array.data))};
  BITPLAN_RETURN_IF_ERROR(CheckFinite(name, tensor.data));
  return tensor;
}

absl::StatusOr<ClassLabels> ToClassLabels(Array array) {
  ClassLabels labels = std::get<ClassLabels>(std::move(array.data));
  const auto bad = std::ranges::find_if(labels, [](int64_t label) { return label < 0 && label != kIgnoredLabel; });
  if (bad != labels.end()) {
    return InvalidArgument("dataset: array 'labels': element {} is {}, want 0 or more, or {} for what does not count",
                           bad - labels.begin(), *bad, kIgnoredLabel);
  }
  return labels;
}

// Every array has the samples in its first dimension: at least one, and as many as the others.
absl::Status CountSamples(const NamedArray& named, std::optional<int64_t>& num_samples) {
  const Shape& shape = named.array.shape;
  if (shape.empty()) return InvalidArgument("dataset: array '{}' is a single number, want [N, ...]", named.name);
  if (shape[0] == 0) return InvalidArgument("dataset: array '{}' has no samples", named.name);
  if (NumElements(shape) == 0) {
    return InvalidArgument("dataset: array '{}': shape {} has no elements", named.name, ToString(shape));
  }
  if (num_samples.value_or(shape[0]) != shape[0]) {
    return InvalidArgument("dataset: array '{}' has {} samples, the others have {}", named.name, shape[0],
                           *num_samples);
  }
  num_samples = shape[0];
  return absl::OkStatus();
}

absl::Status SetTargets(NamedArray named, std::optional<std::string>& targets_name, Dataset& dataset) {
  if (targets_name) return InvalidArgument("dataset: both '{}' and '{}', want one of them", *targets_name, named.name);
  targets_name = named.name;
  if (named.name == "labels" && !named.array.is_float()) {
    BITPLAN_ASSIGN_OR_RETURN(dataset.targets, ToClassLabels(std::move(named.array)));
  } else {
    BITPLAN_ASSIGN_OR_RETURN(dataset.targets, ToFiniteTensor(named.name, std::move(named.array)));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Dataset> ParseNpz(std::string_view bytes, const NpzLimits& limits) {
  BITPLAN_ASSIGN_OR_RETURN(std::vector<NamedArray> arrays, ReadNpz(bytes, limits));
  Dataset dataset;
  std::optional<int64_t> num_samples;
  std::optional<std::string> targets_name;
  for (NamedArray& named : arrays) {
    BITPLAN_RETURN_IF_ERROR(CountSamples(named, num_samples));
    if (named.name == "labels" || named.name == "targets") {
      BITPLAN_RETURN_IF_ERROR(SetTargets(std::move(named), targets_name, dataset));
    } else {
      BITPLAN_ASSIGN_OR_RETURN(Tensor values, ToFiniteTensor(named.name, std::move(named.array)));
      dataset.inputs.push_back({.name = std::move(named.name), .values = std::move(values)});
    }
  }
  if (dataset.inputs.empty())
    return InvalidArgument("dataset: no input array; call it 'images', 'inputs' or by the input's name");
  dataset.num_samples = *num_samples;
  return dataset;
}

}  // namespace bitplan::data
