#ifndef BITPLAN_CLIENT_FILES_H_
#define BITPLAN_CLIENT_FILES_H_

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace bitplan::client {

// The bytes of a file. kNotFound or kFailedPrecondition with the path and the system's reason.
absl::StatusOr<std::string> ReadFile(const std::string& path);

// Writes a file whole or not at all: a temporary file beside it takes its name at the end. kFailedPrecondition.
absl::Status WriteFile(const std::string& path, std::string_view bytes);

// Calibration data as the bytes of an .npz file. `text` is either one .npz file or two .npy files with a comma between:
// images (or any other input of the only input's shape), then labels.
absl::StatusOr<std::string> ReadCalibration(const std::string& text);

// "data.npz" of "sets/data.npz", "images.npy,labels.npy" of "sets/images.npy,sets/labels.npy": a name to show.
std::string CalibrationName(const std::string& text);

// "net.onnx" of "models/net.onnx".
std::string BaseName(const std::string& path);

}  // namespace bitplan::client

#endif  // BITPLAN_CLIENT_FILES_H_
