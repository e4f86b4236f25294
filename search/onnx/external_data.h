#ifndef BITPLAN_SEARCH_ONNX_EXTERNAL_DATA_H_
#define BITPLAN_SEARCH_ONNX_EXTERNAL_DATA_H_

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "search/onnx/parse_limits.h"

namespace bitplan::onnx {

// Models whose weights lie in files beside them ("external data",
// https://github.com/onnx/onnx/blob/main/docs/ExternalData.md) are made one file before anything else sees them. So the
// SHA-256 of the model covers its weights wherever they came from, and the server needs no second file.

// A file beside the model, by the name that the model has for it. Both must outlive the call.
struct ExternalFile {
  std::string_view location;
  std::string_view bytes;
};

// The locations that the model's tensors name, sorted, each once; empty for a model in one file. They are text from a
// stranger: whoever opens files by them must check that they do not leave the model's folder.
// Errors: kInvalidArgument: malformed or over a limit; a tensor without a location, or with one twice, empty or not
// UTF-8.
absl::StatusOr<std::vector<std::string>> ListExternalFiles(std::string_view onnx, const ParseLimits& limits = {});

// The same model with all tensors inside, initializers and values of attributes, branches of If included. Each takes
// `length` bytes of its file from `offset` on (default: all from there, from 0); a checksum is not looked at. What is
// not about tensors' data stays as it is. A model in one file is returned byte by byte.
// Errors: those of ListExternalFiles; kNotFound: a file that is not among `files`; kInvalidArgument: an offset or
//         length that is no number or goes past the end of the file, a model of more than limits.max_file_bytes or
//         2 GiB (protobuf's limit) with its data.
// Memory: the model twice.
absl::StatusOr<std::string> InlineExternalData(std::string_view onnx, std::span<const ExternalFile> files,
                                               const ParseLimits& limits = {});

}  // namespace bitplan::onnx

#endif  // BITPLAN_SEARCH_ONNX_EXTERNAL_DATA_H_
