#ifndef BITPLAN_SEARCH_LAYER_AGREEMENT_H_
#define BITPLAN_SEARCH_LAYER_AGREEMENT_H_

#include <array>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "search/layer/layer.h"

namespace bitplan {

// What the options of several layers have in common: the whole option (equal labels), or parts of it. A granularity
// counts with its group size.
enum class Agreement { kOption, kWeightBits, kActivationBits, kScheme, kGranularity };
inline constexpr std::array kAgreements = {Agreement::kOption, Agreement::kWeightBits, Agreement::kActivationBits,
                                           Agreement::kScheme, Agreement::kGranularity};
// "option", "weight_bits", "activation_bits", "scheme", "granularity".
std::string_view ToString(Agreement agreement);
absl::StatusOr<Agreement> ParseAgreement(std::string_view name);

// The parts of an option that are meant, as text: options agree exactly if their texts are equal. Never empty.
std::string AgreementKey(const Option& option, std::span<const Agreement> agree);

// Layers that a runtime's rule ties together.
struct RuntimeGroup {
  std::string rule;              // name of the rule
  std::vector<Agreement> agree;  // at least one; kOption stands alone
  std::vector<std::string> layers;

  bool operator==(const RuntimeGroup&) const = default;

  bool is_whole_option() const { return !agree.empty() && agree.front() == Agreement::kOption; }
};

// kInvalidArgument: nothing to agree on, something twice, the whole option with a part of it.
absl::Status ValidateAgreement(std::span<const Agreement> agree);

}  // namespace bitplan

#endif  // BITPLAN_SEARCH_LAYER_AGREEMENT_H_
