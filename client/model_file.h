#ifndef BITPLAN_CLIENT_MODEL_FILE_H_
#define BITPLAN_CLIENT_MODEL_FILE_H_

#include <string>

#include "absl/status/statusor.h"

namespace bitplan::client {

// The bytes of an ONNX model with everything inside. Weights that it keeps in other files (external data) are read from
// the model's own folder, or a folder in it, and put inside: what is uploaded, searched and known by its SHA-256 is one
// file.
//
// Errors: those of ReadFile and onnx::InlineExternalData; kInvalidArgument, naming the location: an absolute path, one
//         with "..", a link out of the folder, something that is no file; together over 2 GiB, the most that one ONNX
//         file can hold.
absl::StatusOr<std::string> ReadModel(const std::string& path);

}  // namespace bitplan::client

#endif  // BITPLAN_CLIENT_MODEL_FILE_H_
