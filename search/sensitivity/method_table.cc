#include "search/sensitivity/method_table.h"

#include <array>
#include <string>

#include "search/base/status.h"
#include "search/sensitivity/hawq_v1.h"
#include "search/sensitivity/hawq_v2.h"

namespace bitplan::sensitivity {
namespace {

constexpr auto kMethods = std::to_array<MethodEntry>({
    {.name = "hawq_v1",
     .summary = "top eigenvalue / weights x squared perturbation",
     .source = "HAWQ (Dong et al., 2019)",
     .error_meaning = "bound: residual of the eigenvalue, through the formula",
     .needs_top_eigenvalues = true,
     .score = &HawqV1},
    {.name = "hawq_v2",
     .summary = "average trace x squared perturbation",
     .source = "HAWQ-v2 (Dong et al., 2020)",
     .error_meaning = "standard error of the trace, through the formula",
     .needs_traces = true,
     .score = &HawqV2},
    {.name = "given",
     .summary = "scores that came with the request",
     .source = "the document's provenance",
     .error_meaning = "as given"},
});

}  // namespace

std::span<const MethodEntry> Methods() { return kMethods; }

absl::StatusOr<MethodEntry> FindMethod(std::string_view name) {
  std::string known;
  for (const MethodEntry& entry : kMethods) {
    if (entry.name == name) return entry;
    known += fmt::format("{}{}", known.empty() ? "" : ", ", entry.name);
  }
  return NotFound("method: got '{}', want one of {}", name, known);
}

}  // namespace bitplan::sensitivity
