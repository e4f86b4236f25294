#include <cstddef>
#include <cstdint>
#include <string_view>

#include "search/base/check.h"
#include "search/base/status.h"
#include "search/base/text.h"
#include "search/onnx/parse_model.h"

// Any bytes are a model that is whole or a clear error. The limits keep one input fast, not safe: the defaults are what
// the property tests use.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const bitplan::onnx::ParseLimits limits{
      .max_tensor_elements = 1 << 20, .max_activation_elements = 1 << 20, .max_folded_elements = 1 << 16};
  const auto graph = bitplan::onnx::ParseModel({reinterpret_cast<const char*>(data), size}, limits);
  if (graph.ok()) {
    BITPLAN_CHECK(bitplan::CheckInvariants(*graph).ok());
    BITPLAN_CHECK(!graph->layers.layers.empty());
  } else {
    BITPLAN_CHECK(absl::IsInvalidArgument(graph.status()) || absl::IsUnimplemented(graph.status()));
    BITPLAN_CHECK(bitplan::IsPlainText(bitplan::MessageOf(graph.status())));
  }
  return 0;
}
