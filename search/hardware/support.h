#ifndef BITPLAN_SEARCH_HARDWARE_SUPPORT_H_
#define BITPLAN_SEARCH_HARDWARE_SUPPORT_H_

#include <string>

#include "absl/status/status.h"
#include "search/hardware/profile.h"
#include "search/layer/layer.h"

namespace bitplan::hardware {

// Why the device does not run the layer with the option, in words; empty: it does. An option of the scheme "given" is
// held to the widths only: its quantizer is not known.
std::string WhyUnsupported(const Layer& layer, const Option& option, const HardwareProfile& profile);

// kInvalidArgument if some layer has no option that the device runs: names each such layer, why, and what to ask for.
absl::Status CheckSupported(const LayerTable& layers, const OptionTable& options, const HardwareProfile& profile);

}  // namespace bitplan::hardware

#endif  // BITPLAN_SEARCH_HARDWARE_SUPPORT_H_
