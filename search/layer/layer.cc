#include "search/layer/layer.h"

#include <fmt/format.h>

#include <array>
#include <utility>

#include "search/base/status.h"

namespace bitplan {
namespace {

constexpr auto kKindNames =
    std::to_array<std::pair<LayerKind, std::string_view>>({{LayerKind::kConv, "conv"},
                                                           {LayerKind::kConvTranspose, "conv_transpose"},
                                                           {LayerKind::kGemm, "gemm"},
                                                           {LayerKind::kMatMul, "matmul"},
                                                           {LayerKind::kEmbedding, "embedding"},
                                                           {LayerKind::kRecurrent, "recurrent"},
                                                           {LayerKind::kOther, "other"}});
constexpr auto kGranularityNames =
    std::to_array<std::pair<Granularity, std::string_view>>({{Granularity::kPerTensor, "per_tensor"},
                                                             {Granularity::kPerChannel, "per_channel"},
                                                             {Granularity::kPerGroup, "per_group"},
                                                             {Granularity::kPerChannelGroup, "per_channel_group"}});
constexpr auto kRoundingNames = std::to_array<std::pair<Rounding, std::string_view>>(
    {{Rounding::kNearest, "nearest"}, {Rounding::kStochastic, "stochastic"}});

template <typename Table, typename Enum>
std::string_view NameIn(const Table& table, Enum value) {
  for (const auto& [entry, name] : table) {
    if (entry == value) return name;
  }
  return "unknown";
}

template <typename Table>
auto ParseIn(const Table& table, std::string_view what, std::string_view text)
    -> absl::StatusOr<typename Table::value_type::first_type> {
  std::string known;
  for (const auto& [entry, name] : table) {
    if (name == text) return entry;
    known += known.empty() ? std::string(name) : fmt::format(", {}", name);
  }
  return InvalidArgument("{}: got '{}', want one of {}", what, text, known);
}

absl::Status CheckBits(std::string_view field, int bits) {
  if (bits >= 1 && bits <= kMaxOptionBits) return absl::OkStatus();
  return InvalidArgument("{}: got {}, want 1..{}", field, bits, kMaxOptionBits);
}

}  // namespace

std::string_view ToString(LayerKind kind) { return NameIn(kKindNames, kind); }
absl::StatusOr<LayerKind> ParseLayerKind(std::string_view name) { return ParseIn(kKindNames, "kind", name); }
std::string_view ToString(Granularity granularity) { return NameIn(kGranularityNames, granularity); }
absl::StatusOr<Granularity> ParseGranularity(std::string_view name) {
  return ParseIn(kGranularityNames, "granularity", name);
}

std::string_view ToString(Rounding rounding) { return NameIn(kRoundingNames, rounding); }
absl::StatusOr<Rounding> ParseRounding(std::string_view name) { return ParseIn(kRoundingNames, "rounding", name); }

int64_t Layer::num_output_channels() const { return weight_shape.empty() ? 1 : weight_shape[output_channel_axis]; }

absl::Status ValidateOption(const Option& option) {
  BITPLAN_RETURN_IF_ERROR(CheckBits("weight_bits", option.weight_bits));
  BITPLAN_RETURN_IF_ERROR(CheckBits("activation_bits", option.activation_bits));
  const bool has_groups =
      option.granularity == Granularity::kPerGroup || option.granularity == Granularity::kPerChannelGroup;
  if (!has_groups && option.group_size != 0) {
    return InvalidArgument("group_size: got {}, want none for {}", option.group_size, ToString(option.granularity));
  }
  if (has_groups && (option.group_size < 1 || option.group_size > kMaxGroupSize)) {
    return InvalidArgument("group_size: got {}, want 1..{} for {}", option.group_size, kMaxGroupSize,
                           ToString(option.granularity));
  }
  if (option.range.empty()) return InvalidArgument("range: is empty, want the name of a range rule");
  return absl::OkStatus();
}

std::string DescribeGranularity(const Option& option) {
  std::string text(ToString(option.granularity));
  const Option usual;
  if (option.group_size != usual.group_size) text += fmt::format("({})", option.group_size);
  if (option.range != usual.range) text += fmt::format("/{}", option.range);
  if (option.rounding != usual.rounding) text += fmt::format("/{}", ToString(option.rounding));
  return text;
}

std::string Label(const Option& option) {
  return fmt::format("w{}a{}/{}/{}", option.weight_bits, option.activation_bits, option.scheme,
                     DescribeGranularity(option));
}

}  // namespace bitplan
