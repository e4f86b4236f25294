#ifndef BITPLAN_SEARCH_LAYER_PEAK_MEMORY_H_
#define BITPLAN_SEARCH_LAYER_PEAK_MEMORY_H_

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "search/layer/layer.h"

namespace bitplan {

// What the tensors that have a layer's activation width take, at one moment.
struct MemoryTerm {
  std::string layer;             // name
  std::map<int, int64_t> bytes;  // by activation bits; every width that an option of the layer has

  bool operator==(const MemoryTerm&) const = default;
};

// A moment of the execution.
struct MemoryStep {
  std::string name;         // of the node that runs
  int64_t fixed_bytes = 0;  // what no option changes
  std::vector<MemoryTerm> terms;

  bool operator==(const MemoryStep&) const = default;
};

// The most memory that a network needs at any moment: the maximum over the steps, of each
//
//   fixed_bytes + sum over its terms of bytes[activation bits of the term's layer]
//               + sum over all layers of ceil(size_bits / 8), if weights lie there too
//
// Steps that another step covers for every choice are left out.
struct PeakMemory {
  bool weights_resident = false;
  std::vector<MemoryStep> steps;

  bool operator==(const PeakMemory&) const = default;
};

// What an option of `layer` (name) adds to a step, without fixed_bytes: the term's bytes, and its weights where they
// are resident. nullopt: no entry for its activation bits, or no size where one is needed.
std::optional<int64_t> BytesInStep(const PeakMemory& peak, const MemoryStep& step, const std::string& layer,
                                   const Option& option, std::optional<int64_t> size_bits);

// A layer that may take one of some options.
struct MemoryCandidates {
  std::string layer;                              // name
  std::vector<Option> options;                    // at least one
  std::vector<std::optional<int64_t>> size_bits;  // of each
};

// The largest over the steps of the least that candidates take there; with one candidate a layer the peak of a choice.
// nullopt: a layer that takes part in a step has no candidate with known bytes, or a sum does not fit in int64.
std::optional<int64_t> PeakBytes(const PeakMemory& peak, std::span<const MemoryCandidates> layers);

}  // namespace bitplan

#endif  // BITPLAN_SEARCH_LAYER_PEAK_MEMORY_H_
