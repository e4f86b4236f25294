#include "search/layer/structure.h"

#include "search/base/status.h"

namespace bitplan {

std::string_view ToString(StructureKind kind) {
  switch (kind) {
    case StructureKind::kSharedInput:
      return "shared_input";
    case StructureKind::kParallel:
      return "parallel";
    case StructureKind::kAttention:
      return "attention";
    case StructureKind::kGated:
      return "gated";
    case StructureKind::kAddedInputs:
      return "added_inputs";
    case StructureKind::kConcatenatedInputs:
      return "concatenated_inputs";
    case StructureKind::kAddedOutputs:
      return "added_outputs";
    case StructureKind::kConcatenatedOutputs:
      return "concatenated_outputs";
  }
  return "";
}

absl::StatusOr<StructureKind> ParseStructureKind(std::string_view name) {
  std::string known;
  for (const StructureKind kind : kStructureKinds) {
    if (ToString(kind) == name) return kind;
    known += fmt::format("{}{}", known.empty() ? "" : ", ", ToString(kind));
  }
  return InvalidArgument("got '{}', want one of {}", name, known);
}

}  // namespace bitplan
