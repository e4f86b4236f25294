#ifndef BITPLAN_SEARCH_SENSITIVITY_GIVEN_H_
#define BITPLAN_SEARCH_SENSITIVITY_GIVEN_H_

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "search/base/resource.h"
#include "search/layer/layer.h"
#include "search/sensitivity/sensitivity_table.h"

namespace bitplan {

// Layers, options and scores without a network: measured earlier, elsewhere, or taken from a publication.
//
// Invariants (Validate):
//   layers      at least one; names unique and not empty; num_weights >= 1, equal to the product of weight_shape where
//               that is known; macs >= 0
//   options     at least one a layer, labels unique within it; bits 1..32; scheme of the quantizer table or "given"
//   sensitivity method of the method table; tables have the shape of `options`; scores finite, errors and squared
//               perturbations finite and >= 0; responses, if there are any, as CheckPlanResponses wants them
//   costs       empty, or the shape of `options`; a resource is given for every option of every layer or for none; >= 0
//   ties        each names at least two known layers, no layer is in two ties
struct GivenSensitivities {
  LayerTable layers;
  OptionTable options;
  SensitivityTable sensitivity;
  std::vector<std::vector<Costs>> costs;          // [layer][option]; what is absent is priced by a hardware profile
  std::vector<std::vector<std::string>> ties;     // layer names that must take equal options
  std::map<std::string, std::string> provenance;  // free text: source, hardware, who measured, when
};

namespace sensitivity {

inline constexpr std::string_view kGivenFormat = "bitplan.sensitivities/1";

// Largest document that ParseGiven looks at, and its largest tables: a generous model (10,000 layers) stays far below.
inline constexpr int64_t kMaxGivenBytes = int64_t{256} << 20;
inline constexpr int64_t kMaxGivenLayers = 100'000;
inline constexpr int64_t kMaxGivenOptionsPerLayer = 1024;

// kInvalidArgument naming the field that breaks an invariant, e.g. layers[3] 'conv2'.options[1].weight_bits.
absl::Status Validate(const GivenSensitivities& given);

// Reads a document of docs/formats/sensitivities.md. Strict: unknown and repeated keys, wrong types and NaN are
// refused. Errors: kInvalidArgument with the path of the field.
absl::StatusOr<GivenSensitivities> ParseGiven(std::string_view json);

// Writes such a document, keys in a fixed order; ParseGiven(ToJson(x)) equals x bit for bit.
std::string ToJson(const GivenSensitivities& given);

}  // namespace sensitivity
}  // namespace bitplan

#endif  // BITPLAN_SEARCH_SENSITIVITY_GIVEN_H_
