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
// Invariants (Validate): at least one layer; layer names unique and not empty; at least one option a layer, labels
// unique within it; bits 1..32; scores finite, standard errors finite and >= 0; costs >= 0, and a resource is given for
// every option of every layer or for none; each tie names at least two known layers and no layer is in two ties; all
// tables have the shape of `options`.
struct GivenSensitivities {
  LayerTable layers;
  OptionTable options;
  SensitivityTable sensitivity;
  std::vector<std::vector<Costs>> costs;          // [layer][option]; what is absent is priced by a hardware profile
  std::vector<std::vector<std::string>> ties;     // layer names that must take equal options
  std::map<std::string, std::string> provenance;  // free text: source, hardware, who measured, when
};

namespace sensitivity {

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
