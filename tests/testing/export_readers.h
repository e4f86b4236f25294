#ifndef BITPLAN_TESTS_TESTING_EXPORT_READERS_H_
#define BITPLAN_TESTS_TESTING_EXPORT_READERS_H_

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "search/exporters/exporter_table.h"
#include "search/layer/layer.h"
#include "search/plan/plan.h"

namespace bitplan::testing {

// What a file of another tool says of a layer.
struct ReadLayer {
  bool is_quantized = false;
  int weight_bits = 0;
  bool is_affine = false;  // integer codes with a zero point
  Granularity granularity = Granularity::kPerChannel;
  int64_t group_size = 0;
  int activation_bits = kMaxOptionBits;
};

using ReadLayers = std::map<std::string, ReadLayer>;

// Layers by name. Those that a dialect leaves unquantized by not naming them are filled in from the plan.
// Readers of the dialects, each as strict as its tool: unknown fields, values out of range and fields that exclude each
// other are errors that say where. Written from the tools' own checks, apart from the exporters.
absl::StatusOr<ReadLayers> ReadCompressedTensors(std::string_view bytes, const Plan& plan);
absl::StatusOr<ReadLayers> ReadModelOpt(std::string_view bytes, const Plan& plan);  // runs Python
absl::StatusOr<ReadLayers> ReadHfQuantConfig(std::string_view bytes, const Plan& plan);
absl::StatusOr<ReadLayers> ReadLlamaCpp(std::string_view bytes, const Plan& plan);
absl::StatusOr<ReadLayers> ReadTorchAo(std::string_view bytes, const Plan& plan);
absl::StatusOr<ReadLayers> ReadAutoRound(std::string_view bytes, const Plan& plan);
absl::StatusOr<ReadLayers> ReadCoreMl(std::string_view bytes, const Plan& plan);
// Runs the file and lets PyTorch read it: every observer is built.
absl::StatusOr<ReadLayers> ReadQConfigMapping(std::string_view bytes, const Plan& plan);

// What is wrong with a loss report, or "": a difference between an option and what was read that the report does not
// name, or one that it names and that is none; layers that are missing.
std::string LossViolation(const Plan& plan, const Exported& exported, const ReadLayers& read);

}  // namespace bitplan::testing

#endif  // BITPLAN_TESTS_TESTING_EXPORT_READERS_H_
