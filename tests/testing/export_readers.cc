#include "tests/testing/export_readers.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <vector>

#include "search/base/status.h"

namespace bitplan::testing {
namespace {

using Json = nlohmann::json;

// The first thing that is wrong; empty: nothing yet.
struct Problem {
  std::string text;

  void Want(bool holds, const std::string& what) {
    if (!holds && text.empty()) text = what;
  }
  // Keys of an object: all of `required`, else only `optional`.
  void WantKeys(const Json& object, const std::set<std::string>& required, const std::set<std::string>& optional,
                const std::string& where) {
    Want(object.is_object(), where + " is no object");
    if (!object.is_object()) return;
    for (const std::string& key : required) Want(object.contains(key), where + " lacks " + key);
    for (const auto& [key, unused] : object.items()) {
      Want(required.contains(key) || optional.contains(key), where + " has an unknown key " + key);
    }
  }
  absl::Status status() const { return text.empty() ? absl::OkStatus() : absl::InvalidArgumentError(text); }
};

bool IsOneOf(const Json& value, const std::vector<Json>& allowed) {
  return std::ranges::find(allowed, value) != allowed.end();
}

// ---- compressed-tensors: QuantizationArgs, QuantizationScheme

Granularity GranularityOfStrategy(const std::string& strategy) {
  if (strategy == "tensor") return Granularity::kPerTensor;
  return strategy == "channel" ? Granularity::kPerChannel : Granularity::kPerGroup;
}

void CheckQuantizationArgs(const Json& args, const std::string& where, Problem& problem) {
  problem.WantKeys(args, {"num_bits", "type", "symmetric", "strategy", "dynamic"},
                   {"group_size", "scale_dtype", "observer"}, where);
  if (!problem.text.empty()) return;
  const int bits = args["num_bits"];
  const std::string strategy = args["strategy"];
  const bool has_groups = strategy == "group" || strategy == "tensor_group";
  problem.Want(IsOneOf(args["type"], {"int", "float"}), where + ".type");
  problem.Want(args["type"] == "float" ? bits == 4 || bits == 8 : bits >= 1 && bits <= 16, where + ".num_bits");
  problem.Want(args["type"] == "int" || args["symmetric"] == true, where + ": floats have no zero point");
  problem.Want(IsOneOf(strategy, {"tensor", "channel", "group", "tensor_group", "token"}), where + ".strategy");
  problem.Want(has_groups == args.contains("group_size"), where + ".group_size goes with groups only");
  problem.Want(!has_groups || args["group_size"].get<int64_t>() > 0, where + ".group_size");
  problem.Want(args["dynamic"].is_boolean(), where + ".dynamic");
  problem.Want(strategy != "token" || args["dynamic"] == true, where + ": static tokens");
  problem.Want(!args.contains("observer") || IsOneOf(args["observer"], {"minmax", "mse"}), where + ".observer");
  // The two floats of 4 bits that there are: NVFP4 and MXFP4.
  if (args["type"] == "float" && bits == 4) {
    const bool is_nvfp4 = strategy == "tensor_group" && args["group_size"] == 16 &&
                          args.value("scale_dtype", "") == "torch.float8_e4m3fn";
    const bool is_mxfp4 =
        strategy == "group" && args["group_size"] == 32 && args.value("scale_dtype", "") == "torch.uint8";
    problem.Want(is_nvfp4 || is_mxfp4, where + ": neither NVFP4 nor MXFP4");
  }
}

ReadLayer FromCompressedTensors(const Json& scheme) {
  const Json& weights = scheme["weights"];
  const Json& inputs = scheme["input_activations"];
  return {.is_quantized = true,
          .weight_bits = weights["num_bits"],
          .is_affine = !weights["symmetric"].get<bool>(),
          .granularity = GranularityOfStrategy(weights["strategy"]),
          .group_size = weights.value("group_size", int64_t{0}),
          .activation_bits = inputs.is_null() ? kMaxOptionBits : inputs["num_bits"].get<int>()};
}

// A name, or a regular expression that the writer made of one.
std::string NameOfTarget(const std::string& target) {
  if (!target.starts_with("re:^")) return target;
  std::string name;
  for (size_t i = 4; i + 1 < target.size(); ++i) {
    if (target[i] == '\\') ++i;
    name += target[i];
  }
  return name;
}

// ---- losses

const ExportLoss* FindLoss(const std::map<std::string, std::vector<const ExportLoss*>>& losses,
                           const std::string& layer, std::string_view field) {
  const auto of_layer = losses.find(layer);
  if (of_layer == losses.end()) return nullptr;
  const auto found =
      std::ranges::find_if(of_layer->second, [&](const ExportLoss* loss) { return loss->field == field; });
  return found == of_layer->second.end() ? nullptr : *found;
}

}  // namespace

absl::StatusOr<ReadLayers> ReadCompressedTensors(std::string_view json) {
  const Json config = Json::parse(json);
  Problem problem;
  problem.WantKeys(config, {"quant_method", "format", "quantization_status", "config_groups", "ignore"}, {}, "config");
  problem.Want(config["quant_method"] == "compressed-tensors", "quant_method");
  ReadLayers layers;
  for (const auto& [name, scheme] : config["config_groups"].items()) {
    problem.WantKeys(scheme, {"targets", "weights"}, {"input_activations", "output_activations"}, name);
    BITPLAN_RETURN_IF_ERROR(problem.status());
    CheckQuantizationArgs(scheme["weights"], name + ".weights", problem);
    problem.Want(scheme["weights"]["strategy"] != "token", name + ".weights.strategy");
    if (!scheme["input_activations"].is_null()) {
      CheckQuantizationArgs(scheme["input_activations"], name + ".input_activations", problem);
      problem.Want(scheme["input_activations"]["strategy"] != "channel", name + ".input_activations.strategy");
    }
    BITPLAN_RETURN_IF_ERROR(problem.status());
    for (const std::string target : scheme["targets"]) {
      problem.Want(layers.emplace(NameOfTarget(target), FromCompressedTensors(scheme)).second, target + " twice");
    }
  }
  for (const std::string target : config["ignore"]) {
    problem.Want(layers.emplace(NameOfTarget(target), ReadLayer()).second, target + " twice");
  }
  BITPLAN_RETURN_IF_ERROR(problem.status());
  return layers;
}

std::string LossViolation(const Plan& plan, const Exported& exported, const ReadLayers& read) {
  const bool scored = plan.provenance.activations_scored.value_or(true);
  std::map<std::string, std::vector<const ExportLoss*>> losses;
  for (const ExportLoss& loss : exported.losses) losses[loss.layer].push_back(&loss);
  if (losses.contains("") == scored) return "the loss of the whole plan";
  if (read.size() != plan.layers.size()) return fmt::format("{} layers of {}", read.size(), plan.layers.size());
  for (const PlanLayer& layer : plan.layers) {
    const auto found = read.find(layer.layer.name);
    if (found == read.end()) return layer.layer.name + " is missing";
    const ReadLayer& is = found->second;
    const Option& option = layer.chosen->option;
    const std::string where = fmt::format("{} {}: ", layer.layer.name, Label(option));
    const auto agrees = [&](std::string_view field, const std::string& wanted, const std::string& written) {
      const ExportLoss* loss = FindLoss(losses, layer.layer.name, field);
      if (loss == nullptr) return wanted == written;
      return wanted != written && loss->wanted == wanted && loss->written == written;
    };
    const bool is_float = option.scheme == "given" && option.weight_bits == kMaxOptionBits;
    const std::string bits = is.is_quantized ? std::to_string(is.weight_bits) : "";
    if (!agrees("weight_bits", is_float ? "" : std::to_string(option.weight_bits), bits)) return where + "weight_bits";
    const bool reads_floats = scored && layer.layer.kind != LayerKind::kEmbedding && option.activation_bits <= 16;
    if (!agrees("activation_bits", reads_floats ? std::to_string(option.activation_bits) : "",
                is.activation_bits == kMaxOptionBits ? "" : std::to_string(is.activation_bits))) {
      return where + "activation_bits";
    }
    if (!is.is_quantized) continue;
    const auto scales = [](Granularity granularity, int64_t size) {
      return size == 0 ? std::string(ToString(granularity)) : fmt::format("{}({})", ToString(granularity), size);
    };
    if (!agrees("granularity", scales(option.granularity, option.group_size), scales(is.granularity, is.group_size))) {
      return where + "granularity";
    }
    const ExportLoss* scheme = FindLoss(losses, layer.layer.name, "scheme");
    const std::string written = scheme == nullptr ? option.scheme : scheme->written;
    if ((written == "affine") != is.is_affine) return where + "scheme";
    if (is.weight_bits < option.weight_bits) return where + "is narrower than the plan";
    if ((option.rounding != Rounding::kNearest) != (FindLoss(losses, layer.layer.name, "rounding") != nullptr)) {
      return where + "rounding";
    }
  }
  return "";
}

}  // namespace bitplan::testing
