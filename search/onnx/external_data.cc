#include "search/onnx/external_data.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <limits>
#include <optional>
#include <set>
#include <utility>

#include "search/base/status.h"
#include "search/base/text.h"
#include "search/onnx/onnx_wire.pb.h"
#include "search/onnx/wire_scan.h"

namespace bitplan::onnx {
namespace {

using onnx_wire::GraphProto;
using onnx_wire::ModelProto;
using onnx_wire::TensorProto;

constexpr int64_t kMaxMessageBytes = std::numeric_limits<int>::max();
constexpr int kExternal = 1;  // TensorProto.data_location

absl::StatusOr<ModelProto> Parse(std::string_view onnx, const ParseLimits& limits) {
  BITPLAN_RETURN_IF_ERROR(ScanWire(onnx, limits).status());
  ModelProto model;
  if (std::cmp_greater(onnx.size(), kMaxMessageBytes) ||
      !model.ParseFromArray(onnx.data(), static_cast<int>(onnx.size()))) {
    return InvalidArgument("onnx: malformed file: not an encoded ModelProto");
  }
  return model;
}

// Calls visit(tensor) for every tensor whose data is elsewhere until one fails.
template <typename Visit>
absl::Status ForEachExternal(GraphProto& graph, const Visit& visit) {  // NOLINT(misc-no-recursion): max_graph_depth
  const auto visit_one = [&](TensorProto& tensor) -> absl::Status {
    if (tensor.data_location() != kExternal) return absl::OkStatus();
    return WithContext(visit(tensor), fmt::format("onnx: tensor '{}': external data", Printable(tensor.name())));
  };
  for (TensorProto& tensor : *graph.mutable_initializer()) BITPLAN_RETURN_IF_ERROR(visit_one(tensor));
  for (auto& node : *graph.mutable_node()) {
    for (auto& attribute : *node.mutable_attribute()) {
      if (attribute.has_t()) BITPLAN_RETURN_IF_ERROR(visit_one(*attribute.mutable_t()));
      if (attribute.has_g()) BITPLAN_RETURN_IF_ERROR(ForEachExternal(*attribute.mutable_g(), visit));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<std::optional<std::string>> FindEntry(const TensorProto& tensor, std::string_view key) {
  std::optional<std::string> found;
  for (const auto& entry : tensor.external_data()) {
    if (entry.key() != key) continue;
    if (found.has_value()) return InvalidArgument("'{}' is there twice", key);
    found = entry.value();
  }
  return found;
}

absl::StatusOr<std::string> Location(const TensorProto& tensor) {
  BITPLAN_ASSIGN_OR_RETURN(const std::optional<std::string> location, FindEntry(tensor, "location"));
  if (!location.has_value() || location->empty()) return InvalidArgument("no location");
  if (!IsPlainText(*location)) return InvalidArgument("location '{}' is not plain UTF-8", Printable(*location));
  return *location;
}

// A size in bytes as decimal digits.
absl::StatusOr<std::optional<uint64_t>> Size(const TensorProto& tensor, std::string_view key) {
  BITPLAN_ASSIGN_OR_RETURN(const std::optional<std::string> text, FindEntry(tensor, key));
  if (!text.has_value()) return std::nullopt;
  uint64_t size = 0;
  const char* end = text->data() + text->size();
  const auto [stopped, error] = std::from_chars(text->data(), end, size);
  if (error != std::errc() || stopped != end) {
    return InvalidArgument("{}: got '{}', want a number of bytes", key, Printable(*text));
  }
  return size;
}

// The tensor's part of its file.
absl::StatusOr<std::string_view> FindBytes(const TensorProto& tensor, std::span<const ExternalFile> files) {
  BITPLAN_ASSIGN_OR_RETURN(const std::string location, Location(tensor));
  const auto file = std::ranges::find(files, location, &ExternalFile::location);
  if (file == files.end()) return NotFound("no file '{}'", location);
  const uint64_t size = file->bytes.size();
  BITPLAN_ASSIGN_OR_RETURN(const std::optional<uint64_t> given_offset, Size(tensor, "offset"));
  const uint64_t offset = given_offset.value_or(0);
  BITPLAN_ASSIGN_OR_RETURN(const std::optional<uint64_t> given_length, Size(tensor, "length"));
  if (offset > size) return InvalidArgument("'{}' has {} bytes, the data begins at {}", location, size, offset);
  const uint64_t length = given_length.value_or(size - offset);
  if (length > size - offset) {
    return InvalidArgument("'{}' has {} bytes, want {} from {} on", location, size, length, offset);
  }
  return file->bytes.substr(offset, length);
}

}  // namespace

absl::StatusOr<std::vector<std::string>> ListExternalFiles(std::string_view onnx, const ParseLimits& limits) {
  BITPLAN_ASSIGN_OR_RETURN(ModelProto model, Parse(onnx, limits));
  std::set<std::string> locations;
  BITPLAN_RETURN_IF_ERROR(ForEachExternal(*model.mutable_graph(), [&](TensorProto& tensor) -> absl::Status {
    BITPLAN_ASSIGN_OR_RETURN(std::string location, Location(tensor));
    locations.insert(std::move(location));
    return absl::OkStatus();
  }));
  return std::vector<std::string>(locations.begin(), locations.end());
}

absl::StatusOr<std::string> InlineExternalData(std::string_view onnx, std::span<const ExternalFile> files,
                                               const ParseLimits& limits) {
  BITPLAN_ASSIGN_OR_RETURN(ModelProto model, Parse(onnx, limits));
  const int64_t most = std::min(limits.max_file_bytes, kMaxMessageBytes);
  auto total = static_cast<int64_t>(onnx.size());
  bool any = false;
  const auto inline_one = [&](TensorProto& tensor) -> absl::Status {
    BITPLAN_ASSIGN_OR_RETURN(const std::string_view bytes, FindBytes(tensor, files));
    if (std::cmp_greater(bytes.size(), most - total)) {
      return InvalidArgument("the model with its data has more than {} bytes", most);
    }
    total += static_cast<int64_t>(bytes.size());
    any = true;
    tensor.set_raw_data(bytes.data(), bytes.size());
    tensor.clear_external_data();
    tensor.clear_data_location();
    return absl::OkStatus();
  };
  BITPLAN_RETURN_IF_ERROR(ForEachExternal(*model.mutable_graph(), inline_one));
  if (!any) return std::string(onnx);
  std::string inlined;
  // Lengths of messages take more digits than before, so the sum may still be short of what is written.
  if (std::cmp_greater(model.ByteSizeLong(), most) || !model.SerializeToString(&inlined)) {
    return InvalidArgument("onnx: the model with its external data has more than {} bytes", most);
  }
  return inlined;
}

}  // namespace bitplan::onnx
