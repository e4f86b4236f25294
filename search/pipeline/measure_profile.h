#ifndef BITPLAN_SEARCH_PIPELINE_MEASURE_PROFILE_H_
#define BITPLAN_SEARCH_PIPELINE_MEASURE_PROFILE_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "search/base/run_context.h"
#include "search/hardware/profile.h"
#include "search/layer/layer.h"
#include "search/onnx/parse_limits.h"
#include "search/ops/kernel_timing.h"

namespace bitplan {

// What to time, and what the profile says of where.
struct ProfileRequest {
  std::string_view onnx;  // an ONNX model; must outlive the call
  std::string name;       // of the profile
  std::string network;    // of the model, for people
  std::string machine;    // CPU and cores, for people
  std::string date;       // YYYY-MM-DD
  int64_t batch = 0;      // samples in one run; 0: as many as the model fixes, or 1
  ops::TimingOptions timing;
  onnx::ParseLimits model_limits;
};

// Layers of one signature, or one layer where layers of equal signature run different kernels.
struct ProfileRow {
  std::vector<std::string> layers;
  Layer layer;                            // kind, weight shape and MACs of them
  std::string kernels;                    // ops::Describe
  std::optional<ops::KernelTiming> int8;  // of all kernels of a layer together
  std::optional<ops::KernelTiming> float32;
  std::vector<std::string> notes;  // why one is missing, or unsure
};

struct MeasuredProfile {
  HardwareProfile profile;
  std::string json;  // its document
  std::vector<ProfileRow> rows;
};

namespace pipeline {

// Times this machine's int8 and float kernels (oneDNN) for each kind of layer of a network, as a hardware profile:
// latencies by signature for w8a8 (u8 data, s8 weights) and w32a32, sizes and BOPs by their models. Where layers of one
// signature (kind, weight shape, MACs) run different kernels, such as with other strides, their entries go by name.
// What has no optimised kernel has no entry, and a note; its options are then not priced.
//
// Threads: context.num_threads of them run each kernel. Progress: stage "time kernels".
// Errors: those of ParseModel, InferShapes and Validate; kInvalidArgument for a batch that the model does not take;
//         kUnimplemented if no layer can be timed; kCancelled.
absl::StatusOr<MeasuredProfile> MeasureProfile(const ProfileRequest& request, const RunContext& context);

}  // namespace pipeline
}  // namespace bitplan

#endif  // BITPLAN_SEARCH_PIPELINE_MEASURE_PROFILE_H_
