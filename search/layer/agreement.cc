#include "search/layer/agreement.h"

#include <algorithm>

#include "search/base/status.h"

namespace bitplan {
namespace {

std::string KeyOf(const Option& option, Agreement agreement) {
  switch (agreement) {
    case Agreement::kOption:
      return Label(option);
    case Agreement::kWeightBits:
      return fmt::format("w{}", option.weight_bits);
    case Agreement::kActivationBits:
      return fmt::format("a{}", option.activation_bits);
    case Agreement::kScheme:
      return option.scheme;
    case Agreement::kGranularity:
      return fmt::format("{}({})", ToString(option.granularity), option.group_size);
  }
  return "";
}

}  // namespace

std::string_view ToString(Agreement agreement) {
  switch (agreement) {
    case Agreement::kOption:
      return "option";
    case Agreement::kWeightBits:
      return "weight_bits";
    case Agreement::kActivationBits:
      return "activation_bits";
    case Agreement::kScheme:
      return "scheme";
    case Agreement::kGranularity:
      return "granularity";
  }
  return "";
}

absl::StatusOr<Agreement> ParseAgreement(std::string_view name) {
  for (const Agreement agreement : kAgreements) {
    if (ToString(agreement) == name) return agreement;
  }
  return InvalidArgument("got '{}', want option, weight_bits, activation_bits, scheme or granularity", name);
}

std::string AgreementKey(const Option& option, std::span<const Agreement> agree) {
  std::string key;
  for (const Agreement agreement : agree) key += (key.empty() ? "" : "/") + KeyOf(option, agreement);
  return key;
}

absl::Status ValidateAgreement(std::span<const Agreement> agree) {
  if (agree.empty()) return InvalidArgument("agree: got nothing, want at least one of option, weight_bits, ...");
  for (size_t i = 0; i < agree.size(); ++i) {
    if (agree[i] == Agreement::kOption && agree.size() > 1) {
      return InvalidArgument("agree: got option and {}, want option alone or parts of it",
                             ToString(agree[i == 0 ? 1 : 0]));
    }
    if (std::ranges::find(agree.subspan(i + 1), agree[i]) != agree.end()) {
      return InvalidArgument("agree: got {} twice", ToString(agree[i]));
    }
  }
  return absl::OkStatus();
}

}  // namespace bitplan
