#include "client/profile_file.h"

#include <utility>

#include "client/files.h"
#include "client/model_file.h"
#include "search/base/status.h"
#include "search/data/npz.h"
#include "search/hardware/shipped_profiles.h"
#include "search/onnx/model_options.h"
#include "search/onnx/parse_model.h"

namespace bitplan::client {

absl::StatusOr<HardwareProfile> ReadProfile(const std::string& name_or_path) {
  if (!name_or_path.ends_with(".json")) return hardware::FindShippedProfile(name_or_path);
  BITPLAN_ASSIGN_OR_RETURN(const std::string json, ReadFile(name_or_path));
  return hardware::ParseProfile(json);
}

absl::StatusOr<LayerTable> ReadLayers(const std::string& model, const std::string& calibration) {
  BITPLAN_ASSIGN_OR_RETURN(const std::string onnx, ReadModel(model));
  onnx::ParseOptions options;
  if (!calibration.empty()) {
    BITPLAN_ASSIGN_OR_RETURN(const std::string npz, ReadCalibration(calibration));
    BITPLAN_ASSIGN_OR_RETURN(const Dataset data, data::ParseNpz(npz));
    options = onnx::ModelOptionsFor(data, {});
  }
  BITPLAN_ASSIGN_OR_RETURN(Graph graph, onnx::ParseModel(onnx, options));
  return std::move(graph.layers);
}

}  // namespace bitplan::client
