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
constexpr auto kGranularityNames = std::to_array<std::pair<Granularity, std::string_view>>(
    {{Granularity::kPerTensor, "per_tensor"}, {Granularity::kPerChannel, "per_channel"}});

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

}  // namespace

std::string_view ToString(LayerKind kind) { return NameIn(kKindNames, kind); }
absl::StatusOr<LayerKind> ParseLayerKind(std::string_view name) { return ParseIn(kKindNames, "kind", name); }
std::string_view ToString(Granularity granularity) { return NameIn(kGranularityNames, granularity); }
absl::StatusOr<Granularity> ParseGranularity(std::string_view name) {
  return ParseIn(kGranularityNames, "granularity", name);
}

int64_t Layer::num_output_channels() const { return weight_shape.empty() ? 1 : weight_shape[output_channel_axis]; }

std::string Label(const Option& option) {
  return fmt::format("w{}a{}/{}/{}", option.weight_bits, option.activation_bits, option.scheme,
                     ToString(option.granularity));
}

}  // namespace bitplan
