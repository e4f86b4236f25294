#include "search/exporters/dialect.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "search/quantization/quantizer_table.h"

namespace bitplan::exporters {
namespace {

constexpr int kFp8Bits = 8;
constexpr int kMostActivationBits = 16;  // that quantization::ActivationGridOf has

// Codes that hold all levels of a scheme, best first.
struct Stand {
  Codes codes;
  int extra_bits = 0;
};

std::vector<Stand> StandsFor(std::string_view scheme) {
  if (scheme == "symmetric_full") return {{Codes::kSymmetricFull}, {Codes::kSymmetric, 1}};
  if (scheme == "affine") return {{Codes::kAffine}, {Codes::kSymmetric, 1}, {Codes::kSymmetricFull, 1}};
  if (scheme == "symmetric" || scheme == "binary" || scheme == "ternary" || scheme == "given") {
    return {{Codes::kSymmetric}, {Codes::kSymmetricFull}};
  }
  if (scheme == "fp8_e4m3") return {{Codes::kFp8E4M3}};
  if (scheme == "fp8_e5m2") return {{Codes::kFp8E5M2}};
  if (scheme == "mxfp4") return {{Codes::kMxfp4}};
  if (scheme == "nvfp4") return {{Codes::kNvfp4}};
  if (scheme == "kmeans" || scheme == "lloyd_max" || scheme == "hessian_kmeans") return {{Codes::kLookup}};
  return {};
}

bool IsMatrix(const Layer& layer) {
  if (!layer.weight_shape.empty()) return layer.weight_shape.size() == 2;
  return layer.kind == LayerKind::kGemm || layer.kind == LayerKind::kMatMul || layer.kind == LayerKind::kEmbedding;
}

// Whether consecutive weights of an output channel are consecutive inputs, as far as is known.
bool HasRowsOfInputs(const Layer& layer) { return layer.weight_shape.size() <= 2; }

bool Has(unsigned granularities, Granularity granularity) {
  return (granularities & GranularitySet({granularity})) != 0;
}

// The same scales, or finer ones.
std::optional<Granularity> FitGranularity(const Layer& layer, const Option& option, unsigned granularities) {
  if (option.granularity == Granularity::kPerGroup) {
    const bool fits = Has(granularities, Granularity::kPerGroup) && HasRowsOfInputs(layer);
    return fits ? std::optional(Granularity::kPerGroup) : std::nullopt;
  }
  if (Has(granularities, option.granularity)) return option.granularity;
  const bool has_finer = option.granularity != Granularity::kPerChannel && Has(granularities, Granularity::kPerChannel);
  return has_finer ? std::optional(Granularity::kPerChannel) : std::nullopt;
}

std::optional<WrittenWeight> WriteIn(const CodesWords& words, const PlanLayer& layer, int least_bits,
                                     const Dialect& dialect) {
  const Option& option = layer.chosen->option;
  const auto bits = std::ranges::lower_bound(words.bits, least_bits);
  if (bits == words.bits.end()) return std::nullopt;
  const std::optional<Granularity> granularity = FitGranularity(layer.layer, option, words.granularities);
  if (!granularity.has_value()) return std::nullopt;
  const bool keeps_range = std::ranges::find(dialect.ranges, option.range) != dialect.ranges.end();
  return WrittenWeight{.codes = words.codes,
                       .bits = *bits,
                       .granularity = *granularity,
                       .group_size = *granularity == option.granularity ? option.group_size : 0,
                       .range = keeps_range ? option.range : "minmax"};
}

bool HasKind(const Layer& layer, const Dialect& dialect) {
  if (dialect.matrices_only && !IsMatrix(layer)) return false;
  return dialect.has_embeddings || layer.kind != LayerKind::kEmbedding;
}

std::optional<WrittenWeight> WriteWeight(const PlanLayer& layer, const Dialect& dialect) {
  if (!HasKind(layer.layer, dialect)) return std::nullopt;
  for (const Stand& stand : StandsFor(layer.chosen->option.scheme)) {
    for (const CodesWords& words : dialect.weights) {
      if (words.codes != stand.codes) continue;
      const int least_bits = layer.chosen->option.weight_bits + stand.extra_bits;
      if (std::optional<WrittenWeight> written = WriteIn(words, layer, least_bits, dialect)) return written;
    }
  }
  return std::nullopt;
}

std::string GranularityText(Granularity granularity, int64_t group_size) {
  const std::string name(ToString(granularity));
  return group_size == 0 ? name : fmt::format("{}({})", name, group_size);
}

// Collects what is not said of one layer.
struct LossList {
  const std::string& layer;
  std::vector<ExportLoss> losses = {};

