#include <algorithm>
#include <cmath>
#include <optional>
#include <string>
#include <string_view>
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

// Arrays that always have the samples in their first dimension.
bool IsTarget(std::string_view name) { return name == "labels" || name == "targets"; }
bool FeedsOnlyInput(std::string_view name) { return name == "images" || name == "inputs"; }

absl::Status CheckShape(const NamedArray& named) {
  const Shape& shape = named.array.shape;
  if (shape.empty() && (IsTarget(named.name) || FeedsOnlyInput(named.name))) {
    return InvalidArgument("dataset: array '{}' is a single number, want [N, ...]", named.name);
  }
  if (!shape.empty() && shape[0] == 0) return InvalidArgument("dataset: array '{}' has no samples", named.name);
  if (NumElements(shape) > 0) return absl::OkStatus();
  return InvalidArgument("dataset: array '{}': shape {} has no elements", named.name, ToString(shape));
}

// The largest first size of the arrays that `counts` picks; 0: none of them.
template <typename Counts>
int64_t LargestFirstSize(const std::vector<NamedArray>& arrays, const Counts& counts) {
  int64_t largest = 0;
  for (const NamedArray& named : arrays) {
    if (!named.array.shape.empty() && counts(named.name)) largest = std::max(largest, named.array.shape[0]);
  }
  return largest;
}

int64_t CountSamples(const std::vector<NamedArray>& arrays) {
  if (const int64_t targets = LargestFirstSize(arrays, IsTarget); targets > 0) return targets;
  if (const int64_t images = LargestFirstSize(arrays, FeedsOnlyInput); images > 0) return images;
  return LargestFirstSize(arrays, [](std::string_view) { return true; });
}

bool HasSamples(const NamedArray& named, int64_t num_samples) {
  return !named.array.shape.empty() && named.array.shape[0] == num_samples;
}

absl::Status WrongCount(const NamedArray& named, int64_t num_samples) {
  if (named.array.shape.empty()) return InvalidArgument("dataset: array '{}' is a single number", named.name);
  return InvalidArgument("dataset: array '{}' has {} samples, the others have {}", named.name, named.array.shape[0],
                         num_samples);
}

absl::StatusOr<DatasetConstant> ToConstant(NamedArray named) {
  if (const auto* floats = std::get_if<FloatVector>(&named.array.data)) {
    BITPLAN_RETURN_IF_ERROR(CheckFinite(named.name, *floats));
  }
  return DatasetConstant{
      .name = std::move(named.name), .shape = std::move(named.array.shape), .data = std::move(named.array.data)};
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
  for (const NamedArray& named : arrays) BITPLAN_RETURN_IF_ERROR(CheckShape(named));
  Dataset dataset{.num_samples = CountSamples(arrays)};
  std::optional<std::string> targets_name;
  absl::Status wrong_count;  // of the first array that has another number of samples
  for (NamedArray& named : arrays) {
    if (!HasSamples(named, dataset.num_samples)) {
      const absl::Status wrong = WrongCount(named, dataset.num_samples);
      if (IsTarget(named.name) || FeedsOnlyInput(named.name)) return wrong;
      if (wrong_count.ok()) wrong_count = wrong;
      BITPLAN_ASSIGN_OR_RETURN(DatasetConstant constant, ToConstant(std::move(named)));
      dataset.constants.push_back(std::move(constant));
    } else if (IsTarget(named.name)) {
      BITPLAN_RETURN_IF_ERROR(SetTargets(std::move(named), targets_name, dataset));
    } else {
      BITPLAN_ASSIGN_OR_RETURN(Tensor values, ToFiniteTensor(named.name, std::move(named.array)));
      dataset.inputs.push_back({.name = std::move(named.name), .values = std::move(values)});
    }
  }
  if (!dataset.inputs.empty()) return dataset;
  BITPLAN_RETURN_IF_ERROR(wrong_count);
  return InvalidArgument("dataset: no input array; call it 'images', 'inputs' or by the input's name");
}

}  // namespace bitplan::data
