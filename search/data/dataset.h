#ifndef BITPLAN_SEARCH_DATA_DATASET_H_
#define BITPLAN_SEARCH_DATA_DATASET_H_

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "search/tensor/tensor.h"

namespace bitplan {

// One named input of the network; the first dimension counts samples.
struct DatasetInput {
  std::string name;  // graph input it feeds; "images" and "inputs" feed the only input of a graph
  Tensor values;
};

// An input that is the same for all samples: a sampling rate, an initial state. It becomes a constant of the network.
struct DatasetConstant {
  std::string name;  // of the graph input
  Shape shape;
  std::variant<FloatVector, std::vector<int64_t>> data;  // floats where the file holds floats, else integers
};

// Class of each sample, or of each token of each sample, row-major: 0 .. num_classes - 1, or kIgnoredLabel.
using ClassLabels = std::vector<int64_t>;
// Marks what does not count in the loss: padding.
inline constexpr int64_t kIgnoredLabel = -100;

// Class labels (cross-entropy), real targets [N, ...] (squared error, probabilities), or nothing (label-free losses).
using Targets = std::variant<std::monostate, ClassLabels, Tensor>;

// Calibration data: what the loss and the ranges are measured on. Invariants (checked by ParseNpz): at least one
// sample, the same number of samples in all inputs and targets, every value finite.
struct Dataset {
  std::vector<DatasetInput> inputs;
  std::vector<DatasetConstant> constants;
  Targets targets;
  int64_t num_samples = 0;
};

}  // namespace bitplan

#endif  // BITPLAN_SEARCH_DATA_DATASET_H_
