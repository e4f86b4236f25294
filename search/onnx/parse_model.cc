#include "search/onnx/parse_model.h"

#include <limits>
#include <new>
#include <optional>

#include "search/base/status.h"
#include "search/base/text.h"
#include "search/onnx/graph_builder.h"
#include "search/onnx/onnx_wire.pb.h"
#include "search/onnx/wire_scan.h"
#include "search/ops/op_table.h"

namespace bitplan::onnx {
namespace {

static_assert(kMaxOpset == ops::kMaxOpset, "importer and operator table read the same versions");

// Version 3 brought opset_import, without which operators have no meaning; 12 is the newest that was read up on.
constexpr int64_t kMinIrVersion = 3;
constexpr int64_t kMaxIrVersion = 12;

// Opset imports of other domains are fine as long as no node uses them; those nodes are reported by name.
absl::StatusOr<int64_t> FindOpset(const onnx_wire::ModelProto& model) {
  std::optional<int64_t> found;
  for (const onnx_wire::OperatorSetIdProto& opset : model.opset_import()) {
    if (!opset.domain().empty() && opset.domain() != "ai.onnx") continue;
    if (found.has_value()) return InvalidArgument("onnx: opset_import: the default domain is there twice");
    found = opset.version();
  }
  if (!found.has_value()) return InvalidArgument("onnx: opset_import: the default domain is missing");
  if (*found < kMinOpset || *found > kMaxOpset) {
    return Unimplemented("onnx: opset {}, want {}..{}; convert it with onnx.version_converter", *found, kMinOpset,
                         kMaxOpset);
  }
  return *found;
}

absl::Status CheckModel(const onnx_wire::ModelProto& model) {
  if (!model.has_graph() || !model.has_ir_version()) {
    return InvalidArgument("onnx: not a model: ir_version or graph is missing");
  }
  if (model.ir_version() < kMinIrVersion || model.ir_version() > kMaxIrVersion) {
    return Unimplemented("onnx: ir_version {}, want {}..{}", model.ir_version(), kMinIrVersion, kMaxIrVersion);
  }
  if (model.functions_size() > 0) return Unimplemented("onnx: model-local functions are not supported; inline them");
  if (model.graph().sparse_initializer_size() > 0) return Unimplemented("onnx: sparse initializers are not supported");
  return absl::OkStatus();
}

absl::StatusOr<Graph> ParseScanned(std::string_view bytes, const ParseOptions& options) {
  onnx_wire::ModelProto model;
  if (bytes.size() > std::numeric_limits<int>::max() ||
      !model.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return InvalidArgument("onnx: malformed file: not an encoded ModelProto");
  }
  BITPLAN_RETURN_IF_ERROR(CheckModel(model));
  BITPLAN_ASSIGN_OR_RETURN(const int64_t opset_version, FindOpset(model));
  return BuildGraph(*model.mutable_graph(), opset_version, options);
}

}  // namespace

absl::StatusOr<Graph> ParseModel(std::string_view bytes, const ParseLimits& limits) {
  return ParseModel(bytes, ParseOptions{.limits = limits});
}

absl::StatusOr<Graph> ParseModel(std::string_view bytes, const ParseOptions& options) {
  if (bytes.empty()) return InvalidArgument("onnx: the file is empty");
  BITPLAN_RETURN_IF_ERROR(ScanWire(bytes, options.limits).status());
  try {
    return ParseScanned(bytes, options);
  } catch (const std::bad_alloc&) {
    return ResourceExhausted("onnx: not enough memory to read a model of {} bytes", bytes.size());
  }
}

}  // namespace bitplan::onnx
