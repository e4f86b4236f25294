#include "search/pipeline/measurement.h"

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
  root.RefuseUnknownKeys();
  BITPLAN_RETURN_IF_ERROR(document.status());
  absl::StatusOr<GivenSensitivities> given = sensitivity::ParseGiven(tables);
  if (!given.ok()) return WithContext(given.status(), "measurement");
  Measurement measurement = FromTables(*std::move(given));
  measurement.activation_ties = std::move(activation_ties);
  measurement.structure = std::move(structure);
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
