#include "search/exporters/exporter_table.h"

#include <array>

#include "search/base/status.h"
#include "search/exporters/csv.h"
#include "search/exporters/onnx_qdq.h"
#include "search/plan/plan_json.h"

namespace bitplan::exporters {
namespace {

absl::StatusOr<Exported> WriteJson(const ExportRequest& request, const RunContext& /*context*/) {
  return Exported{.bytes = plan::ToJson(request.plan), .losses = {}};
}

// Each row says all that an option says; what else stands in a plan, no other format but json has words for.
absl::StatusOr<Exported> WriteCsv(const ExportRequest& request, const RunContext& /*context*/) {
  return Exported{.bytes = ToCsv(request.plan), .losses = {}};
}

constexpr auto kExporters = std::to_array<ExporterEntry>({
    {.name = "json",
     .written_against = "bitplan.plan/1",
     .media_type = "application/json",
     .extension = "json",
     .summary = "the whole plan, read back by bitplan (docs/formats/plan.md)",
     .needs_choice = false,
     .write = &WriteJson},
    {.name = "csv",
     .written_against = "RFC 4180",
     .media_type = "text/csv",
     .extension = "csv",
     .summary = "one row a layer: bits, scheme, granularity, sensitivity, costs",
     .needs_choice = false,
     .write = &WriteCsv},
    {.name = "onnx_qdq",
     .written_against = "ONNX opset 21 (IR 10), ONNX Runtime 1.20",
     .media_type = "application/octet-stream",
     .extension = "onnx",
     .summary = "the network with QuantizeLinear and DequantizeLinear (docs/formats/onnx_qdq.md)",
     .needs_model = true,
     .write = &WriteOnnxQdq},
});

}  // namespace

std::span<const ExporterEntry> Exporters() { return kExporters; }

absl::StatusOr<ExporterEntry> FindExporter(std::string_view name) {
  std::string known;
  for (const ExporterEntry& exporter : kExporters) {
    if (exporter.name == name) return exporter;
    known += fmt::format("{}{}", known.empty() ? "" : ", ", exporter.name);
  }
  return NotFound("format: got '{}', want one of {}", name, known);
}

absl::StatusOr<ExporterEntry> ExporterOfFile(std::string_view path) {
  std::string known;
  for (const ExporterEntry& exporter : kExporters) {
    if (exporter.name != exporter.extension) continue;
    if (path.ends_with(fmt::format(".{}", exporter.extension))) return exporter;
    known += fmt::format("{}.{}", known.empty() ? "" : " or ", exporter.extension);
  }
  return InvalidArgument("got '{}', want a file name that ends in {}", path, known);
}

absl::StatusOr<Exported> Write(const ExporterEntry& exporter, const ExportRequest& request, const RunContext& context) {
  if (exporter.needs_choice && !request.plan.has_choice()) {
    return FailedPrecondition("plan: has no choice ({}), and the format '{}' has no words for that",
                              allocation::TerminationName(request.plan.termination), exporter.name);
  }
  if (exporter.needs_model && request.onnx.empty()) {
    return InvalidArgument("model: the format '{}' needs the network that the plan is of", exporter.name);
  }
  return exporter.write(request, context);
}

}  // namespace bitplan::exporters
