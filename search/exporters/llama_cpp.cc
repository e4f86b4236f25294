#include "search/exporters/llama_cpp.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <utility>
#include <vector>

#include "search/exporters/dialect.h"

namespace bitplan::exporters {
namespace {

constexpr int64_t kSuperBlock = 256;  // weights of a block of the K types
constexpr int64_t kBlock = 32;        // of the older ones
constexpr int kMostBits = 8;

// What a type of llama.cpp holds.
struct GgmlType {
  std::string_view name;
  std::string_view scheme;  // as in plans
  int bits = 16;
  std::string_view scales;  // as in plans
};

// K types by bits, from 2: groups within super-blocks whose scales (and minima) are quantized in turn.
constexpr auto kTypesOf256 = std::to_array<GgmlType>({
    {"q2_K", "affine", 2, "per_group(16)"},
    {"q3_K", "symmetric_full", 3, "per_group(16)"},
    {"q4_K", "affine", 4, "per_group(32)"},
    {"q5_K", "affine", 5, "per_group(32)"},
    {"q6_K", "symmetric_full", 6, "per_group(16)"},
});
constexpr GgmlType kQ40 = {"q4_0", "symmetric_full", 4, "per_group(32)"};
constexpr GgmlType kQ41 = {"q4_1", "affine", 4, "per_group(32)"};
constexpr GgmlType kQ50 = {"q5_0", "symmetric_full", 5, "per_group(32)"};
constexpr GgmlType kQ51 = {"q5_1", "affine", 5, "per_group(32)"};
constexpr GgmlType kQ80 = {"q8_0", "symmetric", 8, "per_group(32)"};
constexpr GgmlType kMxfp4 = {"mxfp4", "mxfp4", 4, "per_group(32)"};
constexpr GgmlType kF16 = {"f16", "", 16, ""};

bool IsMatrix(const Layer& layer) {
  return layer.weight_shape.empty() ? layer.kind != LayerKind::kConv && layer.kind != LayerKind::kConvTranspose
                                    : layer.weight_shape.size() == 2;
}

// Weights of a row; 0: not known, taken to be whole blocks. A table's rows are its entries, whatever axis scales have.
int64_t RowLength(const Layer& layer) {
  if (layer.kind == LayerKind::kEmbedding && layer.weight_shape.size() == 2) return layer.weight_shape[1];
  return WeightsOfChannel(layer);
}

GgmlType TypeOf(const Layer& layer, const Option& option) {
  const int64_t row = RowLength(layer);
  if (option.weight_bits > kMostBits || !IsMatrix(layer) || row % kBlock != 0) return kF16;
  if (option.scheme == "mxfp4") return kMxfp4;
  if (option.weight_bits > 6) return kQ80;
  if (row % kSuperBlock == 0) return kTypesOf256[std::max(option.weight_bits, 2) - 2];
  if (option.weight_bits > 5) return kQ80;
  if (option.weight_bits == 5) return option.scheme == "affine" ? kQ51 : kQ50;
  return option.scheme == "affine" ? kQ41 : kQ40;
}

constexpr auto kParts = std::to_array<std::pair<std::string_view, std::string_view>>({
    {"self_attn.q_proj", "attn_q"},
    {"self_attn.k_proj", "attn_k"},
    {"self_attn.v_proj", "attn_v"},
    {"self_attn.qkv_proj", "attn_qkv"},
    {"self_attn.o_proj", "attn_output"},
    {"mlp.gate_proj", "ffn_gate"},
    {"mlp.up_proj", "ffn_up"},
    {"mlp.gate_up_proj", "ffn_up"},
    {"mlp.down_proj", "ffn_down"},
    {"attn.c_attn", "attn_qkv"},
    {"attn.c_proj", "attn_output"},
    {"mlp.c_fc", "ffn_up"},
    {"mlp.c_proj", "ffn_down"},
});
constexpr auto kTables = std::to_array<std::pair<std::string_view, std::string_view>>({
    {"model.embed_tokens", "token_embd.weight"},
    {"transformer.wte", "token_embd.weight"},
    {"transformer.wpe", "position_embd.weight"},
    {"lm_head", "output.weight"},
});

// llama-quantize splits the file at blanks and each line at the first "=", lowers the case of the expression and looks
// for it anywhere in a tensor's name: what is hurt by that becomes ".", any character.
std::string ExpressionOf(std::string_view name) {
  std::string expression = "^";
  for (const char c : name) {
    const auto byte = static_cast<unsigned char>(c);
    if (std::string_view(R"(\^$.|?*+()[]{})").find(c) != std::string_view::npos) {
      expression += '\\';
      expression += c;
    } else {
      const bool is_plain = byte > ' ' && byte < 0x7F && c != '=' && std::isupper(byte) == 0;
      expression += is_plain ? c : '.';
    }
  }
  return expression + "$";
}

void AddLosses(const Plan& plan, const PlanLayer& layer, const GgmlType& type, std::vector<ExportLoss>& losses) {
  const Option& option = layer.chosen->option;
  const auto add = [&](std::string_view field, std::string wanted, std::string_view written, std::string_view reason) {
    if (wanted == written) return;
    losses.push_back({.layer = layer.layer.name,
                      .field = std::string(field),
                      .wanted = std::move(wanted),
                      .written = std::string(written),
                      .reason = std::string(reason)});
  };
  const bool is_float = type.name == kF16.name;
  if (GgufName(layer.layer.name).empty()) {
    add("name", layer.layer.name, layer.layer.name + ".weight", "no rule says how GGUF files name this tensor");
  }
  if (!is_float || option.scheme != "given" || option.weight_bits != kMaxOptionBits) {
    add("weight_bits", std::to_string(option.weight_bits), is_float ? "" : std::to_string(type.bits),
        is_float ? "llama.cpp has no such type for these rows; the tensor stays f16" : "llama.cpp has no such type");
  }
  if (const int bits = ActivationBitsOf(plan, layer); bits != kMaxOptionBits) {
    add("activation_bits", std::to_string(bits), "", "llama.cpp chooses activations by the type of the weight");
  }
  if (is_float) return;
  add("scheme", option.scheme, type.scheme, "codes are those of the type");
  const std::string size = option.group_size == 0 ? "" : fmt::format("({})", option.group_size);
  add("granularity", std::string(ToString(option.granularity)) + size, type.scales, "scales are those of the type");
  add("range", option.range, "minmax", "llama.cpp searches its own scales");
  add("rounding", std::string(ToString(option.rounding)), "nearest", "llama.cpp rounds to the nearest code");
}

}  // namespace

std::string GgufName(std::string_view layer) {
  for (const auto& [name, tensor] : kTables) {
    if (layer == name) return std::string(tensor);
  }
  for (const std::string_view prefix : {"model.layers.", "transformer.h."}) {
    if (!layer.starts_with(prefix)) continue;
    const std::string_view rest = layer.substr(prefix.size());
    const size_t digits = rest.find_first_not_of("0123456789");
    if (digits == 0 || digits == std::string_view::npos || rest[digits] != '.') continue;
    for (const auto& [part, tensor] : kParts) {
      if (rest.substr(digits + 1) == part) return fmt::format("blk.{}.{}.weight", rest.substr(0, digits), tensor);
    }
  }
  return "";
}

absl::StatusOr<Exported> WriteLlamaCpp(const ExportRequest& request, const RunContext& /*context*/) {
  Exported exported{.bytes = "", .losses = LossesOf(request.plan, {})};
  for (const PlanLayer& layer : request.plan.layers) {
    const GgmlType type = TypeOf(layer.layer, layer.chosen->option);
    const std::string known = GgufName(layer.layer.name);
    const std::string tensor = known.empty() ? layer.layer.name + ".weight" : known;
    exported.bytes += fmt::format("{}={}\n", ExpressionOf(tensor), type.name);
    AddLosses(request.plan, layer, type, exported.losses);
  }
  return exported;
}

}  // namespace bitplan::exporters
