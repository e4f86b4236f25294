#ifndef BITPLAN_SEARCH_HARDWARE_COVERAGE_H_
#define BITPLAN_SEARCH_HARDWARE_COVERAGE_H_

#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "search/base/resource.h"
#include "search/hardware/profile.h"
#include "search/layer/layer.h"

namespace bitplan {

// What a profile knows of one layer, by the widths of its options.
struct LayerCoverage {
  std::string layer;
  LayerKind kind = LayerKind::kOther;
  std::map<Resource, std::map<CostSource, std::set<Widths>>> priced;
  std::map<Resource, std::set<Widths>> unpriced;             // supported, but without a price
  std::map<std::string, std::set<std::string>> unsupported;  // labels of options by the reason
  int num_supported = 0;                                     // options
};

// What a profile knows of a network before anything runs.
struct Coverage {
  std::string profile;
  std::vector<Resource> resources;  // that the profile can price at all
  std::vector<LayerCoverage> layers;

  // Every layer has a supported option and every supported option has a price of each resource.
  bool is_complete() const;
};

namespace hardware {

// Prices all options and says where each price came from. Errors: those of Price.
absl::StatusOr<Coverage> FindCoverage(const LayerTable& layers, const OptionTable& options,
                                      const HardwareProfile& profile);

// As JSON: {"profile", "complete", "layers": [{"layer", "kind", "supported_options", "resources": {"latency":
// {"measured": ["w8a8"], "none": ["w4a8"]}}, "unsupported": [{"reason", "options"}]}]}.
std::string ToJson(const Coverage& coverage);

}  // namespace hardware
}  // namespace bitplan

#endif  // BITPLAN_SEARCH_HARDWARE_COVERAGE_H_
