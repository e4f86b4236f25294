// The document of docs/formats/sensitivities.md: ParseGiven and ToJson of given.h.

#include <absl/strings/escaping.h>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstring>
#include <nlohmann/json.hpp>
#include <span>
#include <utility>

#include "search/base/json_reader.h"
#include "search/base/status.h"
#include "search/layer/option_json.h"
#include "search/sensitivity/given.h"

namespace bitplan::sensitivity {
namespace {

using Json = nlohmann::ordered_json;

// --- reading

TraceEstimate ReadTrace(JsonObject object) {
  TraceEstimate trace{.trace = object.Number("trace"),
                      .standard_error = object.Number("standard_error"),
                      .num_probes = object.Integer("num_probes", {.least = 0}),
                      .converged = object.Bool("converged")};
  object.RefuseUnknownKeys();
  return trace;
}

EigenvalueEstimate ReadEigenvalue(JsonObject object) {
  EigenvalueEstimate eigenvalue{.value = object.Number("value"),
                                .residual = object.Number("residual"),
                                .iterations = object.Integer("iterations", {.least = 0}),
                                .converged = object.Bool("converged")};
  object.RefuseUnknownKeys();
  return eigenvalue;
}

Costs ReadCosts(JsonObject object) {
  Costs costs;
  for (const Resource resource : kResources) {
    const std::string_view key = ResourceKey(resource);
    if (object.Has(key)) costs[resource] = object.Integer(key, {.least = 0});
  }
  object.RefuseUnknownKeys();
  return costs;
}

LayerKind ReadKind(const JsonValue& value) {
  const absl::StatusOr<LayerKind> kind = ParseLayerKind(value.String());
  value.Check(kind.status());
  return kind.value_or(LayerKind::kOther);
}

Layer ReadLayer(JsonObject& object) {
  Layer layer{.name = object.String("name"), .kind = ReadKind(object.At("kind"))};
  if (object.Has("weight_shape")) {
    for (const JsonValue& size : object.Array("weight_shape")) layer.weight_shape.push_back(size.Integer({.least = 1}));
  }
  if (object.Has("output_channel_axis")) {
    layer.output_channel_axis = static_cast<int>(object.Integer("output_channel_axis", {.least = 0, .most = 15}));
  }
  layer.num_weights = object.Integer("num_weights", {.least = 1});
  layer.macs = object.Integer("macs", {.least = 0});
  if (object.Has("input_elements")) layer.input_elements = object.Integer("input_elements", {.least = 0});
  if (object.Has("output_elements")) layer.output_elements = object.Integer("output_elements", {.least = 0});
  return layer;
}

// One layer's rows of all tables.
struct OptionRows {
  std::vector<Option> options;
  std::vector<double> score;
  std::vector<double> standard_error;
  std::vector<double> perturbation_sq;
  std::vector<Costs> costs;
};

void ReadOption(JsonObject object, OptionRows& rows) {
  rows.options.push_back(ReadOptionFields(object));
  rows.score.push_back(object.Number("score"));
  rows.standard_error.push_back(object.Has("standard_error") ? object.Number("standard_error") : 0);
  if (object.Has("perturbation_sq")) rows.perturbation_sq.push_back(object.Number("perturbation_sq"));
  rows.costs.push_back(object.Has("costs") ? ReadCosts(object.Object("costs")) : Costs{});
  object.RefuseUnknownKeys();
}

void ReadLayerAndOptions(JsonObject object, GivenSensitivities& given) {
  given.layers.layers.push_back(ReadLayer(object));
  LayerCurvature& curvature = given.sensitivity.curvature.emplace_back();
  if (object.Has("trace")) curvature.trace = ReadTrace(object.Object("trace"));
  if (object.Has("top_eigenvalue")) curvature.top_eigenvalue = ReadEigenvalue(object.Object("top_eigenvalue"));
  OptionRows rows;
  for (const JsonValue& option : object.Array("options")) ReadOption(option.Object(), rows);
  object.RefuseUnknownKeys();
  given.options.options.push_back(std::move(rows.options));
  given.sensitivity.score.push_back(std::move(rows.score));
  given.sensitivity.standard_error.push_back(std::move(rows.standard_error));
  given.sensitivity.perturbation_sq.push_back(std::move(rows.perturbation_sq));
  given.costs.push_back(std::move(rows.costs));
}

// Tables in which the document has no entry at all become empty: "not known".
template <typename Row, typename IsAbsent>
void ClearIfAbsent(std::vector<Row>& table, IsAbsent is_absent) {
  if (std::ranges::all_of(table, is_absent)) table.clear();
}

void ClearAbsentTables(GivenSensitivities& given) {
  ClearIfAbsent(given.sensitivity.curvature, [](const LayerCurvature& c) { return c == LayerCurvature{}; });
  ClearIfAbsent(given.sensitivity.perturbation_sq, [](const std::vector<double>& row) { return row.empty(); });
  ClearIfAbsent(given.costs, [](const std::vector<Costs>& row) { return std::ranges::all_of(row, &Costs::empty); });
}

// Base64 of little-endian IEEE 754 single precision numbers.
FloatVector ReadFloats(const JsonValue& value) {
  std::string bytes;
  if (!absl::Base64Unescape(value.String(), &bytes)) value.Fail("is not base64");
  if (bytes.size() % sizeof(float) != 0) {
    value.Fail(fmt::format("got {} bytes, want 4 for each number", bytes.size()));
    return {};
  }
  FloatVector floats(bytes.size() / sizeof(float));
  if (!bytes.empty()) std::memcpy(floats.data(), bytes.data(), bytes.size());
  return floats;
}

Shape ReadShape(const JsonValue& value) {
  Shape shape;
  for (const JsonValue& size : value.Array()) shape.push_back(size.Integer({.least = 1}));
  return shape;
}

// Products of a shape that a file may claim without overflow; the sizes themselves are checked by CheckPlanResponses.
int64_t ElementsOf(const JsonValue& value, const Shape& shape) {
  const int64_t count = CheckedNumElements(shape, kMaxGivenBytes);
  if (count < 0) value.Fail("is too large");
  return std::max<int64_t>(count, 0);
}

Targets ReadTargets(JsonObject& object) {
  if (object.Has("labels")) {
    ClassLabels labels;
    for (const JsonValue& label : object.Array("labels")) labels.push_back(label.Integer({.least = kIgnoredLabel}));
    return labels;
  }
  if (!object.Has("targets")) return {};
  JsonObject targets = object.Object("targets");
  Tensor tensor{.shape = ReadShape(targets.At("shape")), .data = ReadFloats(targets.At("values"))};
  targets.RefuseUnknownKeys();
  return tensor;
}

PlanResponses ReadResponses(JsonObject object) {
  PlanResponses plan;
  const std::optional<PlanForm> form = ParsePlanForm(object.String("predictor"));
  if (!form) object.At("predictor").Fail("want quadratic or logit_superposition");
  plan.form = form.value_or(PlanForm::kSuperposition);
  plan.loss = object.String("loss");
  if (object.Has("label_smoothing")) plan.label_smoothing = object.Number("label_smoothing");
  plan.output_shape = ReadShape(object.At("output_shape"));
  plan.targets = ReadTargets(object);
  plan.outputs = ReadFloats(object.At("outputs"));
  OutputResponses& responses = plan.responses;
  responses.num_samples = plan.output_shape.empty() ? 0 : plan.output_shape[0];
  const int64_t elements = ElementsOf(object.At("output_shape"), plan.output_shape);
  responses.num_outputs = responses.num_samples == 0 ? 0 : elements / responses.num_samples;
  for (const JsonValue& first : object.Array("first")) responses.first.push_back(first.Integer({.least = 0}));
  responses.values = ReadFloats(object.At("changes"));
  responses.num_perturbations = elements == 0 ? 0 : std::ssize(responses.values) / elements;
  object.RefuseUnknownKeys();
  return plan;
}

void ReadMeasurementFacts(JsonObject& root, SensitivityTable& table) {
  table.method = root.String("method");
  if (root.Has("loss")) table.loss = root.String("loss");
  if (root.Has("base_loss")) table.base_loss = root.Number("base_loss");
  if (root.Has("num_samples")) table.num_samples = root.Integer("num_samples", {.least = 0});
  if (root.Has("seed")) table.seed = root.At("seed").Unsigned();
  if (root.Has("network_top_eigenvalue")) {
    table.network_top_eigenvalue = ReadEigenvalue(root.Object("network_top_eigenvalue"));
  }
  if (root.Has("responses")) table.responses = ReadResponses(root.Object("responses"));
  if (root.Has("notes")) {
    for (const JsonValue& note : root.Array("notes")) table.notes.push_back(note.String());
  }
}

GivenSensitivities ReadDocument(JsonObject root) {
  GivenSensitivities given;
  if (const std::string format = root.String("format"); format != kGivenFormat) {
    root.At("format").Fail(fmt::format("got '{}', want '{}'", format, kGivenFormat));
  }
  ReadMeasurementFacts(root, given.sensitivity);
  if (root.Has("provenance")) {
    JsonObject provenance = root.Object("provenance");
    for (const std::string& key : provenance.Keys()) given.provenance[key] = provenance.String(key);
  }
  for (const JsonValue& layer : root.Array("layers")) ReadLayerAndOptions(layer.Object(), given);
  if (root.Has("ties")) {
    for (const JsonValue& tie : root.Array("ties")) {
      std::vector<std::string>& names = given.ties.emplace_back();
      for (const JsonValue& name : tie.Array()) names.push_back(name.String());
    }
  }
  root.RefuseUnknownKeys();
  ClearAbsentTables(given);
  return given;
}

// --- writing

Json ToJson(const TraceEstimate& trace) {
  return {{"trace", trace.trace},
          {"standard_error", trace.standard_error},
          {"num_probes", trace.num_probes},
          {"converged", trace.converged}};
}

Json ToJson(const EigenvalueEstimate& eigenvalue) {
  return {{"value", eigenvalue.value},
          {"residual", eigenvalue.residual},
          {"iterations", eigenvalue.iterations},
          {"converged", eigenvalue.converged}};
}

Json ToJson(const Costs& costs) {
  Json object = Json::object();
  for (const auto& [resource, amount] : costs) object[std::string(ResourceKey(resource))] = amount;
  return object;
}

Json OptionToJson(const GivenSensitivities& given, size_t l, size_t o) {
  const Option& option = given.options.options[l][o];
  const SensitivityTable& table = given.sensitivity;
  Json object = {{"weight_bits", option.weight_bits}, {"activation_bits", option.activation_bits},
                 {"scheme", option.scheme},           {"granularity", ToString(option.granularity)},
                 {"score", table.score[l][o]},        {"standard_error", table.standard_error[l][o]}};
  if (option.group_size != 0) object["group_size"] = option.group_size;
  if (option.range != Option{}.range) object["range"] = option.range;
  if (option.rounding != Option{}.rounding) object["rounding"] = ToString(option.rounding);
  if (!table.perturbation_sq.empty()) object["perturbation_sq"] = table.perturbation_sq[l][o];
  if (!given.costs.empty() && !given.costs[l][o].empty()) object["costs"] = ToJson(given.costs[l][o]);
  return object;
}

Json LayerToJson(const GivenSensitivities& given, size_t l) {
  const Layer& layer = given.layers.layers[l];
  Json object = {{"name", layer.name}, {"kind", ToString(layer.kind)}};
  if (!layer.weight_shape.empty()) {
    object["weight_shape"] = layer.weight_shape;
    object["output_channel_axis"] = layer.output_channel_axis;
  }
  object["num_weights"] = layer.num_weights;
  object["macs"] = layer.macs;
  if (layer.input_elements != 0) object["input_elements"] = layer.input_elements;
  if (layer.output_elements != 0) object["output_elements"] = layer.output_elements;
  if (!given.sensitivity.curvature.empty()) {
    const LayerCurvature& curvature = given.sensitivity.curvature[l];
    if (curvature.trace) object["trace"] = ToJson(*curvature.trace);
    if (curvature.top_eigenvalue) object["top_eigenvalue"] = ToJson(*curvature.top_eigenvalue);
  }
  Json options = Json::array();
  for (size_t o = 0; o < given.options.options[l].size(); ++o) options.push_back(OptionToJson(given, l, o));
  object["options"] = std::move(options);
  return object;
}

std::string FloatsToText(const FloatVector& floats) {
  static_assert(std::endian::native == std::endian::little, "the document holds little-endian numbers");
  return absl::Base64Escape({reinterpret_cast<const char*>(floats.data()), floats.size() * sizeof(float)});
}

Json ToJson(const PlanResponses& plan) {
  Json json = {{"predictor", ToString(plan.form)}, {"loss", plan.loss}};
  if (plan.label_smoothing != 0) json["label_smoothing"] = plan.label_smoothing;
  json["output_shape"] = plan.output_shape;
  if (const auto* labels = std::get_if<ClassLabels>(&plan.targets)) json["labels"] = *labels;
  if (const auto* targets = std::get_if<Tensor>(&plan.targets)) {
    json["targets"] = {{"shape", targets->shape}, {"values", FloatsToText(targets->data)}};
  }
  json["outputs"] = FloatsToText(plan.outputs);
  json["first"] = plan.responses.first;
  json["changes"] = FloatsToText(plan.responses.values);
  return json;
}

Json DocumentToJson(const GivenSensitivities& given) {
  const SensitivityTable& table = given.sensitivity;
  Json root = {{"format", kGivenFormat}, {"method", table.method}};
  if (!table.loss.empty()) root["loss"] = table.loss;
  if (table.base_loss) root["base_loss"] = *table.base_loss;
  if (table.num_samples > 0) root["num_samples"] = table.num_samples;
  root["seed"] = table.seed;
  if (table.network_top_eigenvalue) root["network_top_eigenvalue"] = ToJson(*table.network_top_eigenvalue);
  if (table.responses) root["responses"] = ToJson(*table.responses);
  if (!table.notes.empty()) root["notes"] = table.notes;
  if (!given.provenance.empty()) root["provenance"] = given.provenance;
  Json layers = Json::array();
  for (size_t l = 0; l < given.layers.layers.size(); ++l) layers.push_back(LayerToJson(given, l));
  root["layers"] = std::move(layers);
  if (!given.ties.empty()) root["ties"] = given.ties;
  return root;
}

}  // namespace

absl::StatusOr<GivenSensitivities> ParseGiven(std::string_view json) {
  BITPLAN_ASSIGN_OR_RETURN(const JsonDocument document,
                           JsonDocument::Parse(json, {.what = "sensitivities", .max_bytes = kMaxGivenBytes}));
  GivenSensitivities given = ReadDocument(document.Root());
  BITPLAN_RETURN_IF_ERROR(document.status());
  if (const absl::Status valid = Validate(given); !valid.ok()) {
    return absl::Status(valid.code(), "sensitivities." + MessageOf(valid));
  }
  return given;
}

std::string ToJson(const GivenSensitivities& given) {
  // Names come from models, which may hold bytes that are not UTF-8.
  return DocumentToJson(given).dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace bitplan::sensitivity
