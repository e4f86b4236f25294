#include "search/pipeline/measurement.h"

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>
#include <utility>

#include "search/base/digest.h"
#include "search/base/json_reader.h"
#include "search/base/status.h"
#include "search/layer/ties.h"
#include "search/pipeline/settings.h"
#include "search/sensitivity/given.h"

namespace bitplan::pipeline {
namespace {

using Json = nlohmann::ordered_json;

GivenSensitivities ToGiven(const Measurement& measurement) {
  return {.layers = measurement.layers,
          .options = measurement.options,
          .sensitivity = measurement.sensitivity,
          .costs = measurement.given_costs,
          .ties = measurement.ties,
          .provenance = measurement.origin};
}

std::map<std::string, std::string> ReadTexts(JsonObject object) {
  std::map<std::string, std::string> texts;
  for (const std::string& key : object.Keys()) texts[key] = object.String(key);
  return texts;
}

std::vector<std::string> ReadStrings(const JsonValue& value) {
  std::vector<std::string> texts;
  for (const JsonValue& text : value.Array()) texts.push_back(text.String());
  return texts;
}

Json StructureToJson(const LayerStructure& structure) {
  Json json = Json::array();
  for (const StructureGroup& group : structure) {
    json.push_back({{"kind", ToString(group.kind)}, {"layers", group.layers}});
  }
  return json;
}

StructureGroup ReadStructureGroup(JsonObject object) {
  const JsonValue name = object.At("kind");
  const absl::StatusOr<StructureKind> kind = ParseStructureKind(name.String());
  name.Check(kind.status());
  StructureGroup group{.kind = kind.value_or(StructureKind::kSharedInput), .layers = ReadStrings(object.At("layers"))};
  object.RefuseUnknownKeys();
  return group;
}

std::optional<LayerStructure> ReadStructure(JsonObject& root) {
  if (!root.Has("structure")) return std::nullopt;
  LayerStructure structure;
  for (const JsonValue& group : root.Array("structure")) structure.push_back(ReadStructureGroup(group.Object()));
  return structure;
}

Json ToJson(const DataFlow& flow) {
  Json buffers = Json::array();
  for (const ActivationBuffer& buffer : flow.buffers) {
    buffers.push_back({{"name", buffer.name},
                       {"elements", buffer.elements},
                       {"layers", buffer.layers},
                       {"first_step", buffer.first_step},
                       {"last_step", buffer.last_step}});
  }
  Json boundaries = Json::array();
  for (const PrecisionBoundary& boundary : flow.boundaries) {
    boundaries.push_back({{"from", boundary.from}, {"to", boundary.to}, {"elements", boundary.elements}});
  }
  return {{"steps", flow.steps}, {"buffers", std::move(buffers)}, {"boundaries", std::move(boundaries)}};
}

int ReadIndex(const JsonValue& value) {
  return static_cast<int>(value.Integer({.least = 0, .most = std::numeric_limits<int>::max()}));
}

DataFlow ReadDataFlow(JsonObject object) {
  DataFlow flow{.steps = ReadStrings(object.At("steps"))};
  for (const JsonValue& value : object.Array("buffers")) {
    JsonObject buffer = value.Object();
    ActivationBuffer& read = flow.buffers.emplace_back();
    read.name = buffer.String("name");
    read.elements = buffer.At("elements").Integer({.least = 0});
    for (const JsonValue& layer : buffer.Array("layers")) read.layers.push_back(ReadIndex(layer));
    read.first_step = ReadIndex(buffer.At("first_step"));
    read.last_step = ReadIndex(buffer.At("last_step"));
    buffer.RefuseUnknownKeys();
  }
  for (const JsonValue& value : object.Array("boundaries")) {
    JsonObject boundary = value.Object();
    flow.boundaries.push_back({.from = ReadIndex(boundary.At("from")),
                               .to = ReadIndex(boundary.At("to")),
                               .elements = boundary.At("elements").Integer({.least = 0})});
    boundary.RefuseUnknownKeys();
  }
  object.RefuseUnknownKeys();
  return flow;
}

// Indices in range.
absl::Status CheckDataFlow(const DataFlow& flow, const LayerTable& layers) {
  const auto num_layers = std::ssize(layers.layers);
  const auto is_layer = [&](int layer) { return layer < num_layers; };
  for (size_t b = 0; b < flow.buffers.size(); ++b) {
    const ActivationBuffer& buffer = flow.buffers[b];
    const bool in_order = buffer.first_step <= buffer.last_step && buffer.last_step < std::ssize(flow.steps);
    if (in_order && std::ranges::all_of(buffer.layers, is_layer)) continue;
    return InvalidArgument("data_flow.buffers[{}]: got steps {}..{} of {} and layers up to {} of {}", b,
                           buffer.first_step, buffer.last_step, flow.steps.size(),
                           buffer.layers.empty() ? 0 : std::ranges::max(buffer.layers), num_layers);
  }
  for (size_t b = 0; b < flow.boundaries.size(); ++b) {
    const PrecisionBoundary& boundary = flow.boundaries[b];
    if (is_layer(boundary.from) && is_layer(boundary.to) && boundary.from != boundary.to) continue;
    return InvalidArgument("data_flow.boundaries[{}]: got layers {} and {}, want two of 0..{}", b, boundary.from,
                           boundary.to, num_layers - 1);
  }
  return absl::OkStatus();
}

std::string DigestOf(const Measurement& measurement) {
  if (measurement.model_digest.empty()) return DigestOfGiven(ToGiven(measurement));
  return DigestOfMeasurement(measurement.model_digest, measurement.dataset_digest, measurement.settings,
                             measurement.versions);
}

}  // namespace

std::string DigestOfGiven(const GivenSensitivities& given) {
  return Sha256Hex(fmt::format("{} given\n{}", kMeasurementFormat, sensitivity::ToJson(given)));
}

Measurement FromTables(GivenSensitivities given) {
  return {.layers = std::move(given.layers),
          .options = std::move(given.options),
          .sensitivity = std::move(given.sensitivity),
          .given_costs = std::move(given.costs),
          .ties = std::move(given.ties),
          .origin = std::move(given.provenance)};
}

std::string MeasurementToJson(const Measurement& measurement) {
  Json json = {{"format", kMeasurementFormat},
               {"digest", measurement.digest},
               {"model_digest", measurement.model_digest},
               {"dataset_digest", measurement.dataset_digest},
               {"settings", measurement.settings},
               {"versions", measurement.versions},
               {"sensitivities", Json::parse(sensitivity::ToJson(ToGiven(measurement)))}};
  if (!measurement.activation_ties.empty()) json["activation_ties"] = measurement.activation_ties;
  if (measurement.structure) json["structure"] = StructureToJson(*measurement.structure);
  if (!measurement.data_flow.steps.empty()) json["data_flow"] = ToJson(measurement.data_flow);
  return json.dump(1) + "\n";
}

absl::StatusOr<Measurement> ParseMeasurement(std::string_view json) {
  BITPLAN_ASSIGN_OR_RETURN(
      const JsonDocument document,
      JsonDocument::Parse(json, {.what = "measurement", .max_bytes = sensitivity::kMaxGivenBytes}));
  JsonObject root = document.Root();
  if (const JsonValue format = root.At("format"); document.status().ok() && format.String() != kMeasurementFormat) {
    return InvalidArgument("measurement.format: got '{}', want '{}'", format.String(), kMeasurementFormat);
  }
  const std::string digest = root.String("digest");
  const std::string model_digest = root.String("model_digest");
  const std::string dataset_digest = root.String("dataset_digest");
  const std::string settings = root.String("settings");
  const std::map<std::string, std::string> versions = ReadTexts(root.Object("versions"));
  const std::string tables = root.At("sensitivities").Text();
  Ties activation_ties;
  if (root.Has("activation_ties")) {
    for (const JsonValue& tie : root.Array("activation_ties")) activation_ties.push_back(ReadStrings(tie));
  }
  std::optional<LayerStructure> structure = ReadStructure(root);
  DataFlow data_flow;
  if (root.Has("data_flow")) data_flow = ReadDataFlow(root.Object("data_flow"));
  root.RefuseUnknownKeys();
  BITPLAN_RETURN_IF_ERROR(document.status());
  absl::StatusOr<GivenSensitivities> given = sensitivity::ParseGiven(tables);
  if (!given.ok()) return WithContext(given.status(), "measurement");
  Measurement measurement = FromTables(*std::move(given));
  measurement.activation_ties = std::move(activation_ties);
  measurement.structure = std::move(structure);
  measurement.data_flow = std::move(data_flow);
  BITPLAN_RETURN_IF_ERROR(WithContext(CheckDataFlow(measurement.data_flow, measurement.layers), "measurement"));
  measurement.digest = digest;
  measurement.model_digest = model_digest;
  measurement.dataset_digest = dataset_digest;
  measurement.settings = settings;
  measurement.versions = versions;
  if (const std::string wanted = DigestOf(measurement); digest != wanted) {
    return InvalidArgument("measurement.digest: got '{}', the content has '{}'", digest, wanted);
  }
  return measurement;
}

}  // namespace bitplan::pipeline
