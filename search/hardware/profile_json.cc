#include "search/hardware/profile_json.h"

#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>
#include <vector>

namespace bitplan::hardware {
namespace {

using Json = nlohmann::ordered_json;

Json Names(const std::vector<Widths>& widths) {
  Json json = Json::array();
  for (const Widths& pair : widths) json.push_back(ToString(pair));
  return json;
}

template <typename Enum>
Json EnumNames(const std::vector<Enum>& values) {
  Json json = Json::array();
  for (const Enum value : values) json.push_back(bitplan::ToString(value));
  return json;
}

// Left out where there is nothing.
void Put(Json& json, std::string_view key, const std::optional<int64_t>& value) {
  if (value) json[std::string(key)] = *value;
}
void PutPositive(Json& json, std::string_view key, int64_t value) {
  if (value > 0) json[std::string(key)] = value;
}
void PutList(Json& json, std::string_view key, Json list) {
  if (!list.empty()) json[std::string(key)] = std::move(list);
}

Json ToJsonValue(const ProfileProvenance& provenance) {
  Json json = {{"source", provenance.source}, {"date", provenance.date}, {"citation", provenance.citation}};
  if (!provenance.notes.empty()) json["notes"] = provenance.notes;
  return json;
}

Json ToJsonValue(const SupportRule& rule) {
  Json json = Json::object();
  PutList(json, "kinds", EnumNames(rule.kinds));
  PutList(json, "of_widths", Names(rule.of_widths));
  PutList(json, "widths", Names(rule.widths));
  PutList(json, "schemes", rule.schemes);
  PutList(json, "granularities", EnumNames(rule.granularities));
  PutList(json, "group_sizes", rule.group_sizes);
  json["reason"] = rule.reason;
  return json;
}

Json ToJsonValue(const SizeModel& size) {
  Json json = {{"unit", BaseUnit(Resource::kSize)}, {"scale_bits", size.scale_bits}};
  if (size.zero_point_bits) json["zero_point_bits"] = *size.zero_point_bits;
  PutList(json, "code_widths", size.code_widths);
  PutPositive(json, "row_alignment_bytes", size.row_alignment_bytes);
  return json;
}

Json ToJsonValue(const RooflineModel& model) {
  Json json = {{"unit", BaseUnit(Resource::kLatency)}, {"batch_size", model.batch_size}};
  Put(json, "bytes_per_second", model.bytes_per_second);
  PutPositive(json, "launch_overhead_ns", model.launch_overhead_ns);
  Json rates = Json::array();
  for (const ComputeRate& rate : model.rates) {
    Json entry = Json::object();
    if (rate.kind) entry["kind"] = bitplan::ToString(*rate.kind);
    entry["widths"] = ToString(rate.widths);
    entry["macs_per_second"] = rate.macs_per_second;
    rates.push_back(std::move(entry));
  }
  PutList(json, "rates", std::move(rates));
  Put(json, "bit_macs_per_second", model.bit_macs_per_second);
  return json;
}

Json ToJsonValue(const EnergyModel& model) {
  Json json = {{"unit", BaseUnit(Resource::kEnergy)}, {"batch_size", model.batch_size}};
  PutPositive(json, "femtojoules_per_byte", model.femtojoules_per_byte);
  Json macs = Json::object();
  for (const MacEnergy& entry : model.macs) macs[ToString(entry.widths)] = entry.femtojoules;
  PutList(json, "femtojoules_per_mac", std::move(macs));
  Put(json, "femtojoules_per_bit_mac", model.femtojoules_per_bit_mac);
  return json;
}

Json ToJsonValue(const MemoryModel& memory) {
  return {{"unit", BaseUnit(Resource::kMemory)},
          {"min_activation_bits", memory.min_activation_bits},
          {"alignment_bytes", memory.alignment_bytes},
          {"weights_resident", memory.weights_resident}};
}

Json ToJsonValue(const BoundaryModel& boundary) {
  Json json = Json::object();
  PutPositive(json, "overhead_ns", boundary.overhead_ns);
  PutPositive(json, "bytes_per_second", boundary.bytes_per_second);
  PutPositive(json, "femtojoules_per_byte", boundary.femtojoules_per_byte);
  return json;
}

Json ToJsonValue(const DeviceLimits& limits) {
  Json json = Json::object();
  Put(json, "flash_bytes", limits.flash_bytes);
  Put(json, "sram_bytes", limits.sram_bytes);
  return json;
}

Json ToJsonValue(const MeasuredLayer& layer) {
  Json json = Json::object();
  if (!layer.layer.empty()) {
    json = {{"layer", layer.layer}, {"num_weights", layer.num_weights}};
  } else {
    json = {{"kind", bitplan::ToString(layer.kind.value_or(LayerKind::kOther))}, {"weight_shape", layer.weight_shape}};
  }
  json["macs"] = layer.macs;
  for (const auto& [widths, amount] : layer.amounts) json["amounts"][ToString(widths)] = amount;
  return json;
}

Json ToJsonValue(const MeasuredTable& table) {
  Json json = {{"resource", bitplan::ToString(table.resource)},
               {"unit", BaseUnit(table.resource)},
               {"batch_size", table.batch_size}};
  if (table.interpolation == Interpolation::kWidths) json["interpolation"] = "widths";
  if (!table.network.empty()) json["network"] = table.network;
  json["layers"] = Json::array();
  for (const MeasuredLayer& layer : table.layers) json["layers"].push_back(ToJsonValue(layer));
  return json;
}

template <typename Model>
void PutModel(Json& json, std::string_view key, const std::optional<Model>& model) {
  if (model) json[std::string(key)] = ToJsonValue(*model);
}

}  // namespace

std::string ToJson(const HardwareProfile& profile) {
  Json json = {{"format", kProfileFormat}, {"name", profile.name}, {"description", profile.description}};
  json["provenance"] = ToJsonValue(profile.provenance);
  json["supported"] = profile.supported ? Names(*profile.supported) : Json("any");
  for (const SupportRule& rule : profile.rules) json["rules"].push_back(ToJsonValue(rule));
  PutModel(json, "size", profile.size);
  if (profile.bops) json["bops"] = {{"unit", BaseUnit(Resource::kBops)}};
  if (profile.traffic) json["traffic"] = {{"unit", BaseUnit(Resource::kTraffic)}};
  PutModel(json, "roofline", profile.roofline);
  PutModel(json, "energy", profile.energy);
  PutModel(json, "memory", profile.memory);
  PutModel(json, "boundary", profile.boundary);
  PutModel(json, "limits", profile.limits);
  json["measured"] = Json::array();
  for (const MeasuredTable& table : profile.measured) json["measured"].push_back(ToJsonValue(table));
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace bitplan::hardware
