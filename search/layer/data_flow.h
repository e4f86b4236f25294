#ifndef BITPLAN_SEARCH_LAYER_DATA_FLOW_H_
#define BITPLAN_SEARCH_LAYER_DATA_FLOW_H_

#include <cstdint>
#include <string>
#include <vector>

namespace bitplan {

// Activation bits of a tensor that no layer reads, in the end: float.
inline constexpr int kFullPrecisionBits = 32;

// Tensors of activations that lie in one place while the network runs: one tensor, and those that are views of it or
// are computed in its place.
struct ActivationBuffer {
  std::string name;      // of the first of the tensors
  int64_t elements = 0;  // of one sample
  // Layers (indices, ascending) that read what comes of the tensor first: it is stored with their activation bits, the
  // widest of them where they differ. Empty: no layer does, kFullPrecisionBits.
  std::vector<int> layers;
  int first_step = 0;  // index into DataFlow::steps: when it is written; graph inputs are there from the first step on
  int last_step = 0;   // when it is read for the last time; graph outputs stay to the last step

  bool operator==(const ActivationBuffer&) const = default;
};

// Two layers of which the second reads what the first one writes, directly or through operators without weights: where
// their activation widths differ, the tensor has to be converted.
struct PrecisionBoundary {
  int from = 0;  // layers (indices)
  int to = 0;
  int64_t elements = 0;  // that the second one reads, one sample

  bool operator==(const PrecisionBoundary&) const = default;
};

// What of a network's execution the cost of its activations depends on: all that stages behind the measurement know of
// it. Empty where no network is known (given sensitivities).
struct DataFlow {
  std::vector<std::string> steps;  // names of the nodes, in execution order
  std::vector<ActivationBuffer> buffers;
  std::vector<PrecisionBoundary> boundaries;

  bool operator==(const DataFlow&) const = default;
};

}  // namespace bitplan

#endif  // BITPLAN_SEARCH_LAYER_DATA_FLOW_H_
