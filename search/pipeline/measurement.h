#ifndef BITPLAN_SEARCH_PIPELINE_MEASUREMENT_H_
#define BITPLAN_SEARCH_PIPELINE_MEASUREMENT_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "search/base/resource.h"
#include "search/layer/data_flow.h"
#include "search/layer/layer.h"
#include "search/layer/structure.h"
#include "search/sensitivity/given.h"
#include "search/sensitivity/sensitivity_table.h"

namespace bitplan {

// The slow half of a search: made once, solved many times. Addressed by `digest`, which names everything it depends on.
struct Measurement {
  LayerTable layers;
  OptionTable options;
  SensitivityTable sensitivity;
  std::vector<std::vector<Costs>> given_costs;  // [layer][option]; came with given sensitivities; empty: none
  std::vector<std::vector<std::string>> ties;   // of the network itself: every search obeys them besides its own

  // Groups of layers whose activations have one width on integer hardware (ActivationTies), by name; searches obey them
  // unless told not to. Empty for given sensitivities.
  std::vector<std::vector<std::string>> activation_ties;

  // How layers stand to each other in the graph (FindStructure). Absent where that is not known: given sensitivities,
  // measurements made before it was looked at.
  std::optional<LayerStructure> structure;

  // What lies in memory while the network runs; empty for given sensitivities and measurements of older versions.
  DataFlow data_flow;

  std::string digest;        // SHA-256; of a MeasureRequest it is known before measuring (pipeline::MeasurementDigest)
  std::string model_digest;  // of the ONNX bytes; empty for given sensitivities
  std::string dataset_digest;  // of the calibration file's bytes; empty for given sensitivities
  std::string settings;        // canonical JSON of the options it was measured with; empty for given sensitivities
  std::map<std::string, std::string> versions;  // of what the numbers depend on
  std::map<std::string, std::string> origin;    // free text that came with given sensitivities
};

namespace pipeline {

inline constexpr std::string_view kMeasurementFormat = "bitplan.measurement/1";

// Tables from outside (or read back) as a measurement without digests and versions.
Measurement FromTables(GivenSensitivities given);
// SHA-256 of the canonical document of given sensitivities: what FromGiven puts into `digest`.
std::string DigestOfGiven(const GivenSensitivities& given);

// JSON document: provenance plus the document of docs/formats/sensitivities.md under "sensitivities". Doubles read back
// exactly.
std::string MeasurementToJson(const Measurement& measurement);
// Strict; kInvalidArgument with the path of the field, also if the digest is not that of the ingredients.
absl::StatusOr<Measurement> ParseMeasurement(std::string_view json);

}  // namespace pipeline
}  // namespace bitplan

#endif  // BITPLAN_SEARCH_PIPELINE_MEASUREMENT_H_
