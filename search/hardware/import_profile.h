#ifndef BITPLAN_SEARCH_HARDWARE_IMPORT_PROFILE_H_
#define BITPLAN_SEARCH_HARDWARE_IMPORT_PROFILE_H_

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "search/hardware/profile.h"
#include "search/layer/layer.h"

namespace bitplan::hardware {

// What a profile made from foreign figures is called and where they come from.
struct ImportedProfile {
  std::string name;
  std::string description;
  ProfileProvenance provenance;
};

// Which rows of a haq_latency_v1 table: of one deployment profile and one number of tokens. What is left out must be
// the same in all rows.
struct HaqLatencyRows {
  std::string deployment_profile;
  std::optional<int64_t> m;
};

// ModelOpt's haq_latency_v1 table: CSV with a header, 17 required and 10 optional columns (docs/formats/profile.md).
//
//   rows       of op_kind gemm: a product of m tokens with a k x n matrix, as matmul [k, n] and gemm [n, k] of
//              m * n * k MACs, batch size 1 (one sample is m tokens). Others (moe) are counted in the notes.
//   recipes    NONE w16a16, FP8_DEFAULT_CFG w8a8 (fp8_e4m3), NVFP4_DEFAULT_CFG w4a4 and W4A16_NVFP4_CFG w4a16 (nvfp4)
//   latency    microseconds, to the nearest nanosecond, at least 1. Where several groups have one shape: the largest.
//
// Strict: unknown, repeated and missing columns, unknown recipes, a key (deployment profile, m, group, recipe) that
// comes twice, and numbers that are none are kInvalidArgument with row and column.
absl::StatusOr<HardwareProfile> ImportHaqLatency(std::string_view csv, const HaqLatencyRows& rows,
                                                 const ImportedProfile& about);

// What HAQ's tables do not say: the unit of a figure in nanoseconds, samples in a run.
struct HaqTableUnits {
  int64_t unit_ns = 1'000'000;
  int64_t batch_size = 16;
};

// A per-layer table of HAQ (Wang et al. 2019): shape [layers, weight bits, activation bits], entry [l, w, a] is layer
// l at w + 1 and a + 1 bits; row-major. `layers` name what the rows are, in order. Entries that are 0 were not filled
// and are left out. kInvalidArgument: another number of layers, more than 32 bits, an entry that is negative, not
// finite or beyond 2^53 ns (with its index).
absl::StatusOr<HardwareProfile> ImportHaqTable(std::span<const int64_t> shape, std::span<const float> entries,
                                               const LayerTable& layers, const HaqTableUnits& units,
                                               const ImportedProfile& about);

}  // namespace bitplan::hardware

#endif  // BITPLAN_SEARCH_HARDWARE_IMPORT_PROFILE_H_
