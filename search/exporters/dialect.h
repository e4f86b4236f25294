#ifndef BITPLAN_SEARCH_EXPORTERS_DIALECT_H_
#define BITPLAN_SEARCH_EXPORTERS_DIALECT_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "search/exporters/exporter_table.h"
#include "search/plan/plan.h"

namespace bitplan::exporters {

// Numbers that a format can store weights as, b bits each:
//   kSymmetric      integers -(2^(b-1)-1) .. 2^(b-1)-1, no zero point
//   kSymmetricFull  integers -2^(b-1) .. 2^(b-1)-1, no zero point
//   kAffine         2^b integers and a zero point
//   kFp8E4M3, kFp8E5M2, kMxfp4, kNvfp4   as the quantizers of these names
//   kLookup         any 2^b levels, found by k-means
enum class Codes { kSymmetric, kSymmetricFull, kAffine, kFp8E4M3, kFp8E5M2, kMxfp4, kNvfp4, kLookup };
std::string_view ToString(Codes codes);  // the quantizer's name: "symmetric", ..., "kmeans"

// Floats; a layer with such weights has activations of fp8_e4m3.
bool IsFloat(Codes codes);

// What a format can say of weights stored as `codes`.
struct CodesWords {
  Codes codes = Codes::kSymmetric;
  std::vector<int> bits;       // ascending
  unsigned granularities = 0;  // GranularitySet
};

// How a weight is written. Codes of b bits stand for b-bit codes of the option or for wider ones that hold them.
struct WrittenWeight {
  Codes codes = Codes::kSymmetric;
  int bits = 8;
  Granularity granularity = Granularity::kPerChannel;
  int64_t group_size = 0;  // as in Option
  std::string range = "minmax";

  bool operator==(const WrittenWeight&) const = default;
};

// What a format can say of a layer. Everything else of an option is a loss.
struct Dialect {
  std::string_view name;                          // what reasons call it
  std::vector<CodesWords> weights;                // of one kind of codes, what comes first is preferred
  std::vector<int> activation_bits;               // ascending; empty: activations stay float
  std::string_view activation_scheme = "affine";  // where weights are not floats
  std::vector<std::string_view> ranges = {"minmax"};
  bool matrices_only = false;  // layers whose weight is a matrix (Gemm, MatMul, embedding)
  bool has_embeddings = true;
  // Whether the format has this weight together with such activations (kMaxOptionBits: float); null: it has any. What
  // it does not have is tried with float activations, then left unquantized.
  bool (*accepts)(const WrittenWeight& weight, int activation_bits) = nullptr;
};

// How a layer is written, and what that leaves out. Without a weight the layer is not quantized at all.
struct WrittenLayer {
  std::optional<WrittenWeight> weight;
  int activation_bits = kMaxOptionBits;  // kMaxOptionBits: float
  std::vector<ExportLoss> losses;
};

// The bits that a plan's activations of a layer are quantized to, kMaxOptionBits: they stay float. So they do above 16
// bits, where the layer reads integers (embedding), and in plans whose sensitivities do not count activations: nobody
// has asked what that would cost.
int ActivationBitsOf(const Plan& plan, const PlanLayer& layer);

// A plan's layers in the words of `dialect`, one by one, in order. A weight is written
//   - as codes that hold its levels: what it is, or symmetric in place of symmetric_full and the reverse, symmetric of
//     one bit more in place of affine, symmetric in place of binary, ternary and given ones;
//   - in the next wider width that there is;
//   - with the same scales or finer ones (per_channel in place of per_tensor and per_channel_group).
// Where no such codes exist, the layer is left unquantized. per_group means groups along a row of inputs: so it is in
// matrices; elsewhere a group of the plan is none of a format.
// Requires plan.has_choice().
std::vector<WrittenLayer> WriteLayers(const Plan& plan, const Dialect& dialect);

// All losses of the layers in order; before them one of the whole plan where its activation bits are only prices.
std::vector<ExportLoss> LossesOf(const Plan& plan, const std::vector<WrittenLayer>& layers);

// Axis of the output channels as PyTorch stores the weight of such a layer.
int TorchChannelAxis(const Layer& layer);

// Weights of one output channel, as far as the shape is known; 0: it is not.
int64_t WeightsOfChannel(const Layer& layer);

// "text" with quotes and escapes, as JSON and Python read it.
std::string Quoted(std::string_view text);

// A JSON object, one member a line: members are "\"key\": value" as they are.
std::string ObjectOf(const std::vector<std::string>& members, int indent);
// A JSON array, one text a line.
std::string ArrayOf(const std::vector<std::string>& texts, int indent);

}  // namespace bitplan::exporters

#endif  // BITPLAN_SEARCH_EXPORTERS_DIALECT_H_
