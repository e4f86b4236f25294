#include "search/sensitivity/method_checkpoint.h"

#include <vector>

#include "search/base/digest.h"
#include "search/base/status.h"
#include "search/sensitivity/activation_ranges.h"

namespace bitplan::sensitivity {

std::string MethodCheckpointKey(const MethodInput& input, std::string_view what) {
  if (input.checkpoint_prefix.empty()) return {};
  Sha256 digest;
  digest.Update(fmt::format("seed {}\n", input.settings.seed));
  for (const std::vector<Option>& options : input.options.options) {
    for (const Option& option : options) digest.Update(Label(option) + "\n");
    digest.Update("\n");
  }
  if (input.activations != nullptr) digest.Update("activations " + input.activations->range);
  return fmt::format("{}/{}/{}", input.checkpoint_prefix, what, digest.FinishHex());
}

}  // namespace bitplan::sensitivity
