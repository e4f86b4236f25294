#include <cstddef>
#include <cstdint>
#include <string_view>

#include "search/base/check.h"
#include "search/base/status.h"
#include "search/base/text.h"
#include "search/data/npz.h"
#include "search/onnx/parse_model.h"
#include "search/ops/objective.h"
#include "tests/testing/onnx_writer.h"

namespace {

const bitplan::Graph& Network() {
  static const auto* const network =
      new bitplan::Graph(bitplan::onnx::ParseModel(bitplan::testing::TinyClassifier().Bytes()).value());
  return *network;
}

void CheckClear(const absl::Status& status) {
  BITPLAN_CHECK(absl::IsInvalidArgument(status) || absl::IsUnimplemented(status));
  BITPLAN_CHECK(bitplan::IsPlainText(bitplan::MessageOf(status)));
}

}  // namespace

// Any bytes are calibration data that is whole or a clear error; whole data fits the network or is a clear error.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const bitplan::data::NpzLimits limits{.max_unpacked_bytes = 1 << 20, .max_elements = 1 << 18};
  const auto dataset = bitplan::data::ParseNpz({reinterpret_cast<const char*>(data), size}, limits);
  if (!dataset.ok()) {
    CheckClear(dataset.status());
    return 0;
  }
  BITPLAN_CHECK(dataset->num_samples > 0 && !dataset->inputs.empty());
  const auto objective = bitplan::Objective::Create(Network(), *dataset, {});
  if (!objective.ok()) CheckClear(objective.status());
  return 0;
}
