#include "search/quantization/quantizer_table.h"

#include <array>
#include <string>

#include "search/base/status.h"
#include "search/quantization/affine.h"
#include "search/quantization/symmetric.h"

namespace bitplan::quantization {
namespace {

constexpr auto kQuantizers = std::to_array<QuantizerEntry>({
    {.name = "symmetric",
     .summary = "signed codes around zero, restricted range (2 bits is ternary)",
     .source = "Gholami et al. (2021)",
     .min_bits = 2,
     .max_bits = 8,
     .grid = &SymmetricGrid},
    {.name = "affine",
     .summary = "unsigned codes with an integer zero point, zero kept exact",
     .source = "Jacob et al. (2018)",
     .min_bits = 2,
     .max_bits = 8,
     .grid = &AffineGrid},
});

}  // namespace

std::span<const QuantizerEntry> Quantizers() { return kQuantizers; }

absl::StatusOr<QuantizerEntry> FindQuantizer(std::string_view name) {
  std::string known;
  for (const QuantizerEntry& entry : kQuantizers) {
    if (entry.name == name) return entry;
    known += fmt::format("{}{}", known.empty() ? "" : ", ", entry.name);
  }
  return NotFound("scheme: got '{}', want one of {}", name, known);
}

}  // namespace bitplan::quantization
