#include "tests/testing/export_readers.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>
#include <regex>
#include <set>
#include <sstream>
#include <vector>

#include "search/base/status.h"
#include "search/exporters/llama_cpp.h"
#include "tests/testing/subprocess.h"

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

void FillUnquantized(const Plan& plan, ReadLayers& layers) {
  for (const PlanLayer& layer : plan.layers) layers.try_emplace(layer.layer.name);
}

// ---- Python files

// What a Python program prints of the file in argv[1], as JSON.
absl::StatusOr<Json> RunPython(std::string_view file, const std::string& program) {
  const std::string path = fmt::format("{}/export_{}.py", ::testing::TempDir(), ::getpid());
  std::ofstream(path) << file;
  const ProcessResult result = RunProcess({"/usr/bin/python3", "-c", program, path});
  if (result.exit_code != 0) return absl::InvalidArgumentError(result.err);
  return Json::parse(result.out);
}

// ---- ModelOpt: QuantizerAttributeConfig

// The quantizer's file name pattern without its brackets.
std::string NameOfPattern(const std::string& pattern) {
  std::string name;
  for (size_t i = 0; i < pattern.size(); ++i) {
    if (pattern[i] == '[') {
      name += pattern[i + 1];
      i += 2;
    } else {
      name += pattern[i];
    }
  }
  return name;
}

void CheckModelOptQuantizer(const Json& attributes, const std::string& where, Problem& problem) {
  problem.WantKeys(attributes, {"num_bits", "enable"}, {"axis", "block_sizes", "narrow_range"}, where);
  if (!problem.text.empty()) return;
  const Json& bits = attributes["num_bits"];
  const bool has_blocks = attributes.contains("block_sizes");
  problem.Want(has_blocks != attributes.contains("axis"), where + ": axis and block_sizes exclude each other");
  problem.Want(bits.is_array() ? IsOneOf(bits, {Json{4, 3}, Json{5, 2}, Json{2, 1}}) : bits.get<int>() >= 1,
               where + ".num_bits");
  problem.Want(!bits.is_array() || !attributes.contains("narrow_range"), where + ".narrow_range is of integers");
  const bool is_dynamic = has_blocks && attributes["block_sizes"]["type"] == "dynamic";
  problem.Want(!bits.is_array() || bits == Json{4, 3} || is_dynamic, where + ": only dynamic blocks of such floats");
  if (has_blocks) problem.WantKeys(attributes["block_sizes"], {"-1", "type"}, {"scale_bits"}, where + ".block_sizes");
}

int BitsOfModelOpt(const Json& bits) {
  return bits.is_array() ? bits[0].get<int>() + bits[1].get<int>() + 1 : bits.get<int>();
}

// ---- PyTorch

