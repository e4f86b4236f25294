#include "search/exporters/exporter_table.h"

#include <array>
#include <optional>
#include <utility>

#include "search/base/status.h"
#include "search/exporters/aimet.h"
#include "search/exporters/auto_round.h"
#include "search/exporters/check_runtime.h"
#include "search/exporters/compressed_tensors.h"
#include "search/exporters/coremltools.h"
#include "search/exporters/csv.h"
#include "search/exporters/hf_quant_config.h"
#include "search/exporters/llama_cpp.h"
#include "search/exporters/modelopt.h"
#include "search/exporters/onnx_qdq.h"
#include "search/exporters/onnxruntime_overrides.h"
#include "search/exporters/plan_model.h"
#include "search/exporters/qconfig_mapping.h"
#include "search/exporters/torchao.h"
#include "search/graph/layer_structure.h"
#include "search/hardware/shipped_runtimes.h"
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
     .runtime = "onnxruntime",
     .needs_model = true,
     .write = &WriteOnnxQdq},
    {.name = "compressed_tensors",
     .written_against = "compressed-tensors 0.13",
     .media_type = "application/json",
     .extension = "json",
     .summary = "quantization_config with config_groups for vLLM and llm-compressor",
     .runtime = "vllm",
     .write = &WriteCompressedTensors},
    {.name = "modelopt",
     .written_against = "NVIDIA ModelOpt 0.33",
     .media_type = "text/x-python",
     .extension = "py",
     .summary = "QUANT_CFG for modelopt.torch.quantization.quantize",
     .write = &WriteModelOpt},
    {.name = "hf_quant_config",
     .written_against = "NVIDIA ModelOpt 0.33, TensorRT-LLM 1.0",
     .media_type = "application/json",
     .extension = "json",
     .summary = "hf_quant_config.json beside a checkpoint, MIXED_PRECISION",
     .write = &WriteHfQuantConfig},
    {.name = "llama_cpp",
     .written_against = "llama.cpp of January 2026",
     .media_type = "text/plain",
     .extension = "txt",
     .summary = "llama-quantize --tensor-type-file",
     .runtime = "llama-cpp",
     .write = &WriteLlamaCpp},
    {.name = "torchao",
     .written_against = "torchao 0.15",
     .media_type = "application/json",
     .extension = "json",
     .summary = "FqnToConfig for quantize_, as config_from_dict reads it",
     .write = &WriteTorchAo},
    {.name = "auto_round",
     .written_against = "AutoRound 0.13",
     .media_type = "application/json",
     .extension = "json",
     .summary = "layer_config",
     .write = &WriteAutoRound},
    {.name = "onnxruntime_overrides",
     .written_against = "ONNX Runtime 1.22",
     .media_type = "application/json",
     .extension = "json",
     .summary = "TensorQuantOverrides and nodes_to_exclude for quantize_static",
     .runtime = "onnxruntime",
     .needs_model = true,
     .write = &WriteOnnxRuntimeOverrides},
    {.name = "coremltools",
     .written_against = "coremltools 8",
     .media_type = "application/json",
     .extension = "json",
     .summary = "OptimizationConfig with op_name_configs",
     .write = &WriteCoreMl},
    {.name = "aimet",
     .written_against = "AIMET 2, encodings 1.0.0",
     .media_type = "application/json",
     .extension = "encodings",
     .summary = "scales and offsets of the weights",
     .needs_model = true,
     .write = &WriteAimet},
    {.name = "qconfig_mapping",
     .written_against = "PyTorch 1.13 to 2.9",
     .media_type = "text/x-python",
     .extension = "py",
     .summary = "QConfigMapping for prepare_fx",
     .write = &WriteQConfigMapping},
});

// Rules of the runtime that the plan breaks.
absl::Status AddRuntimeLosses(const ExporterEntry& exporter, const ExportRequest& request, Exported& exported) {
  BITPLAN_ASSIGN_OR_RETURN(const RuntimeRules rules, hardware::FindShippedRuntime(exporter.runtime));
  std::optional<LayerStructure> structure;
  if (!request.onnx.empty()) {
    BITPLAN_ASSIGN_OR_RETURN(const PlanModel model, ReadPlanModel(request));
    structure = FindStructure(model.graph);
  }
  for (RuntimeViolation& violation : CheckRuntime(request.plan, rules, structure).violations) {
    exported.losses.push_back({.layer = violation.group.layers.front(),
                               .field = "runtime",
                               .wanted = std::string(exporter.runtime),
                               .written = "",
                               .reason = std::move(violation.message)});
  }
  return absl::OkStatus();
}

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
  BITPLAN_ASSIGN_OR_RETURN(Exported exported, exporter.write(request, context));
  if (!exporter.runtime.empty() && request.plan.has_choice()) {
    BITPLAN_RETURN_IF_ERROR(AddRuntimeLosses(exporter, request, exported));
  }
  return exported;
}

}  // namespace bitplan::exporters
