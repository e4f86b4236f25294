#ifndef BITPLAN_SEARCH_HARDWARE_PROFILE_H_
#define BITPLAN_SEARCH_HARDWARE_PROFILE_H_

#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "search/base/resource.h"
#include "search/layer/layer.h"

namespace bitplan {

// Widths of an option: "w4a8" in files.
struct Widths {
  int weight_bits = 8;
  int activation_bits = 8;

  auto operator<=>(const Widths&) const = default;
};

// Where the numbers of a profile come from; all texts.
struct ProfileProvenance {
  std::string source;    // who measured or defined it
  std::string date;      // YYYY, YYYY-MM or YYYY-MM-DD: when
  std::string citation;  // how to find it again: paper, data sheet, own measurement with its settings
  std::string notes;     // rounding, conditions; may be empty
};

// size_bits of an option: quantization::StorageBits. For the schemes "symmetric" and "affine" that is
// num_weights * weight_bits + scales * scale_bits + zero points * weight_bits, where
//   scales       1 per tensor, one an output channel per channel, none for the scheme "given" (not known)
//   zero points  as many as scales for the scheme "affine", else none
struct SizeModel {
  int scale_bits = 32;
};

// bops of an option = MACs * weight_bits * activation_bits, for one sample (HAWQ-v3, Yao et al. 2021).
struct BopsModel {};

// What one layer costs, as measured. Found by name, or by signature if `layer` is empty.
struct MeasuredLayer {
  std::string layer;                  // name in the network that was measured
  std::optional<LayerKind> kind;      // signature: these three are equal
  std::vector<int64_t> weight_shape;  // signature
  int64_t num_weights = 0;  // by name: must be equal too, so that a stranger's layer of that name is not priced
  int64_t macs = 0;         // likewise, and part of the signature
  std::map<Widths, int64_t> amounts;  // > 0, base unit of the resource
};

// Measured amounts of one resource.
struct MeasuredTable {
  Resource resource = Resource::kLatency;
  int64_t batch_size = 1;  // samples in one run; the amounts are those of the whole run
  std::string network;     // what was measured, for people
  std::vector<MeasuredLayer> layers;
};

// Measured or modelled cost of quantized layers on one device. The file is documented in docs/formats/profile.md.
struct HardwareProfile {
  std::string name;  // [a-z0-9]([a-z0-9-]{0,62})
  std::string description;
  ProfileProvenance provenance;
  std::optional<std::vector<Widths>> supported;  // what the device computes with; none: any width
  std::optional<SizeModel> size;
  std::optional<BopsModel> bops;
  std::vector<MeasuredTable> measured;  // at most one a resource; no size or bops next to the model of the same
  std::string digest;                   // SHA-256 of the document
};

namespace hardware {

inline constexpr int64_t kMaxProfileBytes = int64_t{1} << 20;

// Reads a profile document. Strict: unknown or repeated fields, other units than the base units, amounts that are not
// positive integers are kInvalidArgument with the path of the field.
absl::StatusOr<HardwareProfile> ParseProfile(std::string_view json);

// Resources that the profile can price, in the order of kResources.
std::vector<Resource> PricedResources(const HardwareProfile& profile);

// "w4a8" and back; kInvalidArgument.
std::string ToString(Widths widths);
absl::StatusOr<Widths> ParseWidths(std::string_view text);

}  // namespace hardware
}  // namespace bitplan

#endif  // BITPLAN_SEARCH_HARDWARE_PROFILE_H_