int BitsOfRange(int least, int most) {
  int bits = 1;
  while ((1 << bits) < most - least + 1) ++bits;
  return bits;
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

absl::StatusOr<ReadLayers> ReadCompressedTensors(std::string_view bytes, const Plan& /*plan*/) {
  const Json config = Json::parse(bytes);
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

absl::StatusOr<ReadLayers> ReadModelOpt(std::string_view bytes, const Plan& plan) {
  BITPLAN_ASSIGN_OR_RETURN(const Json config, RunPython(bytes, R"(
import json, sys
scope = {}
exec(open(sys.argv[1]).read(), scope)
print(json.dumps(scope['QUANT_CFG'])))"));
  Problem problem;
  problem.WantKeys(config, {"quant_cfg", "algorithm"}, {}, "QUANT_CFG");
  problem.Want(config["algorithm"] == "max", "algorithm");
  problem.Want(config["quant_cfg"]["default"] == Json{{"enable", false}}, "default");
  ReadLayers layers;
  for (const auto& [pattern, attributes] : config["quant_cfg"].items()) {
    if (pattern == "default") continue;
    CheckModelOptQuantizer(attributes, pattern, problem);
    BITPLAN_RETURN_IF_ERROR(problem.status());
    const std::string name = NameOfPattern(pattern);
    const size_t dot = name.rfind('.');
    ReadLayer& layer = layers[name.substr(0, dot)];
    const int bits = BitsOfModelOpt(attributes["num_bits"]);
    if (name.substr(dot) == ".input_quantizer") {
      problem.Want(attributes.value("axis", Json(0)).is_null(), pattern + ".axis");
      layer.activation_bits = bits;
      continue;
    }
    problem.Want(name.substr(dot) == ".weight_quantizer", pattern);
    layer.is_quantized = true;
    layer.weight_bits = bits;
    layer.granularity = Granularity::kPerGroup;
    if (attributes.contains("block_sizes")) {
      layer.group_size = attributes["block_sizes"]["-1"];
    } else {
      layer.granularity = attributes["axis"].is_null() ? Granularity::kPerTensor : Granularity::kPerChannel;
    }
  }
  BITPLAN_RETURN_IF_ERROR(problem.status());
  FillUnquantized(plan, layers);
  return layers;
}

absl::StatusOr<ReadLayers> ReadHfQuantConfig(std::string_view bytes, const Plan& /*plan*/) {
  struct Algorithm {
    int bits;
    Granularity granularity;
    int activation_bits;
  };
  static const auto& algorithms = *new std::map<std::string, Algorithm>{
      {"W8A16", {8, Granularity::kPerChannel, 32}},      {"W8A8_SQ_PER_CHANNEL", {8, Granularity::kPerChannel, 8}},
      {"W4A16_AWQ", {4, Granularity::kPerGroup, 32}},    {"FP8", {8, Granularity::kPerTensor, 8}},
      {"W4A16_NVFP4", {4, Granularity::kPerGroup, 32}},  {"W4A16_MXFP4", {4, Granularity::kPerGroup, 32}},
      {"W4A8_MXFP4_FP8", {4, Granularity::kPerGroup, 8}}};
  const Json config = Json::parse(bytes);
  Problem problem;
  problem.WantKeys(config, {"producer", "quantization"}, {}, "config");
  const Json& quantization = config["quantization"];
  problem.WantKeys(quantization, {"quant_algo", "kv_cache_quant_algo", "quantized_layers", "exclude_modules"}, {},
                   "quantization");
  problem.Want(quantization["quant_algo"] == "MIXED_PRECISION", "quant_algo");
  ReadLayers layers;
  for (const auto& [name, layer] : quantization["quantized_layers"].items()) {
    problem.WantKeys(layer, {"quant_algo"}, {"group_size", "has_zero_point", "pre_quant_scale"}, name);
    const auto algorithm = algorithms.find(layer["quant_algo"]);
    problem.Want(algorithm != algorithms.end(), name + ".quant_algo");
    BITPLAN_RETURN_IF_ERROR(problem.status());
    const bool has_groups = algorithm->second.granularity == Granularity::kPerGroup;
    problem.Want(has_groups == layer.contains("group_size"), name + ".group_size");
    layers[name] = {.is_quantized = true,
                    .weight_bits = algorithm->second.bits,
                    .granularity = algorithm->second.granularity,
                    .group_size = layer.value("group_size", int64_t{0}),
                    .activation_bits = algorithm->second.activation_bits};
  }
  for (const std::string name : quantization["exclude_modules"]) {
    problem.Want(layers.emplace(name, ReadLayer()).second, name + " twice");
  }
  BITPLAN_RETURN_IF_ERROR(problem.status());
  return layers;
}

absl::StatusOr<ReadLayers> ReadLlamaCpp(std::string_view bytes, const Plan& plan) {
  static const auto& types = *new std::map<std::string, ReadLayer>{
      {"q2_K", {true, 2, true, Granularity::kPerGroup, 16}},   {"q3_K", {true, 3, false, Granularity::kPerGroup, 16}},
      {"q4_K", {true, 4, true, Granularity::kPerGroup, 32}},   {"q5_K", {true, 5, true, Granularity::kPerGroup, 32}},
      {"q6_K", {true, 6, false, Granularity::kPerGroup, 16}},  {"q4_0", {true, 4, false, Granularity::kPerGroup, 32}},
      {"q4_1", {true, 4, true, Granularity::kPerGroup, 32}},   {"q5_0", {true, 5, false, Granularity::kPerGroup, 32}},
      {"q5_1", {true, 5, true, Granularity::kPerGroup, 32}},   {"q8_0", {true, 8, false, Granularity::kPerGroup, 32}},
      {"mxfp4", {true, 4, false, Granularity::kPerGroup, 32}}, {"f16", {}}};
  std::istringstream words{std::string(bytes)};
  ReadLayers layers;
  size_t i = 0;
  for (std::string word; words >> word; ++i) {  // as llama-quantize splits the file
    const size_t equals = word.find('=');
    if (equals == std::string::npos || i >= plan.layers.size()) return absl::InvalidArgumentError(word);
    std::string expression = word.substr(0, equals);
    for (char& c : expression) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    const std::string& name = plan.layers[i].layer.name;
    const std::string gguf = exporters::GgufName(name);
    if (!std::regex_search(gguf.empty() ? name + ".weight" : gguf, std::regex(expression))) {
      return absl::InvalidArgumentError(fmt::format("{} does not match {}", expression, name));
    }
    const auto type = types.find(word.substr(equals + 1));
    if (type == types.end()) return absl::InvalidArgumentError(word);
    const std::vector<int64_t>& shape = plan.layers[i].layer.weight_shape;
    const bool is_super = type->first.ends_with("_K");
    if (type->first != "f16" && shape.size() > 2) return absl::InvalidArgumentError(word + ": no matrix");
    if (is_super && !shape.empty() && plan.layers[i].layer.num_weights % 256 != 0) {
      return absl::InvalidArgumentError(word + ": rows in blocks of 256");
    }
    layers[name] = type->second;
  }
  return layers;
}

absl::StatusOr<ReadLayers> ReadTorchAo(std::string_view bytes, const Plan& /*plan*/) {
  const Json config = Json::parse(bytes);
  Problem problem;
  problem.WantKeys(config, {"_type", "_version", "_data"}, {}, "config");
  problem.Want(config["_type"] == "FqnToConfig" && config["_version"] == 1, "_type");
  problem.WantKeys(config["_data"], {"fqn_to_config", "module_fqn_to_config", "version"}, {}, "_data");
  ReadLayers layers;
  for (const auto& [name, layer] : config["_data"]["fqn_to_config"].items()) {
    if (layer.is_null()) {
      layers[name] = {};
      continue;
    }
    problem.WantKeys(layer, {"_type", "_version", "_data"}, {}, name);
    const bool has_activations = layer["_type"] == "Int8DynamicActivationIntxWeightConfig";
    problem.Want(has_activations || layer["_type"] == "IntxWeightOnlyConfig", name + "._type");
    const std::string prefix = has_activations ? "weight_" : "";
    std::set<std::string> keys{"weight_dtype", prefix + "granularity", prefix + "mapping_type", "version"};
    if (has_activations) keys.insert("act_mapping_type");
    const Json& data = layer["_data"];
    problem.WantKeys(data, keys, {}, name);
    BITPLAN_RETURN_IF_ERROR(problem.status());
    const Json& scales = data[prefix + "granularity"];
    const bool has_groups = scales["_type"] == "PerGroup";
    problem.Want(has_groups ? scales["_data"]["group_size"].get<int64_t>() > 0 : scales["_data"] == Json{{"axis", 0}},
                 name + ".granularity");
    const std::string mapping = data[prefix + "mapping_type"]["_data"];
    problem.Want(mapping == "SYMMETRIC" || mapping == "ASYMMETRIC", name + ".mapping_type");
    const std::string dtype = data["weight_dtype"]["_data"];
    problem.Want(std::regex_match(dtype, std::regex("int[1-8]")), name + ".weight_dtype");
    layers[name] = {.is_quantized = true,
                    .weight_bits = dtype.back() - '0',
                    .is_affine = mapping == "ASYMMETRIC",
                    .granularity = has_groups ? Granularity::kPerGroup : Granularity::kPerChannel,
                    .group_size = has_groups ? scales["_data"]["group_size"].get<int64_t>() : 0,
                    .activation_bits = has_activations ? 8 : kMaxOptionBits};
  }
  BITPLAN_RETURN_IF_ERROR(problem.status());
  return layers;
}

absl::StatusOr<ReadLayers> ReadAutoRound(std::string_view bytes, const Plan& /*plan*/) {
  Problem problem;
  ReadLayers layers;
  const Json config = Json::parse(bytes);
  for (const auto& [name, layer] : config["layer_config"].items()) {
    problem.WantKeys(layer, {"bits", "data_type", "act_bits"},
                     {"group_size", "sym", "act_group_size", "act_sym", "act_data_type", "act_dynamic"}, name);
    BITPLAN_RETURN_IF_ERROR(problem.status());
    if (layer["bits"] == 16) {
      problem.Want(layer.size() == 3 && layer["act_bits"] == 16, name + " is float");
      layers[name] = {};
      continue;
    }
    const int bits = layer["bits"];
    const int act_bits = layer["act_bits"];
    const int64_t group = layer["group_size"];
    const std::string type = layer["data_type"];
    problem.Want(bits >= 2 && bits <= 8, name + ".bits");
    problem.Want(
        type == "int" || (type == "mx_fp" && bits == 4 && group == 32) || (type == "nv_fp" && bits == 4 && group == 16),
        name + ".data_type");
    problem.Want(group >= -1, name + ".group_size");
    problem.Want((act_bits == 16) != layer.contains("act_dynamic"), name + ".act_dynamic");
    layers[name] = {.is_quantized = true,
                    .weight_bits = bits,
                    .is_affine = !layer["sym"].get<bool>(),
                    .granularity = group > 0    ? Granularity::kPerGroup
                                   : group == 0 ? Granularity::kPerTensor
                                                : Granularity::kPerChannel,
                    .group_size = std::max<int64_t>(group, 0),
                    .activation_bits = act_bits == 16 ? kMaxOptionBits : act_bits};
  }
  BITPLAN_RETURN_IF_ERROR(problem.status());
  return layers;
}

absl::StatusOr<ReadLayers> ReadCoreMl(std::string_view bytes, const Plan& plan) {
  std::map<std::string, std::string> names;
  for (const PlanLayer& layer : plan.layers) {
    names[std::regex_replace(layer.layer.name + ".weight", std::regex("[^A-Za-z0-9]"), "_")] = layer.layer.name;
  }
  const Json config = Json::parse(bytes);
  Problem problem;
  problem.WantKeys(config, {"config_type", "op_name_configs"}, {}, "config");
  const bool is_linear = config["config_type"] == "OpLinearQuantizerConfig";
  problem.Want(is_linear || config["config_type"] == "OpPalettizerConfig", "config_type");
  ReadLayers layers;
  for (const auto& [name, layer] : config["op_name_configs"].items()) {
    problem.Want(names.contains(name), name);
    ReadLayer& read = layers[names[name]];
    if (layer.is_null()) continue;
    const std::string scales = layer["granularity"];
    read.is_quantized = true;
    read.granularity = scales == "per_tensor" ? Granularity::kPerTensor : Granularity::kPerChannel;
    if (is_linear) {
      problem.WantKeys(layer, {"mode", "dtype", "granularity", "weight_threshold"}, {"block_size"}, name);
      problem.Want(IsOneOf(layer["mode"], {"linear", "linear_symmetric"}), name + ".mode");
      problem.Want(IsOneOf(layer["dtype"], {"int4", "uint4", "int8", "uint8"}), name + ".dtype");
      problem.Want(IsOneOf(scales, {"per_tensor", "per_channel", "per_block"}), name + ".granularity");
      problem.Want((scales == "per_block") == layer.contains("block_size"), name + ".block_size");
      read.weight_bits = layer["dtype"].get<std::string>().back() - '0';
      read.is_affine = layer["mode"] == "linear";
      if (scales == "per_block") read.granularity = Granularity::kPerGroup;
      read.group_size = layer.value("block_size", int64_t{0});
    } else {
      problem.WantKeys(layer, {"mode", "nbits", "granularity", "weight_threshold"}, {"group_size"}, name);
      problem.Want(layer["mode"] == "kmeans", name + ".mode");
      problem.Want(IsOneOf(layer["nbits"], {1, 2, 3, 4, 6, 8}), name + ".nbits");
      problem.Want(IsOneOf(scales, {"per_tensor", "per_grouped_channel"}), name + ".granularity");
      problem.Want((scales == "per_tensor") != layer.contains("group_size"), name + ".group_size");
      read.weight_bits = layer["nbits"];
      if (layer.value("group_size", int64_t{1}) > 1) {
        read.granularity = Granularity::kPerChannelGroup;
        read.group_size = layer["group_size"];
      }
    }
  }
  BITPLAN_RETURN_IF_ERROR(problem.status());
  return layers;
}

absl::StatusOr<ReadLayers> ReadQConfigMapping(std::string_view bytes, const Plan& plan) {
  BITPLAN_ASSIGN_OR_RETURN(const Json found, RunPython(bytes, R"(
import json, sys
scope = {}
exec(open(sys.argv[1]).read(), scope)
mapping = scope['qconfig_mapping']
assert mapping.global_qconfig is None and not mapping.object_type_qconfigs
layers = {}
for name, qconfig in mapping.module_name_qconfigs.items():
    weight, activation = qconfig.weight(), qconfig.activation()
    layers[name] = [str(weight.dtype), str(weight.qscheme), weight.quant_min, weight.quant_max,
                    str(activation.dtype), getattr(activation, 'quant_min', None), getattr(activation, 'quant_max', None)]
print(json.dumps(layers)))"));
  Problem problem;
  ReadLayers layers;
  for (const auto& [name, layer] : found.items()) {
    const std::string scheme = layer[1];
    problem.Want(layer[0] == "torch.qint8" && layer[2] >= -128 && layer[3] <= 127, name + ".weight");
    const bool is_float = layer[4] == "torch.float32";
    problem.Want(is_float || (layer[4] == "torch.quint8" && layer[5] == 0), name + ".activation");
    layers[name] = {.is_quantized = true,
                    .weight_bits = BitsOfRange(layer[2], layer[3]),
                    .is_affine = scheme.ends_with("_affine"),
                    .granularity = scheme.find("per_channel") == std::string::npos ? Granularity::kPerTensor
                                                                                   : Granularity::kPerChannel,
                    .activation_bits = is_float ? kMaxOptionBits : BitsOfRange(0, layer[6])};
  }
  BITPLAN_RETURN_IF_ERROR(problem.status());
  FillUnquantized(plan, layers);
  return layers;
}

std::string LossViolation(const Plan& plan, const Exported& exported, const ReadLayers& read) {
  const bool scored = plan.provenance.activations_scored.value_or(true);
  std::map<std::string, std::vector<const ExportLoss*>> losses;
  for (const ExportLoss& loss : exported.losses) losses[loss.layer].push_back(&loss);
  if (!scored && !losses.contains("")) return "the loss of the whole plan";
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
