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

// Class of each sample, 0 .. num_classes - 1.
using ClassLabels = std::vector<int64_t>;

// Calibration data: what the loss and the ranges are measured on. Invariants (checked by ParseNpz): at least one
// sample, the same number of samples everywhere, every value finite.
struct Dataset {
  std::vector<DatasetInput> inputs;
  std::variant<ClassLabels, Tensor>
      targets;  // class labels (cross-entropy) or real targets [N, ...] (mean squared error)
  int64_t num_samples = 0;
};

}  // namespace bitplan

#endif  // BITPLAN_SEARCH_DATA_DATASET_H_
