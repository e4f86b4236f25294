#ifndef BITPLAN_SEARCH_ONNX_WIRE_SCAN_H_
#define BITPLAN_SEARCH_ONNX_WIRE_SCAN_H_

#include <cstdint>
#include <string_view>

#include "absl/status/statusor.h"
#include "search/onnx/parse_limits.h"

namespace bitplan::onnx {

// What one walk over the raw bytes of a model counts.
struct WireSummary {
  int64_t elements = 0;      // messages, strings and single numbers
  int64_t parsed_bytes = 0;  // estimate of the memory the parsed file takes
  int64_t nodes = 0;
};

// Walks the protobuf encoding of an ONNX model without building anything, to know before parsing what parsing costs.
// A 4 MiB file of empty messages would take half a gigabyte once parsed.
//
// Cost:   one pass over tags and lengths, no allocation; payloads are skipped, packed numbers are counted. It stops at
//         the first limit.
// Depth:  at most 7 messages, by the schema: subgraphs are skipped as bytes, groups are refused.
// Errors: kInvalidArgument with the byte offset: truncated, a length past the end, a malformed tag, a known field of
//         another wire type, a group, over a limit.
absl::StatusOr<WireSummary> ScanWire(std::string_view bytes, const ParseLimits& limits);

}  // namespace bitplan::onnx

#endif  // BITPLAN_SEARCH_ONNX_WIRE_SCAN_H_
