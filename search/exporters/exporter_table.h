#ifndef BITPLAN_SEARCH_EXPORTERS_EXPORTER_TABLE_H_
#define BITPLAN_SEARCH_EXPORTERS_EXPORTER_TABLE_H_

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "search/base/run_context.h"
#include "search/plan/plan.h"

namespace bitplan {

// One thing that a plan says and a format cannot.
struct ExportLoss {
  std::string layer;   // empty: the whole plan
  std::string field;   // of the option or plan: "weight_bits", "scheme", "granularity", "range", "activation_bits", ...
  std::string wanted;  // what the plan says
  std::string written;  // what stands in the file in its place; empty: nothing
  std::string reason;   // one sentence without its full stop

  bool operator==(const ExportLoss&) const = default;
};

// What an exporter works from; all of it must outlive the call.
struct ExportRequest {
  const Plan& plan;
  std::string_view onnx = {};         // the model that the plan is of; empty: none
  std::string_view calibration = {};  // an .npz archive; empty: none
};

// A file, and what of the plan is not in it, layers in the order of the plan.
struct Exported {
  std::string bytes;
  std::vector<ExportLoss> losses;
};

namespace exporters {

// A way to write a plan; the only list of formats. Capability lists, help texts and tests read it.
struct ExporterEntry {
  std::string_view name;             // "compressed_tensors"
  std::string_view written_against;  // what reads it, and the version its field names are of: "compressed-tensors 0.9"
  std::string_view media_type;       // "application/json"
  std::string_view extension;        // "json", without the dot
  std::string_view summary;          // one line for help texts
  std::string_view runtime = {};     // whose rules the plan's options are held to (hardware/runtimes); empty: none
  bool needs_model = false;          // kInvalidArgument without ExportRequest::onnx
  bool needs_choice = true;          // kFailedPrecondition for a plan without a choice
  // Called through Write only, which has checked the two lines above.
  absl::StatusOr<Exported> (*write)(const ExportRequest& request, const RunContext& context) = nullptr;
};

std::span<const ExporterEntry> Exporters();

// kNotFound, listing the known names.
absl::StatusOr<ExporterEntry> FindExporter(std::string_view name);

// The exporter that a file name asks for without further words: those named as their extension (json, csv).
// kInvalidArgument for other names.
absl::StatusOr<ExporterEntry> ExporterOfFile(std::string_view path);

// The plan in that format. The same request, the same bytes. Rules of the format's runtime that the plan breaks are
// losses of the field "runtime", found by names, and by the graph where the request has the model (CheckRuntime).
// Errors: kFailedPrecondition (no choice, and the format has no words for that), kInvalidArgument (no model, and the
// format needs one), those of the exporter.
absl::StatusOr<Exported> Write(const ExporterEntry& exporter, const ExportRequest& request, const RunContext& context);

}  // namespace exporters
}  // namespace bitplan

#endif  // BITPLAN_SEARCH_EXPORTERS_EXPORTER_TABLE_H_
