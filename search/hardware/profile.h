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

// What options of some layers must be like besides the widths in `supported`. A list that is empty allows everything;
// options of the scheme "given" (quantizer not known) are held to the widths only.
struct SupportRule {
  std::vector<LayerKind> kinds;   // layers it speaks of; empty: all
  std::vector<Widths> of_widths;  // options it speaks of; empty: all
  std::vector<Widths> widths;     // allowed
  std::vector<std::string> schemes;
  std::vector<Granularity> granularities;
  std::vector<int64_t> group_sizes;  // of options that have one
  std::string reason;                // why, in words, for messages; not empty
};

// size_bits of an option: quantization::StorageBits, with codes, rows and zero points as the device's format packs
// them.
struct SizeModel {
  int scale_bits = 32;
  std::optional<int> zero_point_bits;  // none: as many as a weight has
  std::vector<int> code_widths;        // ascending; a code takes the least that holds it; empty: its own bits
  int64_t row_alignment_bytes = 0;     // codes of one output channel are padded to a multiple; 0: not padded
};

// bops of an option = MACs * weight_bits * activation_bits, for one sample (HAWQ-v3, Yao et al. 2021).
struct BopsModel {};

// traffic_bytes of an option = hardware::TrafficBytes of one sample; not known for layers whose activation elements are
// not.
struct TrafficModel {};

// How activations lie in memory. What they take in sum is a matter of the execution order and not priced here.
struct MemoryModel {
  int min_activation_bits = 8;    // an activation is stored in the least power of two >= its bits and >= this
  int64_t alignment_bytes = 1;    // a tensor takes a multiple of this
  bool weights_resident = false;  // weights lie in the same memory as activations and count there
};

// Price of a requantization or cast between neighbouring layers of different activation widths:
//   latency  overhead_ns + ceil((elements read + elements written, in stored bytes) / bytes_per_second)
//   energy   ceil(stored bytes moved * femtojoules_per_byte / 1000)
// An amount of 0 is not known and costs nothing.
struct BoundaryModel {
  int64_t overhead_ns = 0;
  int64_t bytes_per_second = 0;
  int64_t femtojoules_per_byte = 0;
};

// Multiply-accumulates a second at some widths.
struct ComputeRate {
  std::optional<LayerKind> kind;  // none: layers of all kinds that have no rate of their own
  Widths widths;
  int64_t macs_per_second = 0;
};

// Estimate of latency from peak rates (Williams, Waterman, Patterson 2009), see docs/math.md:
//   latency_ns = launch_overhead_ns + max(ceil(macs * batch_size / rate), ceil(traffic / bytes_per_second))
//   traffic    = hardware::TrafficBytes of batch_size samples: weights once, activations of each sample
// Widths without a rate run at bit_macs_per_second / (weight_bits * activation_bits), rounded down, if that is there
// (bit-serial devices), and have no estimate else.
struct RooflineModel {
  int64_t batch_size = 1;                   // samples in one run; equals that of a measured latency table
  std::optional<int64_t> bytes_per_second;  // none: not known, traffic costs nothing
  int64_t launch_overhead_ns = 0;
  std::vector<ComputeRate> rates;
  std::optional<int64_t> bit_macs_per_second;
};

// Energy of one multiply-accumulate at some widths.
struct MacEnergy {
  Widths widths;
  int64_t femtojoules = 0;
};

// Estimate of energy (Horowitz 2014 is the source of the form), for batch_size samples:
//   energy_pj = ceil((macs * batch_size * femtojoules a MAC + traffic * femtojoules_per_byte) / 1000)
// Widths without an entry take femtojoules_per_bit_mac * weight_bits * activation_bits a MAC, if that is there.
struct EnergyModel {
  int64_t batch_size = 1;
  int64_t femtojoules_per_byte = 0;  // of traffic, as in RooflineModel; 0: not counted
  std::vector<MacEnergy> macs;
  std::optional<int64_t> femtojoules_per_bit_mac;
};

// Facts that a budget may refer to.
struct DeviceLimits {
  std::optional<int64_t> flash_bytes;  // for weights and program
  std::optional<int64_t> sram_bytes;   // for activations, and weights where they are resident
};

// What one layer costs, as measured. Found by name, or by signature if `layer` is empty.
struct MeasuredLayer {
  std::string layer;                  // name in the network that was measured
  std::optional<LayerKind> kind;      // signature: these three are equal
  std::vector<int64_t> weight_shape;  // signature
  int64_t num_weights = 0;  // by name: must be equal too, so that a stranger's layer of that name is not priced
  int64_t macs = 0;         // likewise, and part of the signature
  std::map<Widths, int64_t> amounts;  // > 0, base unit of the resource
};

// Where amounts that were not measured may be taken from measured ones (docs/math.md). The estimate is that of the
// roofline for latency, of the energy model for energy; without it there is no interpolation.
//   kWidths  the layer has an entry, not of these widths: the amount at the nearest measured widths (least
//            |weight bits| + |activation bits| apart, the wider of two), times estimate(wanted) / estimate(measured)
enum class Interpolation { kNone, kWidths };

// Measured amounts of one resource.
struct MeasuredTable {
  Resource resource = Resource::kLatency;
  Interpolation interpolation = Interpolation::kNone;
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
  std::vector<SupportRule> rules;                // all of them hold
  std::optional<SizeModel> size;
  std::optional<BopsModel> bops;
  std::optional<TrafficModel> traffic;
  std::optional<RooflineModel> roofline;  // latency that was not measured
  std::optional<EnergyModel> energy;      // energy that was not measured
  std::optional<MemoryModel> memory;
  std::optional<BoundaryModel> boundary;
  std::optional<DeviceLimits> limits;
  std::vector<MeasuredTable> measured;  // at most one a resource; no size or bops next to the model of the same
  std::string digest;                   // SHA-256 of the document
};

namespace hardware {

inline constexpr std::string_view kProfileFormat = "bitplan.profile/1";
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
