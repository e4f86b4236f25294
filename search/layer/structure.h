#ifndef BITPLAN_SEARCH_LAYER_STRUCTURE_H_
#define BITPLAN_SEARCH_LAYER_STRUCTURE_H_

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace bitplan {

// How layers of one group stand to each other in the network's graph; how each is found: graph/layer_structure.h.
enum class StructureKind {
  kSharedInput,         // read one tensor
  kParallel,            // read one tensor, are of one kind and take as many inputs: could be one wide layer
  kAttention,           // parallel layers that are an attention's queries, keys and values
  kGated,               // two parallel layers whose results are multiplied with each other
  kAddedInputs,         // the tensors that they read enter one chain of additions
  kConcatenatedInputs,  // the tensors that they read enter one concatenation
  kAddedOutputs,        // their results meet in one chain of additions
  kConcatenatedOutputs  // their results meet in one concatenation
};
inline constexpr std::array kStructureKinds = {StructureKind::kSharedInput,  StructureKind::kParallel,
                                               StructureKind::kAttention,    StructureKind::kGated,
                                               StructureKind::kAddedInputs,  StructureKind::kConcatenatedInputs,
                                               StructureKind::kAddedOutputs, StructureKind::kConcatenatedOutputs};
// "shared_input", "parallel", "attention", "gated", "added_inputs", "concatenated_inputs", "added_outputs",
// "concatenated_outputs".
std::string_view ToString(StructureKind kind);
absl::StatusOr<StructureKind> ParseStructureKind(std::string_view name);

// Names of two or more layers, in the order of their table.
struct StructureGroup {
  StructureKind kind = StructureKind::kSharedInput;
  std::vector<std::string> layers;

  bool operator==(const StructureGroup&) const = default;
};

// What later stages know of a network's graph, besides its layers.
using LayerStructure = std::vector<StructureGroup>;

}  // namespace bitplan

#endif  // BITPLAN_SEARCH_LAYER_STRUCTURE_H_
