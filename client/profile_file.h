#ifndef BITPLAN_CLIENT_PROFILE_FILE_H_
#define BITPLAN_CLIENT_PROFILE_FILE_H_

#include <string>

#include "absl/status/statusor.h"
#include "search/hardware/profile.h"
#include "search/layer/layer.h"

namespace bitplan::client {

// A shipped profile by its name, or the profile document at a path that ends in .json.
absl::StatusOr<HardwareProfile> ReadProfile(const std::string& name_or_path);

// The layers of an ONNX network. `calibration` (ReadCalibration) tells the sizes of inputs that the network leaves
// open; empty: none.
absl::StatusOr<LayerTable> ReadLayers(const std::string& model, const std::string& calibration);

}  // namespace bitplan::client

#endif  // BITPLAN_CLIENT_PROFILE_FILE_H_
