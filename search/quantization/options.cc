#include "search/quantization/options.h"

#include <algorithm>
#include <cstddef>
#include <map>
#include <set>
#include <span>
#include <string_view>
#include <utility>

#include "search/base/status.h"
#include "search/quantization/legal.h"
#include "search/quantization/quantizer_table.h"
#include "search/quantization/range_rule_table.h"

namespace bitplan {
namespace {

template <typename T>
absl::Status CheckList(const std::vector<T>& list, std::string_view name) {
  if (list.empty()) return InvalidArgument("quantization.{}: is empty, want at least one entry", name);
  for (size_t i = 1; i < list.size(); ++i) {
    if (std::find(list.begin(), list.begin() + i, list[i]) != list.begin() + i) {
      return InvalidArgument("quantization.{}[{}]: repeats an earlier entry", name, i);
    }
  }
  return absl::OkStatus();
}

absl::Status CheckSizes(const std::vector<int64_t>& sizes, std::string_view name) {
  BITPLAN_RETURN_IF_ERROR(CheckList(sizes, name));
  for (size_t i = 0; i < sizes.size(); ++i) {
    if (sizes[i] >= 1 && sizes[i] <= kMaxGroupSize) continue;
    return InvalidArgument("quantization.{}[{}]: got {}, want 1..{}", name, i, sizes[i], kMaxGroupSize);
  }
  return absl::OkStatus();
}

bool HasOneWidth(const QuantizerEntry& quantizer) { return quantizer.min_bits == quantizer.max_bits; }

// The schemes' rows; unknown names are left out (Validate refuses them).
std::vector<QuantizerEntry> QuantizersOf(const QuantizationOptions& options) {
  std::vector<QuantizerEntry> quantizers;
  for (const std::string& scheme : options.schemes) {
    const absl::StatusOr<QuantizerEntry> quantizer = quantization::FindQuantizer(scheme);
    if (quantizer.ok()) quantizers.push_back(*quantizer);
  }
  return quantizers;
}

// Every width has a scheme.
absl::Status CheckWidths(const QuantizationOptions& options, const std::vector<QuantizerEntry>& quantizers) {
  for (size_t i = 0; i < options.weight_bits.size(); ++i) {
    const int bits = options.weight_bits[i];
    if (std::ranges::any_of(quantizers, [&](const QuantizerEntry& entry) { return entry.Has(bits); })) continue;
    std::string known;
    for (const QuantizerEntry& entry : quantizers) {
      known += fmt::format("{}{} for {}", known.empty() ? "" : ", ", quantization::WidthsText(entry), entry.name);
    }
    return InvalidArgument("quantization.weight_bits[{}]: got {}, want {}", i, bits, known);
  }
  return absl::OkStatus();
}

// A scheme has one of the widths and granularities, or its own.
absl::Status CheckScheme(const QuantizationOptions& options, const QuantizerEntry& quantizer) {
  const auto has_width = [&](int bits) { return quantizer.Has(bits); };
  if (!HasOneWidth(quantizer) && std::ranges::none_of(options.weight_bits, has_width)) {
    return InvalidArgument("{} has none of the widths, want one of {} in weight_bits", quantizer.name,
                           quantization::WidthsText(quantizer));
  }
  const auto has_granularity = [&](Granularity granularity) { return quantizer.Has(granularity); };
  if (quantizer.block_size == 0 && std::ranges::none_of(options.granularities, has_granularity)) {
    return InvalidArgument("{} has none of the granularities", quantizer.name);
  }
  return absl::OkStatus();
}

absl::Status CheckGranularities(const QuantizationOptions& options, const std::vector<QuantizerEntry>& quantizers) {
  for (size_t i = 0; i < options.granularities.size(); ++i) {
    const auto has = [&](const QuantizerEntry& entry) { return entry.Has(options.granularities[i]); };
    // Formats with blocks of their own do without the list: it may hold what they do not have.
    const auto is_block = [](const QuantizerEntry& entry) { return entry.block_size != 0; };
    if (std::ranges::any_of(quantizers, has) || std::ranges::all_of(quantizers, is_block)) continue;
    return InvalidArgument("quantization.granularities[{}]: no scheme of the list has {}", i,
                           ToString(options.granularities[i]));
  }
  return absl::OkStatus();
}

// A granularity and the size of its groups.
using Cut = std::pair<Granularity, int64_t>;

std::vector<Cut> CutsOf(const QuantizationOptions& wanted, const QuantizerEntry& quantizer) {
  if (quantizer.block_size != 0) return {{Granularity::kPerGroup, quantizer.block_size}};
  std::vector<Cut> cuts;
  for (const Granularity granularity : wanted.granularities) {
    if (!quantizer.Has(granularity)) continue;
    if (granularity == Granularity::kPerGroup) {
      for (const int64_t size : wanted.group_sizes) cuts.emplace_back(granularity, size);
    } else if (granularity == Granularity::kPerChannelGroup) {
      for (const int64_t size : wanted.channel_group_sizes) cuts.emplace_back(granularity, size);
    } else {
      cuts.emplace_back(granularity, 0);
    }
  }
  return cuts;
}

// All options that the lists describe, before a layer's shape is looked at.
std::vector<Option> AllOptions(const QuantizationOptions& wanted) {
  const std::vector<std::string> only_minmax = {std::string(quantization::kMinMax)};
  const std::vector<Rounding> only_nearest = {Rounding::kNearest};
  const std::vector<QuantizerEntry> quantizers = QuantizersOf(wanted);
  std::vector<Option> options;
  for (const int bits : quantization::WidthsOf(wanted)) {
    const bool is_listed = std::ranges::find(wanted.weight_bits, bits) != wanted.weight_bits.end();
    // Without activation bits yet.
    std::vector<Option> of_width;
    for (const QuantizerEntry& quantizer : quantizers) {
      if (!quantizer.Has(bits) || (!is_listed && !HasOneWidth(quantizer))) continue;
      for (const auto& [granularity, group_size] : CutsOf(wanted, quantizer)) {
        for (const std::string& range : quantizer.takes_range ? wanted.range_rules : only_minmax) {
          for (const Rounding rounding : quantizer.takes_range ? wanted.roundings : only_nearest) {
            of_width.push_back({.weight_bits = bits,
                                .scheme = std::string(quantizer.name),
                                .granularity = granularity,
                                .group_size = group_size,
                                .range = range,
                                .rounding = rounding});
          }
        }
      }
    }
    for (const int activation_bits : quantization::ActivationWidthsOf(wanted, bits)) {
      for (Option option : of_width) {
        option.activation_bits = activation_bits;
        options.push_back(std::move(option));
      }
    }
  }
  return options;
}

// Whether per_group cannot be had: the size does not divide the weights of a channel. Formats with blocks of their own
// fill the last block up.
bool MustFallBack(const Layer& layer, const Option& option) {
  if (option.granularity != Granularity::kPerGroup) return false;
  const absl::StatusOr<QuantizerEntry> quantizer = quantization::FindQuantizer(option.scheme);
  if (quantizer.ok() && quantizer->block_size != 0) return false;
  return layer.num_weights / layer.num_output_channels() % option.group_size != 0;
}

// Layers that fell back, by group size.
using Fallbacks = std::map<int64_t, std::vector<std::string>>;

std::vector<Option> OptionsOf(const Layer& layer, const std::vector<Option>& all, Fallbacks& fallbacks) {
  const bool has_one_channel = layer.num_output_channels() == 1;
  std::set<std::string> labels;
  for (const Option& option : all) {
    if (!MustFallBack(layer, option)) labels.insert(Label(option));
  }
  std::vector<Option> options;
  for (Option option : all) {
    if (MustFallBack(layer, option)) {
      std::vector<std::string>& names = fallbacks[option.group_size];
      if (names.empty() || names.back() != layer.name) names.push_back(layer.name);
      option.granularity = Granularity::kPerChannel;
      option.group_size = 0;
      if (!labels.insert(Label(option)).second) continue;
    }
    Option per_tensor = option;
    per_tensor.granularity = Granularity::kPerTensor;
    if (option.granularity == Granularity::kPerChannel && has_one_channel && labels.contains(Label(per_tensor))) {
      continue;
    }
    options.push_back(std::move(option));
  }
  return options;
}

std::string FallbackNote(int64_t group_size, const std::vector<std::string>& layers) {
  constexpr size_t kNamed = 3;
  std::string names;
  for (size_t i = 0; i < std::min(kNamed, layers.size()); ++i) {
    names += fmt::format("{}'{}'", i == 0 ? "" : ", ", layers[i]);
  }
  if (layers.size() > kNamed) names += ", ..";
  return fmt::format(
      "per_group({}) became per_channel in {} of the layers ({}): {} does not divide the weights of a channel",
      group_size, layers.size(), names, group_size);
}

}  // namespace

absl::Status Validate(const QuantizationOptions& options) {
  BITPLAN_RETURN_IF_ERROR(CheckList(options.weight_bits, "weight_bits"));
  BITPLAN_RETURN_IF_ERROR(CheckList(options.schemes, "schemes"));
  BITPLAN_RETURN_IF_ERROR(CheckList(options.granularities, "granularities"));
  BITPLAN_RETURN_IF_ERROR(CheckSizes(options.group_sizes, "group_sizes"));
  BITPLAN_RETURN_IF_ERROR(CheckSizes(options.channel_group_sizes, "channel_group_sizes"));
  BITPLAN_RETURN_IF_ERROR(CheckList(options.range_rules, "range_rules"));
  BITPLAN_RETURN_IF_ERROR(CheckList(options.roundings, "roundings"));
  BITPLAN_RETURN_IF_ERROR(CheckList(options.activation_bits, "activation_bits"));
  for (const int bits : options.activation_bits) {
    if (bits == kSameAsWeights || (bits >= 1 && bits <= kMaxOptionBits)) continue;
    return InvalidArgument("quantization.activation_bits: got {}, want 1..32, or {} for as many as the weights have",
                           bits, kSameAsWeights);
  }
  for (size_t i = 0; i < options.range_rules.size(); ++i) {
    const absl::Status known = quantization::FindRangeRule(options.range_rules[i]).status();
    if (!known.ok()) return WithContext(known, fmt::format("quantization.range_rules[{}]", i));
  }
  for (size_t i = 0; i < options.schemes.size(); ++i) {
    const absl::Status known = quantization::FindQuantizer(options.schemes[i]).status();
    if (!known.ok()) return WithContext(known, fmt::format("quantization.schemes[{}]", i));
  }
  const std::vector<QuantizerEntry> quantizers = QuantizersOf(options);
  BITPLAN_RETURN_IF_ERROR(CheckWidths(options, quantizers));
  BITPLAN_RETURN_IF_ERROR(CheckGranularities(options, quantizers));
  for (size_t i = 0; i < quantizers.size(); ++i) {
    const absl::Status usable = CheckScheme(options, quantizers[i]);
    if (!usable.ok()) return WithContext(usable, fmt::format("quantization.schemes[{}]", i));
  }
  return absl::OkStatus();
}

namespace quantization {

std::vector<int> ActivationWidthsOf(const QuantizationOptions& options, int weight_bits) {
  std::vector<int> widths;
  for (const int listed : options.activation_bits) {
    const int bits = listed == kSameAsWeights ? weight_bits : listed;
    if (std::ranges::find(widths, bits) == widths.end()) widths.push_back(bits);
  }
  return widths;
}

std::vector<int> WidthsOf(const QuantizationOptions& options) {
  std::vector<int> widths = options.weight_bits;
  for (const QuantizerEntry& quantizer : QuantizersOf(options)) {
    if (HasOneWidth(quantizer) && std::ranges::find(widths, quantizer.min_bits) == widths.end()) {
      widths.push_back(quantizer.min_bits);
    }
  }
  return widths;
}

absl::StatusOr<OptionTable> ListOptions(const LayerTable& layers, const QuantizationOptions& options) {
  BITPLAN_RETURN_IF_ERROR(Validate(options));
  if (layers.layers.empty()) return InvalidArgument("layers: there is no layer with weights to quantize");
  const std::vector<Option> all = AllOptions(options);
  OptionTable table;
  Fallbacks fallbacks;
  for (const Layer& layer : layers.layers) table.options.push_back(OptionsOf(layer, all, fallbacks));
  for (const auto& [group_size, names] : fallbacks) table.notes.push_back(FallbackNote(group_size, names));
  return table;
}

}  // namespace quantization
}  // namespace bitplan