  void Add(std::string_view field, std::string wanted, std::string written, std::string reason) {
    if (wanted == written) return;
    losses.push_back({.layer = layer,
                      .field = std::string(field),
                      .wanted = std::move(wanted),
                      .written = std::move(written),
                      .reason = std::move(reason)});
  }
};

std::string WhyNotWritten(const PlanLayer& layer, const Dialect& dialect) {
  if (!HasKind(layer.layer, dialect))
    return fmt::format("{} quantizes no layers of this kind; it stays unquantized", dialect.name);
  return fmt::format("{} has no codes that hold {}; the layer stays unquantized", dialect.name,
                     Label(layer.chosen->option));
}

void AddWeightLosses(const Option& option, const WrittenWeight& weight, const Dialect& dialect, LossList& list) {
  const std::string codes(ToString(weight.codes));
  const bool is_full = option.scheme == "symmetric" && weight.codes == Codes::kSymmetricFull;
  list.Add("scheme", option.scheme, codes,
           is_full ? fmt::format("symmetric codes of {} use all 2^b values", dialect.name)
                   : fmt::format("{} has no {} codes", dialect.name, option.scheme));
  list.Add("weight_bits", std::to_string(option.weight_bits), std::to_string(weight.bits),
           fmt::format("narrowest {} codes of {} that hold the option's levels", codes, dialect.name));
  list.Add("granularity", GranularityText(option.granularity, option.group_size),
           GranularityText(weight.granularity, weight.group_size),
           fmt::format("{} has no such scales; these are finer", dialect.name));
  list.Add("range", option.range, weight.range, fmt::format("{} cannot choose this rule for a layer", dialect.name));
  list.Add("rounding", std::string(ToString(option.rounding)), std::string(ToString(Rounding::kNearest)),
           fmt::format("{} rounds to the nearest code", dialect.name));
}

// Of the layer's activations, kMaxOptionBits: float.
int WriteActivation(int wanted, Codes codes, const Dialect& dialect) {
  if (wanted == kMaxOptionBits || (IsFloat(codes) && wanted > kFp8Bits)) return kMaxOptionBits;
  const auto bits = std::ranges::lower_bound(dialect.activation_bits, IsFloat(codes) ? kFp8Bits : wanted);
  const bool has = bits != dialect.activation_bits.end() && (!IsFloat(codes) || *bits == kFp8Bits);
  return has ? *bits : kMaxOptionBits;
}

void AddActivationLosses(int wanted, const WrittenLayer& written, const Dialect& dialect, LossList& list) {
  if (wanted == kMaxOptionBits) return;
  const std::string bits = std::to_string(wanted);
  if (!written.weight.has_value()) return list.Add("activation_bits", bits, "", "the layer stays unquantized");
  if (written.activation_bits == kMaxOptionBits) {
    return list.Add("activation_bits", bits, "",
                    fmt::format("{} has no such activations beside such weights; they stay float", dialect.name));
  }
  list.Add("activation_bits", bits, std::to_string(written.activation_bits),
           fmt::format("narrowest width of activations of {} that holds them", dialect.name));
  list.Add("activation_scheme", "affine",
           IsFloat(written.weight->codes) ? "fp8_e4m3" : std::string(dialect.activation_scheme),
           fmt::format("{} quantizes activations of such layers this way", dialect.name));
}

WrittenLayer WriteLayer(const Plan& plan, const PlanLayer& layer, const Dialect& dialect) {
  const Option& option = layer.chosen->option;
  WrittenLayer written;
  const bool is_float = option.scheme == "given" && option.weight_bits == kMaxOptionBits;
  const int activation_bits = ActivationBitsOf(plan, layer);
  if (!is_float) written.weight = WriteWeight(layer, dialect);
  if (written.weight.has_value()) {
    const auto accepts = [&](int bits) { return dialect.accepts == nullptr || dialect.accepts(*written.weight, bits); };
    written.activation_bits = WriteActivation(activation_bits, written.weight->codes, dialect);
    if (!accepts(written.activation_bits)) written.activation_bits = kMaxOptionBits;
    if (!accepts(written.activation_bits)) written.weight.reset();
  }
  LossList list{.layer = layer.layer.name};
  if (written.weight.has_value()) {
    AddWeightLosses(option, *written.weight, dialect, list);
  } else if (!is_float) {
    list.Add("weight_bits", std::to_string(option.weight_bits), "", WhyNotWritten(layer, dialect));
  }
  AddActivationLosses(activation_bits, written, dialect, list);
  written.losses = std::move(list.losses);
  return written;
}

}  // namespace

std::string_view ToString(Codes codes) {
  switch (codes) {
    case Codes::kSymmetric:
      return "symmetric";
    case Codes::kSymmetricFull:
      return "symmetric_full";
    case Codes::kAffine:
      return "affine";
    case Codes::kFp8E4M3:
      return "fp8_e4m3";
    case Codes::kFp8E5M2:
      return "fp8_e5m2";
    case Codes::kMxfp4:
      return "mxfp4";
    case Codes::kNvfp4:
      return "nvfp4";
    case Codes::kLookup:
      return "kmeans";
  }
  return "";
}

bool IsFloat(Codes codes) {
  return codes == Codes::kFp8E4M3 || codes == Codes::kFp8E5M2 || codes == Codes::kMxfp4 || codes == Codes::kNvfp4;
}

int ActivationBitsOf(const Plan& plan, const PlanLayer& layer) {
  const int bits = layer.chosen->option.activation_bits;
  const bool stays = !plan.provenance.activations_scored.value_or(true) || layer.layer.kind == LayerKind::kEmbedding;
  return stays || bits > kMostActivationBits ? kMaxOptionBits : bits;
}

std::vector<WrittenLayer> WriteLayers(const Plan& plan, const Dialect& dialect) {
  std::vector<WrittenLayer> layers;
  layers.reserve(plan.layers.size());
  for (const PlanLayer& layer : plan.layers) layers.push_back(WriteLayer(plan, layer, dialect));
  return layers;
}

std::vector<ExportLoss> LossesOf(const Plan& plan, const std::vector<WrittenLayer>& layers) {
  std::vector<ExportLoss> losses;
  if (!plan.provenance.activations_scored.value_or(true)) {
    losses.push_back({.layer = "",
                      .field = "activation_bits",
                      .wanted = "of each layer",
                      .written = "",
                      .reason = "the plan's sensitivities do not count activations: the bits are only priced"});
  }
  for (const WrittenLayer& layer : layers) losses.insert(losses.end(), layer.losses.begin(), layer.losses.end());
  return losses;
}

int TorchChannelAxis(const Layer& layer) {
  switch (layer.kind) {
    case LayerKind::kConvTranspose:
      return 1;
    case LayerKind::kConv:
    case LayerKind::kGemm:
    case LayerKind::kMatMul:
    case LayerKind::kRecurrent:
      return 0;
    case LayerKind::kEmbedding:
    case LayerKind::kOther:
      break;
  }
  return layer.output_channel_axis;
}

int64_t WeightsOfChannel(const Layer& layer) {
  return layer.weight_shape.empty() ? 0 : layer.num_weights / layer.num_output_channels();
}

std::string Quoted(std::string_view text) {
  return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::string ObjectOf(const std::vector<std::string>& members, int indent) {
  if (members.empty()) return "{}";
  const std::string margin(indent, ' ');
  return fmt::format("{{\n{0}  {1}\n{0}}}", margin, fmt::join(members, ",\n  " + margin));
}

std::string ArrayOf(const std::vector<std::string>& texts, int indent) {
  if (texts.empty()) return "[]";
  const std::string margin(indent, ' ');
  std::vector<std::string> quoted;
  quoted.reserve(texts.size());
  for (const std::string& text : texts) quoted.push_back(Quoted(text));
  return fmt::format("[\n{0}  {1}\n{0}]", margin, fmt::join(quoted, ",\n  " + margin));
}

}  // namespace bitplan::exporters
